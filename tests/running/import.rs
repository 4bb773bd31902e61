//! A large file of cards through the command line: little memory, resumable, and every refused line reported.

use std::fmt::Write;
use tests::process::{Platform, Scratch, scrip};

/// Returns the peak memory of a process, in MiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

async fn post(platform: &Platform, token: &str, path: &str, body: &str) -> serde_json::Value {
    let request = gateways::client().unwrap().post(format!("{}{path}", platform.api));
    let request = request.header("content-type", "application/json").bearer_auth(token);
    let reply = request.body(body.to_owned()).send().await.unwrap();
    serde_json::from_str(&reply.text().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_codes_are_imported_in_little_memory_and_again_add_nothing() {
    const CARDS: usize = 100_000;
    let scratch = Scratch::new("import");
    let data = scratch.0.join("data");
    let data = data.to_str().unwrap();
    let platform = Platform::start(std::path::Path::new(data));
    let (_, token) = scrip(&["token", "--role", "admin", "--data", data]);
    let token = token.trim();
    let brand =
        post(&platform, token, "/api/gift-cards/brands", r#"{"name":"B","denominations":[25]}"#).await;
    let brand = brand["brand_id"].as_str().unwrap();
    let body = format!(
        r#"{{"brand_id":"{brand}","denomination":25,"pool_type":"csv","cost_per_card":20,"low_stock_threshold":10}}"#
    );
    let pool = post(&platform, token, "/api/gift-cards/pools", &body).await;
    let pool = pool["pool_id"].as_str().unwrap();
    let mut file = "code,number,pin\r\n".to_owned();
    for n in 0..CARDS {
        write!(file, "CARD-{n:08}-XYZ,{n:012},{:04}\r\n", n % 10_000).unwrap();
    }
    file.push_str("=HYPERLINK(1),,\r\nCARD-00000007-XYZ,,\r\n\"QUOTED\nCODE\",,\r\n");
    let path = scratch.0.join("cards.csv");
    // Bytes that are not UTF-8, and a line that never ends.
    let mut file = file.into_bytes();
    file.extend_from_slice(b"CARD-\xff\xfe,,\r\n");
    file.extend(std::iter::repeat_n(b'x', 5_000_000));
    std::fs::write(&path, &file).unwrap();
    let report = scratch.0.join("refused.csv");
    let before = peak(platform.child.id());
    let arguments = ["import", path.to_str().unwrap(), "--pool", pool, "--report", report.to_str().unwrap()];
    let import = || scrip(&[&arguments[..], &["--data", data]].concat());
    let (code, said) = import();
    assert!(code == 0 && said.contains("accepted 100000, duplicates 1, invalid 5 in"), "{said}");
    assert!(said.contains("100 %  line "), "a progress line: {said}");
    let grown = peak(platform.child.id()) - before;
    assert!(grown < 100, "the platform grew by {grown} MiB");
    let refused = std::fs::read_to_string(&report).unwrap();
    assert!(refused.starts_with("line,status,detail\n") && !refused.contains("CARD-"), "{refused}");
    assert!(refused.contains("100002,invalid,code starts like a formula"), "{refused}");
    assert!(refused.contains("100003,duplicate,is already in this pool"), "{refused}");
    for line in [100_004, 100_005, 100_006] {
        assert!(refused.contains(&format!("{line},invalid,")), "{refused}");
    }
    let (code, said) = import();
    assert!(code == 0 && said.contains("accepted 0, duplicates 100001, invalid 5"), "{said}");
    // A file is never its own report, and an existing report is left alone if there is nothing to report.
    let own = scratch.0.join("own.csv");
    std::fs::write(&own, "code,pin\nKEEP-0001,11\n").unwrap();
    let own = own.to_str().unwrap();
    let (code, said) = scrip(&["import", own, "--pool", pool, "--report", own, "--data", data]);
    assert!(code == 1 && said.contains("name another"), "{said}");
    let before = std::fs::read(&report).unwrap();
    let (code, said) =
        scrip(&["import", own, "--pool", pool, "--report", report.to_str().unwrap(), "--data", data]);
    assert!(code == 0 && said.contains("accepted 1, duplicates 0, invalid 0"), "{said}");
    assert_eq!(std::fs::read(&report).unwrap(), before, "nothing to report");
    assert!(std::fs::read_to_string(own).unwrap().contains("KEEP-0001"));
    let unknown = "pool_00000000000000000000";
    let (code, said) = scrip(&["import", own, "--pool", unknown, "--data", data]);
    assert!(code == 1 && said.contains("there is no such pool") && !said.contains('{'), "{said}");
    let empty = scratch.0.join("empty.csv");
    std::fs::write(&empty, "code,pin\n").unwrap();
    let (code, said) = scrip(&["import", empty.to_str().unwrap(), "--pool", pool, "--data", data]);
    assert!(code == 1 && said.contains("no line after its first"), "{said}");
    let (code, proof) = scrip(&["audit", "--data", data]);
    assert!(code == 0 && proof.contains("cards        100001 = 0 sold + 100001 unsold"), "{proof}");
}

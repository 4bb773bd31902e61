//! Books in and out of a running platform by the command line, and a platform that is killed while it does a job.

use crate::running::platform::{call, token};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use tests::process::{Platform, Scratch, scrip};

const WALLETS: usize = 400;

fn wallets(path: &Path) {
    let mut file = "customer_id,currency,balance,lots,status\n".to_owned();
    for n in 0..WALLETS {
        writeln!(file, "cust_{n},INR,{n}.5,{n}.5|never|promotion,").unwrap();
    }
    writeln!(file, "wrong,INR,5,4|never|manual,").unwrap();
    std::fs::write(path, file).unwrap();
}

async fn job(platform: &Platform, admin: &str, id: &str) -> Value {
    call(platform, admin, &format!("/api/jobs/{id}"), None, None).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wallets_are_imported_exported_and_imported_elsewhere_by_commands() {
    let scratch = Scratch::new("books");
    let folder = |name: &str| scratch.0.join(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (here, there) = (Platform::start(&folder("here")), Platform::start(&folder("there")));
    let (file, out, refused) = (folder("wallets.csv"), folder("out.csv"), folder("refused.csv"));
    wallets(&file);
    let run = |command: &[&str], data: &str| scrip(&[command, &["--data", &text(&folder(data))]].concat());
    let import = ["import", &text(&file), "--kind", "wallets", "--report", &text(&refused)];
    let (code, said) = run(&[&import[..], &["--dry-run"]].concat(), "here");
    assert!(code == 0 && said.contains("401 rows, 400 succeeded, 1 failed"), "{said}");
    for _ in 0..2 {
        let (code, said) = run(&import, "here");
        assert!(
            code == 0 && said.contains("AGREES") && said.contains("books     rows 400, lots 400"),
            "{said}"
        );
    }
    let report = std::fs::read_to_string(&refused).unwrap();
    assert_eq!(report.lines().count(), 2, "{report}");
    assert!(report.contains("402,wrong,5.00,failed,lots_differ_from_balance,"), "{report}");
    let export = ["export", &text(&out), "--kind", "wallets"];
    let (code, said) = run(&export, "here");
    assert!(code == 0 && said.contains("400 rows"), "{said}");
    let mut exported: Vec<String> =
        std::fs::read_to_string(&out).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(exported.iter().filter(|line| line.starts_with("customer_id,")).count(), 1);
    let (code, said) = run(&["import", &text(&out), "--kind", "wallets"], "there");
    assert!(code == 0 && said.contains("400 rows, 400 succeeded, 0 failed"), "{said}");
    let (code, _) = run(&export, "there");
    assert_eq!(code, 0);
    let mut back: Vec<String> = std::fs::read_to_string(&out).unwrap().lines().map(str::to_owned).collect();
    exported.sort();
    back.sort();
    assert_eq!(exported, back);
    for data in ["here", "there"] {
        let (code, said) = run(&["audit"], data);
        assert!(code == 0 && said.contains("accounts     400"), "{said}");
    }
    let (code, said) = run(&["import", &text(&folder("none.csv")), "--kind", "wallets"], "here");
    assert!(code == 1 && said.contains("none.csv"), "{said}");
    drop((here, there));
}

/// Covers cases 3 and 5, with the process itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_killed_in_the_middle_of_an_uploaded_job_credits_every_row_once_when_it_starts_again()
 {
    let scratch = Scratch::new("killed-job");
    let data = scratch.0.to_str().unwrap();
    let mut platform = Platform::start(&scratch.0);
    let file = scratch.0.join("wallets.csv");
    wallets(&file);
    let refused = scratch.0.join("refused.csv");
    let import = ["import", file.to_str().unwrap(), "--kind", "wallets", "--data", data];
    let (code, said) = scrip(&[&import[..], &["--report", refused.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{said}");
    let admin = token(data, "admin", "a");
    let mut rows = "customer_id,amount\n".to_owned();
    for n in 0..WALLETS * 5 {
        writeln!(rows, "cust_{},1", n % WALLETS).unwrap();
    }
    let body = json!({"purpose": "bulk_credit", "bytes": rows.len()});
    let (_, upload) = call(&platform, &admin, "/api/uploads", None, Some(body)).await;
    let mut put = gateways::client().unwrap().put(upload["url"].as_str().unwrap());
    for (name, value) in upload["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert_eq!(put.body(rows).send().await.unwrap().status(), 200);
    let body = json!({"upload_id": upload["upload_id"], "control_rows": WALLETS * 5});
    let (status, made) = call(&platform, &admin, "/api/wallet/bulk/add-credits", None, Some(body)).await;
    assert_eq!(status, 202, "{made}");
    let id = made["job_id"].as_str().unwrap();
    loop {
        let job = job(&platform, &admin, id).await;
        if job["succeeded"].as_u64().unwrap() > 0 {
            assert_ne!(job["pending"], 0, "{job}");
            break;
        }
    }
    platform.kill();
    let platform = Platform::start(&scratch.0);
    // The leases of the killed process are over.
    call(&platform, "", "/_local/clock", None, Some(json!({"advance": "46s"}))).await;
    call(&platform, &admin, &format!("/api/jobs/{id}/resume"), None, Some(json!({}))).await;
    loop {
        let job = job(&platform, &admin, id).await;
        if job["pending"] == 0 {
            assert_eq!(
                (&job["status"], &job["succeeded"]),
                (&json!("completed"), &json!(WALLETS * 5)),
                "{job}"
            );
            break;
        }
    }
    let (_, balance) = call(&platform, &admin, "/api/wallet/cust_7/balance", None, None).await;
    assert_eq!(balance["balance"], 12.5);
    drop(platform);
    let (code, said) = scrip(&["audit", "--data", data]);
    assert!(code == 0 && said.contains("accounts     400"), "{said}");
}

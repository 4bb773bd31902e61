//! The port of the embedded DynamoDB: open to tools on this machine, closed to web pages.

use std::io::{Read, Write};
use std::net::TcpStream;
use tests::process::{Platform, Scratch};

/// Sends raw HTTP to `address`; returns the response.
fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// Returns a request that lists the tables, with any credentials.
fn list_tables(headers: &str) -> String {
    let credential = "Credential=a/20260101/us-east-1/dynamodb/aws4_request";
    format!(
        "POST / HTTP/1.1\r\n{headers}content-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\
         x-amz-target: DynamoDB_20120810.ListTables\r\nx-amz-date: 20260101T000000Z\r\n\
         authorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0\r\n\
         connection: close\r\n\r\n{{}}"
    )
}

/// Covers fault 51 of the requirements.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_neither_reads_nor_writes_the_table_whatever_its_origin_or_host() {
    let scratch = Scratch::new("local-port");
    let platform = Platform::start(&scratch.0);
    let text = std::fs::read_to_string(scratch.0.join("platform.json")).unwrap();
    let running: serde_json::Value = serde_json::from_str(&text).unwrap();
    let table = running["dynamodb"].as_str().unwrap().to_owned();
    for host in ["localhost:8788", "127.0.0.1", "[::1]:8788", "127.9.9.9:1", "LocalHost"] {
        let answer = raw(&table, &list_tables(&format!("host: {host}\r\n")));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"scrip\""), "{host}: {answer}");
        assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
    }
    let refused = [
        "host: evil.example\r\n",
        "host: localhost.evil.example\r\n",
        "host: 192.168.0.1:8788\r\n",
        "host: evil@localhost.example\r\n",
        "host: localhost\r\norigin: https://evil.example\r\n",
        "host: localhost\r\norigin: null\r\n",
        "host: localhost:8788\r\norigin: http://localhost:8788\r\n",
        "host:\r\n",
        "host: localhost\r\nhost: evil.example\r\n",
    ];
    for headers in refused {
        let answer = raw(&table, &list_tables(headers));
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["403", "400"].contains(&status) && !answer.contains("scrip\""), "{headers}: {answer}");
        // The control endpoints likewise.
        let clock = format!("GET /_local/clock HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
        let answer = raw(&platform.api, &clock);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["403", "400"].contains(&status), "{headers}: {answer}");
    }
    let preflight = "OPTIONS / HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example\r\n\
                     access-control-request-method: POST\r\nconnection: close\r\n\r\n";
    let answer = raw(&table, preflight);
    assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("access-control"), "{answer}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_the_data_directory_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("file-modes");
    // An earlier version left its database readable by all.
    let mut earlier = Platform::start(&scratch.0);
    earlier.kill();
    std::fs::set_permissions(scratch.0.join("scrip.db"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut platform = Platform::start(&scratch.0);
    tests::process::scrip(&["trigger", "razorpay.payment_captured", "--data", scratch.0.to_str().unwrap()]);
    let modes = || -> Vec<(String, u32)> {
        // Buckets are folders, which nobody else may enter.
        let files = std::fs::read_dir(&scratch.0).unwrap().map(Result::unwrap);
        let mode = |file: &std::fs::DirEntry| {
            let meta = file.metadata().unwrap();
            let mode = meta.permissions().mode() & 0o777;
            if meta.is_dir() { mode & !0o100 } else { mode }
        };
        files.map(|file| (file.file_name().into_string().unwrap(), mode(&file))).collect()
    };
    let running = modes();
    assert!(running.iter().any(|(name, _)| name == "scrip.db-wal"), "{running:?}");
    assert!(running.iter().any(|(name, _)| name == "gateways.json"), "{running:?}");
    platform.kill();
    let stopped = modes();
    for (name, mode) in running.iter().chain(&stopped) {
        assert_eq!(*mode, 0o600, "{name}");
    }
}

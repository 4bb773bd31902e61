//! Who may use an upload, and what its URL is good for.

use serde_json::json;
use tests::jobs::{BULK, announce, put_file};
use tests::{World, admin, service_named};

#[tokio::test]
async fn the_same_key_of_another_caller_is_another_upload() {
    let world = World::new().await;
    let body = r#"{"purpose":"bulk_credit","bytes":10}"#;
    let mut uploads = vec![];
    for name in ["one", "other"] {
        let caller = service_named(name, "wallet:credit");
        let made = world.post_keyed(&caller, "day-1", "/api/uploads", body).await.expect(201);
        uploads.push(made.text("/upload_id"));
    }
    assert_ne!(uploads[0], uploads[1]);
}

#[tokio::test]
async fn a_url_is_good_for_what_was_signed_alone_and_the_bucket_for_its_owner() {
    let world = World::new().await;
    let announced = announce(&world, "bulk_credit", 4).await;
    let url = announced["url"].as_str().unwrap();
    for (from, to) in [
        ("X-Amz-Expires=3600", "X-Amz-Expires=18446744073709551615"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=3601"),
        ("/uploads/", "/uploads/x"),
        ("X-Amz-Date=2", "X-Amz-Date=1"),
    ] {
        let mut other = announced.clone();
        other["url"] = json!(url.replace(from, to));
        assert_ne!(other["url"], announced["url"], "{from} {url}");
        assert_eq!(put_file(&world, &other, b"file").await, 403, "{to}");
    }
    let (path, _) = url.split_once('?').unwrap();
    for authorization in ["", "AWS4-HMAC-SHA256 Credential=local/", "Bearer x"] {
        let request =
            http::Request::get(path).header("host", "127.0.0.1").header("authorization", authorization);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(world.files.router(), request).await.unwrap();
        assert_eq!(answer.status(), 403, "{authorization}");
    }
    assert_eq!(put_file(&world, &announced, b"file").await, 200);
}

#[tokio::test]
async fn an_id_that_a_spreadsheet_would_run_is_a_bad_row() {
    let world = World::new().await;
    for text in ["customer_id,amount\n=cmd,7\n", "customer_id,amount\n\"=cmd\",7\n"] {
        let answer = world.post_csv(&admin(), BULK, text).await.expect_problem(400, "invalid_request");
        assert_eq!(answer.offending(), ["/lines/2/customer_id"], "{text}");
    }
}

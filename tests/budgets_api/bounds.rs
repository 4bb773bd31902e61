//! The work and the answer of a request are bounded by its size.

use http::{Request, header};
use std::io::Write;
use tests::{Agency, Answer, Caller, acts_for, admin};

/// Compresses a body.
fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(plain).unwrap();
    gzip.finish().unwrap()
}

async fn send_compressed(
    agency: &Agency,
    caller: Option<&Caller>,
    (path, content_type): (&str, &str),
    plain: &[u8],
) -> Answer {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CONTENT_ENCODING, "gzip")
        .body(gzip(plain).into())
        .unwrap();
    agency.world().send(caller, request).await
}

/// Returns the number of requests to the table, and the bytes that they asked for.
fn requests(agency: &Agency) -> usize {
    agency.world().faults.take_log().len()
}

/// Covers faults 46 and 47 of the requirements.
#[tokio::test]
async fn a_file_of_invalid_lines_is_refused_after_30_000_of_them_and_takes_nothing() {
    let agency = Agency::new("100", 0).await;
    let world = agency.world();
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let cards = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    requests(&agency);
    // Valid lines first: they must not be taken either.
    let invalid_lines = "a\n".repeat(1_900_000);
    for (path, lines) in [
        (&codes, format!("code,brand_id,denomination\nGOOD-1,{},25\n{invalid_lines}", agency.brand)),
        (&cards, format!("code\nGOOD-0001\n{invalid_lines}")),
    ] {
        let refused = send_compressed(&agency, Some(&admin()), (path, "text/csv"), lines.as_bytes()).await;
        let refused = refused.expect_problem(400, "invalid_request");
        assert!(refused.text("/detail").contains("30000 lines are invalid"), "{}", refused.body);
        assert!(requests(&agency) < 10);
    }
    // One line less is reported line by line, and what is valid is taken.
    let invalid_lines = "a\n".repeat(29_999);
    let lines = format!("code\nGOOD-0001\n{invalid_lines}");
    let taken = send_compressed(&agency, Some(&admin()), (&cards, "text/csv"), lines.as_bytes()).await;
    assert_eq!((taken.raw("accepted"), taken.raw("invalid")), ("1".into(), "29999".into()));
    world.prove().await;
}

#[tokio::test]
async fn a_file_names_at_most_a_hundred_brands_and_each_is_read_once() {
    let agency = Agency::new("100", 0).await;
    let client = acts_for("client", &agency.client);
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let line = |n: usize| format!("CODE-{n},brand_{n:020x},25\n");
    let file = |brands: usize| {
        let lines: String = (0..brands).map(line).collect();
        format!("code,brand_id,denomination\n{lines}{lines}")
    };
    requests(&agency);
    let reported = agency.world().post_csv(&client, &codes, &file(100)).await.expect(200);
    assert_eq!(reported.raw("invalid"), "200");
    assert!(requests(&agency) < 110, "unknown brands are remembered");
    let refused = agency.world().post_csv(&client, &codes, &file(20_000)).await;
    let refused = refused.expect_problem(400, "invalid_request");
    assert!(refused.text("/detail").contains("more than 100 brands"), "{}", refused.body);
    assert!(requests(&agency) < 110);
}

/// Covers fault 47 of the requirements.
#[tokio::test]
async fn a_body_of_very_many_unknown_fields_is_answered_with_the_first_hundred_and_their_number() {
    let agency = Agency::new("", 0).await;
    let members: Vec<String> = (0..20_000).map(|n| format!("\"{n}\":1")).collect();
    let body = format!("{{{}}}", members.join(","));
    let to = ("/api/gift-cards/redeem", "application/json");
    let answer = send_compressed(&agency, None, to, body.as_bytes()).await;
    let answer = answer.expect_problem(400, "invalid_request");
    // The missing code is one of them.
    assert_eq!((answer.offending().len(), answer.raw("error_count")), (100, "20001".into()));
    assert!(answer.body.len() < 64 * 1024, "{} bytes", answer.body.len());
    // Names that callers made up are cut; names sent twice count once each time.
    let long =
        format!("{{\"{}\":1,\"redemption_code\":\"A\",\"redemption_code\":\"A\"}}", "n".repeat(200_000));
    let answer = send_compressed(&agency, None, to, long.as_bytes()).await;
    let answer = answer.expect_problem(400, "invalid_request");
    assert!(answer.body.len() < 1_024, "{} bytes", answer.body.len());
    assert_eq!(answer.offending()[1], "/redemption_code");
    assert!(answer.json().get("error_count").is_none());
}

#[tokio::test]
async fn a_query_of_very_many_unknown_parameters_is_answered_with_the_first_hundred_and_their_number() {
    let agency = Agency::new("", 0).await;
    let query: Vec<String> = (0..2_000).map(|n| format!("p{n}=1")).collect();
    let path = format!("/api/credit/accounts/{}/children?{}", agency.client, query.join("&"));
    let answer = agency.world().get(&admin(), &path).await.expect_problem(400, "invalid_request");
    assert_eq!((answer.offending().len(), answer.raw("error_count")), (100, "2000".into()));
    assert!(answer.body.len() < 64 * 1024, "{} bytes", answer.body.len());
}

//! One code is one redemption, however it is written and wherever it is redeemed.

use tests::agency::issuer;
use tests::{Agency, Answer, admin};

/// Returns the spellings of a code that people and programs use.
fn spellings(code: &str) -> Vec<String> {
    let bare: String = code.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let mut all = vec![
        code.to_owned(),
        code.to_lowercase(),
        bare.clone(),
        bare.to_lowercase(),
        format!("  {code}\u{a0}"),
        code.replace('-', " "),
        bare.chars().map(|c| format!("{c} ")).collect(),
    ];
    let between = "\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{a0}\u{202f}\u{200b}\u{2060}\u{feff}\u{ad}\u{3000}\u{ff0d}";
    all.extend(between.chars().map(|c| code.replace('-', &c.to_string())));
    all
}

async fn redeem(agency: &Agency, code: &str, campaign: Option<&str>) -> Answer {
    let body = serde_json::json!({"redemption_code": code, "campaign_id": campaign}).to_string();
    let mut request =
        http::Request::post("/api/gift-cards/redeem").body(axum::body::Body::from(body)).unwrap();
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    agency.world().send(None, request).await
}

async fn provision(agency: &Agency, code: &str) -> Answer {
    let provision = serde_json::json!({
        "campaign_id": agency.campaign, "brand_id": agency.brand, "denomination": 25, "redemption_code": code,
    });
    agency.world().post(&issuer(), "/api/gift-cards/provision", &provision.to_string()).await
}

/// Covers faults 25 and 30 of the requirements.
#[tokio::test]
async fn a_minted_and_a_registered_code_result_in_one_card_each_in_every_spelling_at_every_endpoint() {
    let agency = Agency::new("1000", 10).await;
    let world = agency.world();
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let mint = format!(r#"{{"count":1,"brand_id":"{}","denomination":25}}"#, agency.brand);
    let minted = world.post(&admin(), &codes, &mint).await.expect(201).text("/codes/0");
    let file = format!("code,brand_id,denomination\nspring-sale-2026,{},25\n", agency.brand);
    assert_eq!(world.post_csv(&admin(), &codes, &file).await.expect(200).raw("accepted"), "1");
    let mut spent = 0;
    for (code, campaign) in [(minted.as_str(), None), ("SPRING-SALE-2026", Some(agency.campaign.as_str()))] {
        spent += 25;
        let mut first: Option<(String, String)> = None;
        for (n, spelling) in spellings(code).iter().enumerate() {
            let answer = if n % 2 == 0 {
                redeem(&agency, spelling, campaign).await
            } else {
                provision(&agency, spelling).await
            };
            let answer = answer.expect(201);
            let found = (answer.text("/redemption/redemption_id"), answer.text("/card/card_code"));
            assert_eq!(*first.get_or_insert(found.clone()), found, "{spelling:?}");
            assert_eq!(answer.is_replay(), n > 0);
        }
        assert_eq!(agency.figures(&agency.campaign).await[2], format!("{spent}.00"));
    }
    world.prove().await;
}

#[tokio::test]
async fn codes_of_a_file_that_fold_alike_are_duplicates_and_so_are_those_registered_before() {
    let agency = Agency::new("100", 1).await;
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let file = |codes: &[&str]| {
        let lines: Vec<String> = codes.iter().map(|code| format!("{code},{},25", agency.brand)).collect();
        format!("code,brand_id,denomination\n{}\n", lines.join("\n"))
    };
    let first =
        agency.world().post_csv(&admin(), &codes, &file(&["AB-CD", "abcd", "A B\u{2013}C D", "OTHER"])).await;
    let first = first.expect(200);
    assert_eq!((first.raw("accepted"), first.raw("duplicates")), ("2".into(), "2".into()), "{}", first.body);
    let again = agency.world().post_csv(&admin(), &codes, &file(&["a-b-c-d", "o.t"])).await.expect(200);
    assert_eq!(
        (again.raw("accepted"), again.raw("duplicates"), again.raw("invalid")),
        ("0".into(), "1".into(), "1".into())
    );
    agency.world().prove().await;
}

#[tokio::test]
async fn what_cannot_be_a_code_is_a_400_for_a_backend_and_the_usual_404_for_a_customer() {
    let agency = Agency::new("100", 1).await;
    let long = "A".repeat(65);
    for bad in
        ["", "ABC", "A-B-C", "----", " \u{200b}\u{a0} ", "CAFÉ-1", "TAB\u{1}X", long.as_str(), "6.03571E+15"]
    {
        let refused = provision(&agency, bad).await.expect_problem(400, "invalid_request");
        assert_eq!(refused.offending(), ["/redemption_code"], "{bad:?}");
        redeem(&agency, bad, None).await.expect_problem(404, "code_not_found");
    }
    let longest = format!("{}-", "AB".repeat(32));
    provision(&agency, &longest).await.expect(201);
    agency.world().prove().await;
}

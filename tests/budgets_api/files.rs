//! Files of cards and codes as spreadsheets export them.

use serde_json::json;
use tests::{Agency, Answer, admin};

async fn import(agency: &Agency, body: &str) -> Answer {
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    agency.world().post_csv(&admin(), &path, body).await
}

fn counts(answer: &Answer) -> [String; 3] {
    ["accepted", "duplicates", "invalid"].map(|name| answer.raw(name))
}

/// Covers fault 29 of the requirements.
#[tokio::test]
async fn a_code_that_a_spreadsheet_made_a_number_is_reported_by_line_and_never_stocked() {
    let agency = Agency::new("100", 0).await;
    let body = "code,pin\n6.03571E+15,1\n\"4,68769E+17\",2\n6E+15,3\n1.5e-7,4\nGOOD-0001,1.2E+12\nGOOD-0002,5\n12E4567,6\n";
    let taken = import(&agency, body).await.expect(200);
    assert_eq!(counts(&taken), ["2", "0", "5"], "{}", taken.body);
    let lines: Vec<_> = (0..5).map(|n| taken.field(&format!("/lines/{n}/line"))).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6].map(|line| json!(line)));
    assert!(taken.text("/lines/0/detail").starts_with("code is a number in scientific notation"));
    assert!(taken.text("/lines/4/detail").starts_with("pin is a number in scientific notation"));
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let body = format!("code,brand_id,denomination\n6.03571E+15,{0},25\nSPRING-1,{0},25\n", agency.brand);
    let registered = agency.world().post_csv(&admin(), &codes, &body).await.expect(200);
    assert_eq!(counts(&registered), ["1", "0", "1"], "{}", registered.body);
    agency.world().prove().await;
}

#[tokio::test]
async fn trailing_empty_columns_and_lines_of_separators_alone_are_nothing() {
    let agency = Agency::new("100", 0).await;
    let body = "code,pin,,\nAAAA-0001,1,,\n,,,\n\"\",\"\",,\n \u{a0},,\nAAAA-0002,2\nAAAA-0003,,,,,,\nAAAA-0004,1,x\n";
    let taken = import(&agency, body).await.expect(200);
    assert_eq!(counts(&taken), ["3", "0", "1"], "{}", taken.body);
    assert_eq!(taken.field("/lines/0/line"), 8);
    agency.world().prove().await;
}

#[tokio::test]
async fn every_end_of_line_and_every_kind_of_space_is_understood() {
    let agency = Agency::new("100", 0).await;
    let body = "\u{feff}\"code\" ,\u{a0}pin\rAAAA-0001,1\rBBBB-0002\u{a0},2\r\n\u{202f}CCCC-0003,\u{a0}3\n\nDDDD-0004,4";
    let taken = import(&agency, body).await.expect(200);
    assert_eq!(counts(&taken), ["4", "0", "0"], "{}", taken.body);
    // The same cards, as a word processor writes them.
    let again =
        import(&agency, "code\nAAAA\u{2011}0001\nBBBB\u{2212}00\u{200b}02\n CCCC\u{2013}0003\u{a0}\n").await;
    assert_eq!(counts(&again.expect(200)), ["0", "3", "0"]);
    agency.world().prove().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_at_all_says_what_to_change() {
    let agency = Agency::new("100", 0).await;
    for (body, says) in [
        ("code;pin\nAAAA-0001;1\n", "columns must be separated by commas"),
        ("code\tpin\nAAAA-0001\t1\n", "columns must be separated by commas"),
        ("number,pin\n1,2\n", "including code"),
        ("code,,pin\nAAAA-0001,,1\n", "must name columns"),
        ("\"code\nAAAA-0001\n", "its quotes are not closed"),
        ("", "the file is empty"),
    ] {
        let problem = import(&agency, body).await.expect_problem(400, "invalid_request");
        assert!(problem.text("/detail").contains(says), "{says}: {}", problem.body);
    }
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    let utf16: Vec<u8> = "\u{feff}code\nAAAA-0001\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let request = http::Request::post(path).header("content-type", "text/csv").body(utf16.into()).unwrap();
    let problem = agency.world().send(Some(&admin()), request).await.expect_problem(400, "invalid_request");
    assert!(problem.text("/detail").contains("UTF-8"), "{}", problem.body);
    agency.world().prove().await;
}

#[tokio::test]
async fn a_header_of_very_many_names_is_refused_at_once() {
    let agency = Agency::new("100", 0).await;
    let names: Vec<String> = (0..200_000).map(|n| format!("c{n}")).collect();
    import(&agency, &format!("code,{}\nAAAA-0001\n", names.join(",")))
        .await
        .expect_problem(400, "invalid_request");
}

#[tokio::test]
async fn what_a_spreadsheet_shows_where_it_has_no_value_is_never_stocked_nor_registered() {
    let agency = Agency::new("100", 0).await;
    let body = ",,\n\ncode,pin\n#########,1\n#NAME?,2\n#ref!,3\nGOOD-0001,#N/A\n#GOOD-0002,5\n";
    let taken = import(&agency, body).await.expect(200);
    assert_eq!(counts(&taken), ["1", "0", "4"], "{}", taken.body);
    assert_eq!(taken.field("/lines/0/line"), 4);
    assert!(taken.text("/lines/3/detail").starts_with("pin is an error value"), "{}", taken.body);
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let body =
        format!("code,brand_id,denomination\n#N/A,{0},25\n####,{0},25\n-LEAD-1,{0},25\n", agency.brand);
    let registered = agency.world().post_csv(&admin(), &codes, &body).await.expect(200);
    assert_eq!(counts(&registered), ["1", "0", "2"], "{}", registered.body);
    agency.world().prove().await;
}

#[tokio::test]
async fn a_code_that_was_minted_for_a_campaign_is_a_duplicate_in_its_files_and_new_in_anothers() {
    let agency = Agency::new("100", 0).await;
    let world = agency.world();
    let path = |campaign: &str| format!("/api/gift-cards/campaigns/{campaign}/codes");
    let mint = format!(r#"{{"count":1,"brand_id":"{}","denomination":25}}"#, agency.brand);
    let minted = world.post(&admin(), &path(&agency.campaign), &mint).await.expect(201).text("/codes/0");
    let file = format!(
        "code,brand_id,denomination\nOWN-1,{0},25\n{1},{0},50\nOWN-2,{0},25\n",
        agency.brand,
        minted.to_lowercase()
    );
    let own = world.post_csv(&admin(), &path(&agency.campaign), &file).await.expect(200);
    assert_eq!((counts(&own), own.field("/lines/0/line")), (["2", "1", "0"].map(str::to_owned), json!(3)));
    let other = tests::agency::open(world, "campaign", &agency.client, "").await;
    let others = world.post_csv(&admin(), &path(&other), &file).await.expect(200);
    assert_eq!(counts(&others), ["3", "0", "0"]);
    world.prove().await;
}

/// Covers fault 46 of the requirements.
#[tokio::test]
async fn a_line_of_very_many_separators_is_refused_before_cells_are_made_of_it() {
    let agency = Agency::new("100", 0).await;
    let commas = ",".repeat(2_000_000);
    let taken = import(&agency, &format!("code\nAAAA-0001{commas}\nAAAA-0002{commas}x\n")).await.expect(200);
    assert_eq!(
        (counts(&taken), taken.field("/lines/0/line")),
        (["1", "0", "1"].map(str::to_owned), json!(3))
    );
    import(&agency, &format!("code{commas}x\nAAAA-0001\n")).await.expect_problem(400, "invalid_request");
    import(&agency, &format!("code{commas}\nAAAA-0003\n")).await.expect(200);
    agency.world().prove().await;
}

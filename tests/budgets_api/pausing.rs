//! Status, mode and slices of an account are for those above it.

use tests::agency::open;
use tests::{Agency, Answer, Caller, acts_for, admin};

async fn patch(agency: &Agency, caller: &Caller, account: &str, body: &str) -> Answer {
    agency.world().patch(caller, &format!("/api/credit/accounts/{account}"), body).await
}

/// Covers fault 52 of the requirements.
#[tokio::test]
async fn who_is_paused_does_not_resume_itself_and_those_above_it_do() {
    let agency = Agency::new("100", 2).await;
    let of_agency = acts_for("agency", &agency.agency);
    let of_client = acts_for("client", &agency.client);
    for (account, own, above) in
        [(&agency.agency, &of_agency, &admin()), (&agency.client, &of_client, &of_agency)]
    {
        patch(&agency, above, account, r#"{"status":"paused"}"#).await.expect(200);
        for status in ["active", "paused", "closing"] {
            let body = format!(r#"{{"status":"{status}"}}"#);
            patch(&agency, own, account, &body).await.expect_problem(403, "forbidden");
        }
        assert_eq!(agency.account(account).await.text("/status"), "paused");
        for body in [r#"{"slices":2}"#, r#"{"name":"n","slices":1}"#, r#"{"budget_mode":"shared"}"#] {
            patch(&agency, own, account, body).await.expect_problem(403, "forbidden");
        }
        let changed = r#"{"name":"Own","low_credit_threshold":5}"#;
        let changed = patch(&agency, own, account, changed).await.expect(200);
        assert_eq!((changed.text("/name"), changed.text("/status")), ("Own".into(), "paused".into()));
        patch(&agency, above, account, r#"{"status":"active"}"#).await.expect(200);
    }
    // What is below an account is for it to pause and resume.
    patch(&agency, &of_client, &agency.campaign, r#"{"status":"paused"}"#).await.expect(200);
    agency.provision("CODE").await.expect_problem(409, "budget_paused");
    patch(&agency, &of_client, &agency.campaign, r#"{"status":"active","slices":16}"#).await.expect(200);
    agency.provision("CODE").await.expect(201);
    agency.world().prove().await;
}

#[tokio::test]
async fn more_than_16_slices_are_for_admins_to_give() {
    let agency = Agency::new("", 0).await;
    let world = agency.world();
    let of_client = acts_for("client", &agency.client);
    let body = |slices: u8| {
        let client = &agency.client;
        format!(r#"{{"kind":"campaign","parent_id":"{client}","name":"n","slices":{slices}}}"#)
    };
    world.post(&of_client, "/api/credit/accounts", &body(16)).await.expect(201);
    world.post(&of_client, "/api/credit/accounts", &body(17)).await.expect_problem(403, "forbidden");
    world.post(&admin(), "/api/credit/accounts", &body(64)).await.expect(201);
    let more = r#"{"slices":17}"#;
    patch(&agency, &of_client, &agency.campaign, more).await.expect_problem(403, "forbidden");
    patch(&agency, &admin(), &agency.campaign, more).await.expect(200);
    open(world, "client", &agency.agency, r#""slices":64"#).await;
    world.prove().await;
}

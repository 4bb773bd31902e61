//! Budgets of another system: opened in the order of their tree, with credit handed down by allocations.

use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tests::agency::{allocate, open};
use tests::jobs::{get_file, job, outcomes, run_steps, standing, step, upload, work};
use tests::{Answer, Fault, World, admin, staff};
use tokio::sync::Notify;

const HEADER: &str =
    "external_id,kind,parent_external_id,name,credit,low_credit_threshold,budget_mode,slices,status\n";

const TREE: &str = "a1,agency,,North,100,10,,2,\n\
                    c1,client,a1,Shop,50.25,,,,paused\n\
                    m1,campaign,c1,Spring,20,,isolated,,\n\
                    m2,campaign,c1,Summer,,,shared,,paused\n";

async fn try_import(world: &World, query: &str, rows: &str) -> Answer {
    world.post_csv(&admin(), &format!("/api/imports?kind=accounts{query}"), &format!("{HEADER}{rows}")).await
}

async fn import(world: &World, query: &str, rows: &str) -> Value {
    let id = try_import(world, query, rows).await.expect(202).text("/job_id");
    work(world).await;
    job(world, &id).await
}

async fn codes(world: &World, job: &Value) -> Vec<String> {
    outcomes(world, job).await.into_iter().map(|(_, code)| code).collect()
}

/// Returns the accounts of a finished import by their ids in the file.
async fn accounts(world: &World, job: &Value) -> Vec<(String, String)> {
    let path = format!("/api/jobs/{}/rows?limit=100", job["job_id"].as_str().unwrap());
    let rows = world.get(&staff(), &path).await.expect(200).json();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let rows = rows["rows"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "external_id"), text(row, "account_id"))).collect()
}

async fn account(world: &World, id: &str) -> Value {
    world.get(&admin(), &format!("/api/credit/accounts/{id}")).await.expect(200).json()
}

#[tokio::test]
async fn a_tree_comes_with_its_credit_modes_and_statuses_and_is_reconciled() {
    let world = World::new().await;
    let done = import(&world, "", TREE).await;
    assert_eq!(
        (&done["status"], &done["succeeded"], &done["kind"]),
        (&json!("completed"), &json!(4), &json!("import_accounts")),
        "{done}"
    );
    let sums =
        json!({"rows": 4, "wallets": 4, "lots": 0, "balances": [{"currency": "INR", "amount": 170.25}]});
    let reconciled = &done["reconciliation"];
    assert_eq!(
        (&reconciled["file"], &reconciled["books"], &reconciled["agrees"]),
        (&sums, &sums, &json!(true))
    );
    assert_eq!((&done["amount_total"], &done["amount_applied"]), (&json!(170.25), &json!(170.25)));
    let found = accounts(&world, &done).await;
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a1", "c1", "m1", "m2"]);
    let id = |at: usize| found[at].1.as_str();
    let expected = [
        ("North", 100.0, "active", "platform", 2),
        ("Shop", 50.25, "paused", id(0), 1),
        ("Spring", 20.0, "active", id(1), 1),
    ];
    for (at, (name, credit, status, parent, slices)) in expected.into_iter().enumerate() {
        let read = account(&world, id(at)).await;
        assert_eq!(
            (&read["name"], &read["available"], &read["status"], &read["parent_id"], &read["slices"]),
            (&json!(name), &json!(credit), &json!(status), &json!(parent), &json!(slices)),
            "{read}"
        );
    }
    assert_eq!(account(&world, id(3)).await["budget_mode"], "shared");
    let path = format!("/api/credit/accounts/{}/transactions", id(2));
    let moved = world.get(&admin(), &path).await.expect(200).json();
    let reference = format!("import%3A{}%3A4%3A3", done["job_id"].as_str().unwrap());
    let entry = &moved["transactions"][0];
    assert_eq!((&entry["type"], &entry["notes"]), (&json!("ALLOCATION_IN"), &json!("Opening balance")));
    assert!(entry["reference"].as_str().unwrap().ends_with(&reference), "{entry}");
    world.prove().await;
}

#[tokio::test]
async fn the_same_file_again_adds_nothing_and_what_has_changed_exists_differently() {
    let world = World::new().await;
    let first = import(&world, "", TREE).await;
    let again = import(&world, "", TREE).await;
    assert_eq!(codes(&world, &again).await, ["exists"; 4]);
    assert_eq!((&again["amount_applied"], &again["reconciliation"]["agrees"]), (&json!(0.0), &json!(true)));
    assert_eq!(accounts(&world, &again).await, accounts(&world, &first).await);
    let changed = TREE.replace("North", "South").replace("Spring,20,", "Spring,21,");
    for query in ["&dry_run=true", ""] {
        let other = import(&world, query, &format!("{changed}m3,campaign,c1,Autumn,5,,isolated,,\n")).await;
        let expected = ["exists_differently", "exists", "exists_differently", "exists", "created"];
        assert_eq!(codes(&world, &other).await, expected, "{query}");
    }
    world.prove().await;
}

#[tokio::test]
async fn what_a_file_of_accounts_alone_shows_is_a_bad_row() {
    let world = World::new().await;
    let rows = "c9,client,a9,Orphan,,,,,\n\
                a1,agency,c9,North,,,,,\n\
                a2,agency,,North,,,,,\n\
                m1,campaign,a2,Wrong level,,,,,\n\
                c1,client,a2, ,1.001,,,65,closed\n\
                c2,client,c1,Below a bad row,,,,,\n\
                c3,client,a2,Shop,,,shared,,\n\
                m2,campaign,c3,Shared,5,,,,\n\
                a2,agency,,Twice,,,,,\n\
                9.19E+11,agency,,Number,,,,,\n\
                x1,reseller,,Kind,,,,,\n";
    let refused = try_import(&world, "", rows).await.expect_problem(400, "invalid_request");
    let expected = [
        "/lines/2/parent_external_id",
        "/lines/3/parent_external_id",
        "/lines/5/parent_external_id",
        "/lines/6/name",
        "/lines/6/credit",
        "/lines/6/slices",
        "/lines/6/status",
        "/lines/7/parent_external_id",
        "/lines/8/budget_mode",
        "/lines/9/parent_external_id",
        "/lines/9/credit",
        "/lines/10/external_id",
        "/lines/11/external_id",
        "/lines/12/kind",
    ];
    assert_eq!(refused.offending(), expected);
    let done = import(&world, "&on_invalid=skip", rows).await;
    let mut expected = vec!["invalid_row"; 11];
    for at in [0, 3, 5] {
        expected[at] = "parent_not_found";
    }
    expected[2] = "created";
    assert_eq!(codes(&world, &done).await, expected);
    let path = format!("/api/jobs/{}/rows?status=failed", done["job_id"].as_str().unwrap());
    let failed = world.get(&staff(), &path).await.expect(200).json();
    assert_eq!(
        (&failed["rows"][0]["external_id"], &failed["rows"][0]["account_id"]),
        (&json!("c9"), &Value::Null)
    );
    let empty = world.post_csv(&admin(), "/api/imports?kind=accounts", "external_id,kind,name\n").await;
    empty.expect_problem(400, "invalid_file");
    world.prove().await;
}

#[tokio::test]
async fn a_row_below_an_account_here_and_one_that_names_an_account_here_are_in_its_tree() {
    let world = World::new().await;
    let agency = open(&world, "agency", "platform", "").await;
    let client = open(&world, "client", &agency, "").await;
    allocate(&world, "platform", &agency, "40").await;
    let gone = "acct_c00000000000000000000";
    let rows = format!(
        "{agency},agency,,The agency,40,,,,\n{client},client,{agency},The client,,,,,\n\
         m1,campaign,{client},New,7,,isolated,,\nm2,campaign,{gone},None,,,,,\n"
    );
    let done = import(&world, "", &rows).await;
    assert_eq!(codes(&world, &done).await, ["exists", "exists", "created", "parent_not_found"]);
    let found = accounts(&world, &done).await;
    assert_eq!((found[0].1.as_str(), found[1].1.as_str()), (agency.as_str(), client.as_str()));
    assert_eq!(account(&world, &found[2].1).await["available"], 7.0);
    let alone = import(&world, "", &format!("m1,campaign,{client},New,7,,isolated,,\n")).await;
    assert_eq!(accounts(&world, &alone).await[0].1, found[2].1, "its id follows from its parent");
    // An account here that the file puts elsewhere is not opened again; what is not here is no parent.
    let issued = account(&world, "platform").await["issued"].clone();
    let rows = format!(
        "a9,agency,,Other,,,,,\n{client},client,a9,The client,500,,,,\n{agency},client,a9,The agency,,,,,\n\
         c9,client,acct_a00000000000000000000,None,,,,,\nm9,campaign,c9,Below,3,,isolated,,\n\
         m8,campaign,{client},Below what is elsewhere,3,,isolated,,\n"
    );
    let mut expected = vec!["created", "exists_differently", "exists_differently"];
    expected.extend(["parent_not_found"; 3]);
    for query in ["&dry_run=true", ""] {
        assert_eq!(codes(&world, &import(&world, query, &rows).await).await, expected, "{query}");
    }
    assert_eq!(account(&world, "platform").await["issued"], issued);
    world.prove().await;
}

#[tokio::test]
async fn a_dry_run_of_accounts_says_what_a_parent_here_refuses() {
    let world = World::new().await;
    let agency = open(&world, "agency", "platform", "").await;
    let path = format!("/api/credit/accounts/{agency}");
    world.patch(&admin(), &path, r#"{"status":"closing"}"#).await.expect(200);
    let rows = format!("c1,client,{agency},Late,,,,,\n");
    let tried = codes(&world, &import(&world, "&dry_run=true", &rows).await).await;
    assert_eq!(codes(&world, &import(&world, "", &rows).await).await, tried);
    assert_ne!(tried, ["created"]);
    let rows: String = (0..1_001).map(|n| format!("a{n},agency,,Agency,,,,,\n")).collect();
    let refused = try_import(&world, "", &rows).await.expect_problem(400, "invalid_request");
    assert_eq!(refused.offending(), ["/lines/1002/parent_external_id"]);
    world.prove().await;
}

/// Credit that cannot arrive any more ends its row with a difference; what was handed down waits above.
#[tokio::test]
async fn a_row_whose_account_was_closed_before_its_credit_arrived_ends_with_a_difference() {
    let world = Arc::new(World::new().await);
    let agency = open(&world, "agency", "platform", "").await;
    let client = open(&world, "client", &agency, "").await;
    let rows =
        format!("m1,campaign,{client},Spring,20,,isolated,,\nm2,campaign,{client},Summer,5,,isolated,,\n");
    let made = try_import(&world, "", &rows).await.expect(202).text("/job_id");
    // Opened, and 20 handed to the agency; the outcome of the step to the client is unknown when the client is paused
    // and closed by somebody else, who also takes what the agency has.
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 2, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, Fault::Answer(500, json!({})));
    let (machine, event) = (world.clone(), step(&made, "apply", 0));
    let other = world.another_machine(world.clock.clone());
    world.faults.plan("BatchGetItem", 3, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("BatchGetItem", 1, Fault::Wait(arrived.clone(), go.clone()));
    let process = tokio::spawn(async move { run_steps(&machine, &event, "slow").await });
    arrived.notified().await;
    let taken = format!(r#"{{"account_id":"{agency}"}}"#);
    other.post(&admin(), "/api/credit/reclaim", &taken).await.expect(201);
    go.notify_one();
    assert_eq!(process.await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(standing(&world, &made).await, ("completed".into(), [2, 0, 0, 0]));
    let done = job(&world, &made).await;
    let reconciled = &done["reconciliation"];
    assert_eq!((&reconciled["agrees"], &reconciled["differences"][0]["line"]), (&json!(false), &json!(2)));
    let found = accounts(&world, &done).await;
    assert_eq!(account(&world, &found[0].1).await["available"], 0.0);
    assert_eq!(account(&world, &found[1].1).await["available"], 5.0);
    world.prove().await;
}

#[tokio::test]
async fn a_cancelled_import_of_accounts_cancels_what_comes_after_a_part_that_cannot_be_read() {
    let world = World::new().await;
    let rows: String = (0..1_060).map(|n| format!("a{},agency,,Agency,,,,,\n", n % 900)).collect();
    let id = upload(&world, "import_accounts", &format!("{HEADER}{rows}")).await;
    let body = format!(r#"{{"kind":"accounts","upload_id":"{id}","on_invalid":"skip"}}"#);
    let made = world.post(&admin(), "/api/imports", &body).await.expect(202).text("/job_id");
    run_steps(&world, &step(&made, "split", 0), "split").await;
    world.poison(&store::keys::part(&domain::ids::JobId::parse(&made).unwrap(), 0), "rows").await;
    work(&world).await;
    assert_eq!(standing(&world, &made).await.1, [0, 0, 0, 1_060], "rows after it wait");
    world.post(&admin(), &format!("/api/jobs/{made}/cancel"), "").await.expect(200);
    world.post(&admin(), &format!("/api/jobs/{made}/resume"), "").await.expect(200);
    work(&world).await;
    let (status, [_, failed, cancelled, pending]) = standing(&world, &made).await;
    assert_eq!((status.as_str(), failed + cancelled, pending), ("cancelling", 1_035, 25));
    world.prove().await;
}

#[tokio::test]
async fn a_row_that_is_applied_again_pauses_no_account_that_its_owners_have_changed() {
    let world = Arc::new(World::new().await);
    let made = try_import(&world, "", "a1,agency,,North,,,,,paused\na2,agency,,South,7,,,,\n").await;
    let made = made.expect(202).text("/job_id");
    // Opened a1, paused it, opened a2; then the process stops.
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 2, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, Fault::StopBefore(arrived.clone()));
    let (machine, event) = (world.clone(), step(&made, "apply", 0));
    let process = tokio::spawn(async move { run_steps(&machine, &event, "killed").await });
    tests::stopped(process, &arrived).await;
    world.faults.clear();
    let listed = world.get(&admin(), "/api/credit/accounts/platform/children").await.expect(200).json();
    let north = listed["children"].as_array().unwrap().iter().find(|child| child["name"] == "North").unwrap();
    let id = north["account_id"].as_str().unwrap().to_owned();
    assert_eq!(north["status"], "paused");
    let path = format!("/api/credit/accounts/{id}");
    world.patch(&admin(), &path, r#"{"status":"active"}"#).await.expect(200);
    world.clock.advance(Duration::from_secs(46));
    work(&world).await;
    assert_eq!(standing(&world, &made).await, ("completed".into(), [2, 0, 0, 0]));
    assert_eq!(account(&world, &id).await["status"], "active");
    world.prove().await;
}

#[tokio::test]
async fn the_accounts_of_an_export_are_the_same_after_their_import_elsewhere() {
    let world = World::new().await;
    import(&world, "", TREE).await;
    let export = async |world: &World| {
        let made = world.post(&admin(), "/api/exports", r#"{"kind":"accounts"}"#).await.expect(202);
        work(world).await;
        let path = format!("/api/jobs/{}", made.text("/job_id"));
        let done = world.get(&admin(), &path).await.expect(200).json();
        assert_eq!((&done["status"], done["files"].as_array().unwrap().len()), (&json!("completed"), 1));
        get_file(world, done["files"][0]["url"].as_str().unwrap()).await
    };
    let file = export(&world).await;
    assert_eq!(file.lines().count(), 5, "{file}");
    assert_eq!(format!("{}\n", file.lines().next().unwrap()), HEADER);
    let rows = file.strip_prefix(HEADER).unwrap();
    assert_eq!(codes(&world, &import(&world, "", rows).await).await, ["exists"; 4]);
    let other = World::new().await;
    let there = import(&other, "", rows).await;
    assert_eq!(
        (codes(&other, &there).await, &there["reconciliation"]["agrees"]),
        (vec!["created".to_owned(); 4], &json!(true))
    );
    // Beside the ids, which are those of the other platform, the files say the same.
    let names = |file: &str| -> Vec<String> {
        let names = file.lines().map(|line| line.split(',').skip(3).collect::<Vec<_>>().join(","));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(&export(&other).await), names(&file));
    let days = r#"{"kind":"accounts","from":"2026-01-01"}"#;
    world.post(&admin(), "/api/exports", days).await.expect_problem(400, "invalid_request");
    world.prove().await;
    other.prove().await;
}

/// Covers case 16.
#[tokio::test]
async fn an_import_of_accounts_that_is_killed_between_two_allocations_goes_on_by_their_causes() {
    let world = Arc::new(World::new().await);
    let made = try_import(&world, "", TREE).await.expect(202).text("/job_id");
    // Opened: platform, a1; 100 to a1; opened c1; 50.25 to a1; then the process stops.
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 3, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, Fault::StopAfter(arrived.clone()));
    let (machine, event) = (world.clone(), step(&made, "apply", 0));
    let process = tokio::spawn(async move { run_steps(&machine, &event, "killed").await });
    tests::stopped(process, &arrived).await;
    world.faults.clear();
    world.prove().await;
    world.clock.advance(Duration::from_secs(46));
    work(&world).await;
    assert_eq!(standing(&world, &made).await, ("completed".into(), [4, 0, 0, 0]));
    let done = job(&world, &made).await;
    assert_eq!(done["reconciliation"]["agrees"], true, "{done}");
    let found = accounts(&world, &done).await;
    for (at, credit) in [100.0, 50.25, 20.0].into_iter().enumerate() {
        assert_eq!(account(&world, &found[at].1).await["available"], credit, "{at}");
    }
    world.prove().await;
}

#[tokio::test]
async fn rows_of_later_segments_wait_for_those_before() {
    let world = World::new().await;
    let mut file = format!("{HEADER}a0,agency,,North,50,,,,\nc0,client,a0,Client,,,,,\n");
    for n in 0..1_000 {
        writeln!(file, "x{n},nothing,a0,Bad row,,,,,").unwrap();
    }
    file.push_str("m0,campaign,c0,Campaign,7,,isolated,,\n");
    let id = upload(&world, "import_accounts", &file).await;
    let body = format!(r#"{{"kind":"accounts","upload_id":"{id}","on_invalid":"skip"}}"#);
    let made = world.post(&admin(), "/api/imports", &body).await.expect(202).text("/job_id");
    let done = run_steps(&world, &step(&made, "split", 0), "split").await;
    assert_eq!(done, json!({"batchItemFailures": []}));
    let done = run_steps(&world, &step(&made, "apply", 1), "early").await;
    assert_eq!(done, json!({"batchItemFailures": []}));
    assert_eq!(standing(&world, &made).await.1, [0, 0, 0, 1_003], "nothing of it was begun");
    work(&world).await;
    assert_eq!(standing(&world, &made).await, ("completed_with_errors".into(), [3, 1_000, 0, 0]));
    assert_eq!(job(&world, &made).await["reconciliation"]["agrees"], true);
    world.prove().await;
}

#[tokio::test]
async fn what_was_spent_is_no_credit_of_an_exported_account() {
    let agency = tests::agency::Agency::new("100", 3).await;
    agency.provision("CODE-1").await.expect(201);
    let world = agency.world();
    let made = world.post(&admin(), "/api/exports", r#"{"kind":"accounts"}"#).await.expect(202);
    work(world).await;
    let path = format!("/api/jobs/{}", made.text("/job_id"));
    let done = world.get(&admin(), &path).await.expect(200).json();
    let file = get_file(world, done["files"][0]["url"].as_str().unwrap()).await;
    let line = file.lines().find(|line| line.starts_with(&agency.campaign)).unwrap();
    assert_eq!(line.split(',').nth(4), Some("75.00"), "{line}");
    let rows = file.strip_prefix(HEADER).unwrap();
    assert_eq!(codes(world, &import(world, "", rows).await).await, ["exists"; 3]);
    world.prove().await;
}

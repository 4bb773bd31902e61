//! Many concurrent requests on one budget, one pool or one code; the result is exact each time.

use futures::future::join_all;
use scrip::fakes::supply::Switch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tests::agency::{allocate, issuer};
use tests::{Agency, Answer, admin, patient};

async fn crowd(budget: &str, cards: usize, campaign: &str, brand: &str) -> Arc<Agency> {
    Arc::new(Agency::with(budget, cards, (campaign, brand), patient()).await)
}

/// Provisions all codes at once, each from its own task.
async fn at_once(agency: &Arc<Agency>, codes: impl IntoIterator<Item = String>) -> Vec<Answer> {
    let tasks = codes.into_iter().map(|code| {
        let agency = agency.clone();
        tokio::spawn(async move { agency.provision(&code).await })
    });
    let tasks: Vec<_> = tasks.collect();
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

fn by_status(answers: &[Answer]) -> BTreeMap<u16, usize> {
    answers.iter().fold(BTreeMap::new(), |mut counts, answer| {
        *counts.entry(answer.status).or_default() += 1;
        counts
    })
}

fn codes(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |n| format!("{prefix}-{n:04}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_callers_exactly_the_seventy_that_can_be_afforded_get_a_card_each() {
    for slices in [1, 8, 64] {
        let fields = format!(r#""budget_mode":"isolated","slices":{slices}"#);
        let agency = crowd("", 200, &fields, "").await;
        let world = agency.world();
        // Credit is allocated in parts, so that it is on several slices.
        for part in 0..7 {
            for (from, to) in [
                ("platform", &agency.agency),
                (agency.agency.as_str(), &agency.client),
                (agency.client.as_str(), &agency.campaign),
            ] {
                allocate(world, from, to, if part == 0 { "200" } else { "250" }).await;
            }
        }
        allocate(world, "platform", &agency.agency, "50").await;
        allocate(world, &agency.agency, &agency.client, "50").await;
        allocate(world, &agency.client, &agency.campaign, "50").await;
        let answers = at_once(&agency, codes("CODE", 200)).await;
        assert_eq!(by_status(&answers), BTreeMap::from([(201, 70), (402, 130)]), "{slices} slices");
        let sold: BTreeSet<String> =
            answers.iter().filter(|a| a.status == 201).map(|a| a.text("/card/card_code")).collect();
        assert_eq!(sold.len(), 70, "no card is issued twice");
        assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "0.00", "1750.00"]);
        assert_eq!(agency.account(&agency.campaign).await.text("/status"), "auto_paused");
        let alerts = world.get(&admin(), "/api/alerts?status=open").await.expect(200);
        assert!(alerts.body.contains("budget_depleted"));
        let audit = world.prove().await;
        assert_eq!(audit.budgets.cards, (200, 130, 70));
        // A repetition receives the first answer.
        let again = at_once(&agency, codes("CODE", 200)).await;
        for (first, second) in answers.iter().zip(&again).filter(|(first, _)| first.status == 201) {
            assert!(second.is_replay() && first.body == second.body);
        }
        world.prove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_for_one_code_result_in_one_card_and_all_receive_it() {
    let agency = crowd("1000", 50, r#""budget_mode":"isolated""#, "").await;
    let answers = at_once(&agency, std::iter::repeat_n("ONE-CODE".to_owned(), 100)).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 100)]));
    assert_eq!(answers.iter().map(|answer| &answer.body).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    agency
        .world()
        .app
        .store
        .budgets()
        .resolve(&id(&agency.campaign), agency.world().app.clock.now())
        .await
        .unwrap();
    assert_eq!(agency.figures(&agency.campaign).await, ["975.00", "0.00", "25.00"]);
    assert_eq!(agency.world().prove().await.budgets.cards, (50, 49, 1));
}

fn id(text: &str) -> domain::ids::budget::AccountId {
    domain::ids::budget::AccountId::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_cards_are_sold_once_and_the_others_go_to_the_supplier_or_get_their_credit_back() {
    let agency = crowd("1000", 3, r#""budget_mode":"isolated""#, "").await;
    let answers = at_once(&agency, codes("CODE", 20)).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 3), (409, 17)]));
    assert!(answers.iter().filter(|a| a.status == 409).all(|a| a.text("/code") == "out_of_stock"));
    assert_eq!(agency.figures(&agency.campaign).await, ["925.00", "0.00", "75.00"]);
    agency.world().prove().await;
    let supplied = r#""supplier":"reloadly","supplier_product_id":"4711""#;
    let agency = crowd("500", 3, r#""budget_mode":"isolated""#, supplied).await;
    let answers = at_once(&agency, codes("CODE", 25)).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 20), (402, 5)]), "{:?}", answers.last());
    let from =
        |source: &str| answers.iter().filter(|a| a.status == 201 && a.text("/source") == source).count();
    assert_eq!((from("csv"), from("api")), (3, 17));
    assert_eq!(agency.shop.fakes.issued("reloadly").len(), 17);
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "0.00", "500.00"]);
    agency.world().prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_and_what_is_spent_never_exceed_what_there_was() {
    for slices in [1, 4] {
        let fields = format!(r#""budget_mode":"isolated","slices":{slices}"#);
        let agency = crowd("1000", 60, &fields, "").await;
        let cut = |n: usize| {
            let (agency, body) =
                (agency.clone(), format!(r#"{{"account_id":"{}","amount":90}}"#, agency.campaign));
            tokio::spawn(async move {
                agency.world().post_keyed(&admin(), &format!("cut{n}"), "/api/credit/reclaim", &body).await
            })
        };
        let cuts: Vec<_> = (0..12).map(cut).collect();
        let answers = at_once(&agency, codes("CODE", 50)).await;
        let cuts: Vec<Answer> = join_all(cuts).await.into_iter().map(Result::unwrap).collect();
        let (spent, taken) = (by_status(&answers), by_status(&cuts));
        let spent = spent.get(&201).copied().unwrap_or(0) * 25;
        let taken = taken.get(&201).copied().unwrap_or(0) * 90;
        assert!(cuts.iter().all(|cut| matches!(cut.status, 201 | 402)), "{cuts:?}");
        let [available, reserved, shown] = agency.figures(&agency.campaign).await;
        assert_eq!((reserved, shown), ("0.00".to_owned(), format!("{spent}.00")));
        assert_eq!(available, format!("{}.00", 1000 - spent - taken));
        agency.world().prove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_is_acknowledged_nothing_more_is_issued_until_it_is_lifted() {
    for mode in ["isolated", "shared"] {
        let fields = format!(r#""budget_mode":"{mode}","slices":4"#);
        let agency = crowd("2500", 100, &fields, "").await;
        let world = agency.world();
        let machine = Arc::new(world.another_machine(world.clock.clone()));
        let path = format!("/api/credit/accounts/{}", agency.campaign);
        // The other machine has cached that the campaign is active.
        machine
            .post(&issuer(), "/api/gift-cards/provision", &agency.provision_body("WARM-1"))
            .await
            .expect(201);
        for round in 0..3 {
            let (prefix, someone) = (format!("R{round}"), admin());
            let running = at_once(&agency, codes(&prefix, 10));
            let pause = world.patch(&someone, &path, r#"{"status":"paused"}"#);
            let (running, paused) = tokio::join!(running, pause);
            paused.expect(200);
            assert!(running.iter().all(|a| matches!(a.status, 201 | 409)), "{running:?}");
            let spent = agency.figures(&agency.client).await;
            for who in [world, &*machine] {
                let provision = agency.provision_body(&format!("LATE-{round}"));
                who.post(&issuer(), "/api/gift-cards/provision", &provision)
                    .await
                    .expect_problem(409, "budget_paused");
            }
            assert_eq!(agency.figures(&agency.client).await, spent);
            world.patch(&admin(), &path, r#"{"status":"active"}"#).await.expect(200);
            for (n, who) in [world, &*machine].into_iter().enumerate() {
                let provision = agency.provision_body(&format!("AGAIN-{round}-{n}"));
                who.post(&issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
            }
        }
        world.prove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slices_are_added_while_credit_is_spent_and_stops_reach_them() {
    let agency = crowd("1000", 60, r#""budget_mode":"isolated""#, "").await;
    let path = format!("/api/credit/accounts/{}", agency.campaign);
    let running = at_once(&agency, codes("CODE", 30));
    let someone = admin();
    let raise = agency.world().patch(&someone, &path, r#"{"slices":16}"#);
    let (running, raised) = tokio::join!(running, raise);
    assert_eq!(raised.expect(200).field("/slices"), 16);
    assert_eq!(by_status(&running), BTreeMap::from([(201, 30)]));
    agency.world().patch(&admin(), &path, r#"{"slices":8}"#).await.expect_problem(409, "too_few_slices");
    agency.fund("100").await;
    let answers = at_once(&agency, codes("MORE", 15)).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 14), (402, 1)]));
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "0.00", "1100.00"]);
    agency.world().prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_a_supplier_stops_no_pool_and_all_its_orders_end_in_a_card_or_full_credit() {
    let supplied = r#""supplier":"tremendous","supplier_product_id":"PRODUCT1""#;
    let agency = crowd("2000", 0, r#""budget_mode":"isolated""#, supplied).await;
    agency.shop.fakes.supply("tremendous", Switch::Slow);
    let answers = at_once(&agency, codes("SLOW", 10)).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(202, 10)]));
    assert!(answers.iter().all(|a| a.field("/card").is_null() && a.text("/redemption/status") == "PENDING"));
    assert_eq!(agency.figures(&agency.campaign).await, ["1750.00", "250.00", "0.00"]);
    agency.stock("c", 5).await;
    let answers = at_once(&agency, codes("POOL", 5)).await;
    assert_eq!(by_status(&answers), BTreeMap::from([(201, 5)]));
    for _ in 0..3 {
        agency.world().clock.advance(Duration::from_secs(1_000));
        agency.shop.monitor().await;
    }
    assert_eq!(agency.figures(&agency.campaign).await, ["1625.00", "0.00", "375.00"]);
    let done = agency.provision("SLOW-0003").await.expect(201);
    assert!(done.is_replay() && done.text("/card/card_url").starts_with("https://reward.example.com/"));
    assert_eq!(agency.shop.fakes.issued("tremendous").len(), 10);
    agency.world().prove().await;
}

#[tokio::test]
async fn uneven_slices_are_evened_out_and_the_books_still_prove_each_of_them() {
    let agency = crowd("", 4, r#""budget_mode":"isolated","slices":8"#, "").await;
    agency.fund("800").await;
    let world = agency.world();
    agency.provision("CODE-1").await.expect(201);
    world.clock.advance(Duration::from_secs(400));
    agency.shop.monitor().await;
    let whole = world.app.store.budgets().load_sliced(&id(&agency.campaign)).await.unwrap().unwrap();
    let least = whole.slices().map(|slice| slice.available).min().unwrap();
    assert!(least.value() >= 24.into(), "each has at least a quarter of the mean: {least}");
    assert_eq!(agency.figures(&agency.campaign).await, ["775.00", "0.00", "25.00"]);
    let history =
        world.get(&admin(), &format!("/api/credit/accounts/{}/transactions", agency.campaign)).await;
    assert!(!history.expect(200).body.contains("REBALANCE"), "the history does not show rebalancing");
    world.prove().await;
}

//! Budgets: random account trees and operations against a naive model.

use domain::money::Money;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use tests::agency::{file, issuer, open};
use tests::{Agency, admin};

/// One operation; an account is named by its index among those that exist.
#[derive(Clone, Debug)]
enum Op {
    Open(usize, bool, u8),
    Allocate(usize, usize, i64),
    AllocateDown(usize, i64),
    Reclaim(usize, Option<i64>),
    Provision(usize, u8),
    Pause(usize),
    Resume(usize),
    Close(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let at = 0..30_usize;
    prop_oneof![
        3 => (at.clone(), any::<bool>(), 1..4_u8).prop_map(|(at, isolated, slices)| Op::Open(at, isolated, slices)),
        1 => (at.clone(), at.clone(), 1..400_i64).prop_map(|(from, to, amount)| Op::Allocate(from, to, amount)),
        6 => (at.clone(), 1..300_i64).prop_map(|(to, amount)| Op::AllocateDown(to, amount)),
        2 => (at.clone(), prop::option::of(1..200_i64)).prop_map(|(at, amount)| Op::Reclaim(at, amount)),
        6 => (at.clone(), 0..40_u8).prop_map(|(at, code)| Op::Provision(at, code)),
        1 => at.clone().prop_map(Op::Pause),
        1 => at.clone().prop_map(Op::Resume),
        1 => at.prop_map(Op::Close),
    ]
}

/// A minimal model of an account.
#[derive(Clone, Debug)]
struct Plain {
    id: String,
    kind: usize,
    parent: usize,
    isolated: bool,
    status: &'static str,
    available: i64,
    spent: i64,
}

struct Model {
    accounts: Vec<Plain>,
    codes: BTreeMap<(usize, u8), bool>,
}

const KINDS: [&str; 4] = ["platform", "agency", "client", "campaign"];

impl Model {
    fn open(&self, at: usize) -> bool {
        matches!(self.accounts[at].status, "active" | "paused")
    }

    fn shared(&self, at: usize) -> bool {
        self.accounts[at].kind == 3 && !self.accounts[at].isolated
    }

    /// Returns the expected status of an allocation, and applies it if the status is 201.
    fn allocate(&mut self, from: usize, to: usize, amount: i64) -> u16 {
        if to == 0 || from == to || self.accounts[to].parent != from || self.shared(to) {
            return 400;
        }
        if self.accounts[from].status != "active" || !self.open(to) {
            return 409;
        }
        if from != 0 && self.accounts[from].available < amount {
            return 402;
        }
        self.accounts[from].available -= amount;
        self.accounts[to].available += amount;
        201
    }

    fn reclaim(&mut self, at: usize, amount: Option<i64>) -> u16 {
        if !self.open(at) {
            return 409;
        }
        let (parent, there) = (self.accounts[at].parent, self.accounts[at].available);
        let amount = amount.unwrap_or(there);
        if amount == 0 || amount > there {
            return 402;
        }
        self.accounts[at].available -= amount;
        self.accounts[parent].available += amount;
        201
    }

    fn provision(&mut self, at: usize, code: u8) -> u16 {
        if self.codes.contains_key(&(at, code)) {
            return 201;
        }
        let charged = if self.shared(at) { self.accounts[at].parent } else { at };
        if self.accounts[at].status != "active" || self.accounts[charged].status != "active" {
            return 409;
        }
        if self.accounts[charged].available < 25 {
            return 402;
        }
        self.accounts[charged].available -= 25;
        self.accounts[charged].spent += 25;
        if charged != at {
            self.accounts[at].spent += 25;
        }
        self.codes.insert((at, code), true);
        201
    }

    fn state(&mut self, at: usize, to: &'static str) -> u16 {
        if self.accounts[at].status == to {
            return 200;
        }
        if at == 0 || !self.open(at) {
            return 409;
        }
        self.accounts[at].status = to;
        200
    }

    fn close(&mut self, at: usize) -> u16 {
        if self.accounts[at].status == "closed" {
            return 200;
        }
        let below = |other: &Plain| other.parent == at && other.status != "closed";
        if at == 0 || !self.open(at) || self.accounts.iter().skip(1).any(below) {
            return 409;
        }
        let (parent, there) = (self.accounts[at].parent, self.accounts[at].available);
        self.accounts[at].available = 0;
        self.accounts[parent].available += there;
        self.accounts[at].status = "closed";
        200
    }
}

async fn play(ops: Vec<Op>) {
    let base = Agency::new("", 0).await;
    let world = base.world();
    let path = format!("/api/gift-cards/pools/{}/cards", base.pool);
    world.post_csv(&admin(), &path, &file("c", 100)).await.expect(200);
    let platform = Plain {
        id: "platform".into(),
        kind: 0,
        parent: 0,
        isolated: false,
        status: "active",
        available: 0,
        spent: 0,
    };
    let mut model = Model { accounts: vec![platform], codes: BTreeMap::new() };
    for op in ops {
        let count = model.accounts.len();
        match op {
            Op::Open(parent, isolated, slices) => {
                let parent = parent % count;
                let kind = model.accounts[parent].kind + 1;
                if kind > 3 || !model.open(parent) {
                    continue;
                }
                let mode = if kind == 3 && isolated { r#","budget_mode":"isolated""# } else { "" };
                let more = format!(r#""slices":{slices}{mode}"#);
                let id = open(world, KINDS[kind], &model.accounts[parent].id, &more).await;
                model.accounts.push(Plain {
                    id,
                    kind,
                    parent,
                    isolated,
                    status: "active",
                    available: 0,
                    spent: 0,
                });
            }
            Op::Allocate(from, to, amount) => {
                allocate(&base, &mut model, (from % count, to % count, amount)).await
            }
            Op::AllocateDown(to, amount) => {
                let to = to % count;
                let from = model.accounts[to].parent;
                allocate(&base, &mut model, (from, to, amount)).await;
            }
            Op::Reclaim(at, amount) => {
                let at = at % count;
                if at == 0 {
                    continue;
                }
                let said = amount.map_or(String::new(), |amount| format!(r#","amount":{amount}"#));
                let body = format!(r#"{{"account_id":"{}"{said}}}"#, model.accounts[at].id);
                let answer = world.post(&admin(), "/api/credit/reclaim", &body).await;
                assert_eq!(answer.status, model.reclaim(at, amount), "{}", answer.body);
            }
            Op::Provision(at, code) => {
                let at = at % count;
                if model.accounts[at].kind != 3 {
                    continue;
                }
                let provision = base
                    .provision_body(&format!("CODE-{code}"))
                    .replace(&base.campaign, &model.accounts[at].id);
                let answer = world.post(&issuer(), "/api/gift-cards/provision", &provision).await;
                assert_eq!(answer.status, model.provision(at, code), "{}", answer.body);
            }
            Op::Pause(at) => state(&base, &mut model, at % count, "paused").await,
            Op::Resume(at) => state(&base, &mut model, at % count, "active").await,
            Op::Close(at) => state(&base, &mut model, at % count, "closing").await,
        }
    }
    compare(&base, &model).await;
}

async fn allocate(base: &Agency, model: &mut Model, (from, to, amount): (usize, usize, i64)) {
    let (a, b) = (&model.accounts[from].id, &model.accounts[to].id);
    let body = format!(r#"{{"from_account_id":"{a}","to_account_id":"{b}","amount":{amount}}}"#);
    let answer = base.world().post(&admin(), "/api/credit/allocate", &body).await;
    assert_eq!(answer.status, model.allocate(from, to, amount), "{body} {}", answer.body);
}

async fn state(base: &Agency, model: &mut Model, at: usize, to: &'static str) {
    let path = format!("/api/credit/accounts/{}", model.accounts[at].id);
    let answer = base.world().patch(&admin(), &path, &format!(r#"{{"status":"{to}"}}"#)).await;
    let expected = if to == "closing" { model.close(at) } else { model.state(at, to) };
    assert_eq!(answer.status, expected, "{to} {}", answer.body);
}

/// Compares every account with the model. What the platform has issued is the sum of everything below it.
async fn compare(base: &Agency, model: &Model) {
    let (mut below, mut issued) = (0, String::new());
    for (at, plain) in model.accounts.iter().enumerate() {
        let shown = base.account(&plain.id).await;
        assert_eq!(shown.raw("reserved"), "0.00");
        if at == 0 {
            issued = shown.raw("issued");
            continue;
        }
        let shared = model.shared(at);
        let available = if shared { model.accounts[plain.parent].available } else { plain.available };
        assert_eq!(shown.raw("available"), format!("{available}.00"), "{plain:?}");
        assert_eq!(shown.raw("spent"), format!("{}.00", plain.spent), "{plain:?}");
        if !shared {
            below += plain.available + plain.spent;
        }
    }
    assert_eq!(issued, format!("{below}.00"));
    assert_eq!(format!("{}", -model.accounts[0].available), format!("{below}"));
    let audit = base.world().prove().await;
    assert_eq!(audit.budgets.issued, Money::try_new(Decimal::from(below)).unwrap());
    let sold = u64::try_from(model.codes.len()).unwrap();
    assert_eq!(audit.budgets.cards, (100, 100 - sold, sold));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_and_operations_conserve_credit_at_every_level(ops in prop::collection::vec(op(), 20..60)) {
        tokio::runtime::Runtime::new().unwrap().block_on(play(ops));
    }
}

//! Budgets: random account trees and operations against a naive model, and the reservation of credit step by
//! step.

use domain::budget::spend::{SliceView, Spend, SpendStep};
use domain::cause::Cause;
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

fn money(units: u64) -> Money {
    Money::try_new(Decimal::from(units)).unwrap()
}

fn units(amount: Money) -> u64 {
    u64::try_from(amount.value()).unwrap()
}

/// A spend, with the amount that it reserves.
struct RunningSpend {
    provision: u64,
    cause: Cause,
    spend: Spend,
}

/// Slices without a table, and the spends that reserve from them.
struct Counter {
    available: Vec<u64>,
    running: Vec<RunningSpend>,
    spent: u64,
}

impl Counter {
    fn new(slices: &[u64], wishes: &[u64]) -> Self {
        let count = u8::try_from(slices.len()).unwrap();
        let running = wishes.iter().enumerate().map(|(n, provision)| {
            let cause = Cause::stored(format!("redemption:{n}"));
            RunningSpend { provision: *provision, spend: Spend::new(money(*provision), &cause, count), cause }
        });
        Self { available: slices.to_vec(), running: running.collect(), spent: 0 }
    }

    fn held(&self) -> u64 {
        self.running.iter().flat_map(|w| w.spend.held().values()).map(|m| units(*m)).sum()
    }

    /// Returns what the other spends hold of each slice.
    fn held_by_others(&self, at: usize) -> Vec<u64> {
        let others = || self.running.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, w)| w);
        let of = |slice: usize| {
            let slice = u8::try_from(slice).unwrap();
            others().filter_map(|w| w.spend.held().get(&slice)).map(|m| units(*m)).sum()
        };
        (0..self.available.len()).map(of).collect()
    }

    fn seen(&self, undecided: &[u64]) -> Vec<SliceView> {
        let each = self.available.iter().zip(undecided).enumerate();
        each.map(|(n, (available, undecided))| SliceView {
            slice: u8::try_from(n).unwrap(),
            available: money(*available),
            undecided: money(*undecided),
            full: false,
        })
        .collect()
    }

    fn give_back(&mut self, at: usize) {
        for (slice, amount) in self.running[at].spend.take_held() {
            self.available[usize::from(slice)] += units(amount);
        }
    }

    /// Takes one step of a spend; a spend that has ended is removed.
    fn turn(&mut self, at: usize) -> Result<(), TestCaseError> {
        let undecided = self.held_by_others(at);
        let provision = self.running[at].provision;
        match self.running[at].spend.next().clone() {
            SpendStep::Reserve { slice, amount } => {
                let there = &mut self.available[usize::from(slice)];
                if *there >= units(amount) {
                    *there -= units(amount);
                    self.running[at].spend.reserved(slice, amount);
                } else {
                    self.running[at].spend.refused();
                }
            }
            SpendStep::Survey => {
                let seen = self.seen(&undecided);
                self.running[at].spend.surveyed(&seen);
            }
            SpendStep::Covered => {
                let held: Money = self.running[at].spend.held().values().copied().sum();
                prop_assert_eq!(held, money(provision));
                self.spent += provision;
                self.running.remove(at);
            }
            SpendStep::Wait => {
                self.give_back(at);
                let count = u8::try_from(self.available.len()).unwrap();
                let running_spend = &mut self.running[at];
                running_spend.spend = Spend::new(money(provision), &running_spend.cause, count);
            }
            SpendStep::Short { .. } => {
                self.give_back(at);
                // What the other spends held would not have sufficed either.
                let reach = self.available.iter().sum::<u64>() + undecided.iter().sum::<u64>();
                prop_assert!(reach < provision, "{} < {}", reach, provision);
                self.running.remove(at);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn credit_is_set_aside_whole_or_not_at_all_and_refused_only_when_all_slices_are_short(
        slices in prop::collection::vec(0..60_u64, 1..9),
        wishes in prop::collection::vec(1..80_u64, 1..6),
        turns in prop::collection::vec(0..6_usize, 0..200),
    ) {
        let total: u64 = slices.iter().sum();
        let mut counter = Counter::new(&slices, &wishes);
        // First turns at random, then every spend in turn until all have ended.
        for turn in turns.into_iter().chain((0..4_000).map(|n| n % 6)) {
            if counter.running.is_empty() {
                break;
            }
            counter.turn(turn % counter.running.len())?;
            prop_assert_eq!(counter.available.iter().sum::<u64>() + counter.held() + counter.spent, total);
        }
        prop_assert!(counter.running.is_empty(), "every spend ends");
    }
}

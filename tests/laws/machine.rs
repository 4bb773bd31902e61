//! Random operations under a moving clock: the decisions against a naive model, operation by operation, on
//! wallets and on points, which share the ledger.

mod on_points;

use domain::actor::{Actor, Role};
use domain::cause::{Cause, Operation};
use domain::context::Context;
use domain::currency::Currency;
use domain::ids::{AccountKind, AccountRef, CustomerId, HoldId, IdempotencyKey, OrderId, RequestId};
use domain::ledger::account::AccountStatus;
use domain::ledger::entry::Entry;
use domain::ledger::lot::CreditSource;
use domain::money::{Amount, Money};
use domain::policy::Policy;
use domain::rejection::Rejection;
use domain::text::{FreeText, Metadata};
use domain::time::{Date, Timestamp};
use domain::wallet::create::CreateWallet;
use domain::wallet::credit::{AddCredits, Expiry};
use domain::wallet::debit::DeductCredits;
use domain::wallet::holds::{CaptureHold, PlaceHold, ReleaseHold};
use domain::wallet::refund::RefundOrder;
use domain::wallet::settle::Settle;
use domain::wallet::status::SetStatus;
use domain::wallet::transfer::TransferCredits;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::sync::Arc;
use tests::memory::{AnyCommand, Memory};
use tests::model::{Model, NEVER, Naive};

const WALLETS: usize = 3;

#[derive(Clone, Debug)]
enum Op {
    Create(usize),
    Credit { wallet: usize, paise: i64, source: u8, days: Option<u32> },
    Debit { wallet: usize, paise: i64, order: Option<u8>, keyed: bool },
    Refund { wallet: usize, paise: i64, order: u8 },
    Hold { wallet: usize, paise: i64, minutes: u32 },
    Capture { hold: prop::sample::Index, paise: Option<i64>, is_final: bool },
    Release(prop::sample::Index),
    Transfer { from: usize, to: usize, paise: i64 },
    AccountStatus { wallet: usize, status: u8 },
    Wait { minutes: i64 },
    Settle(usize),
    Again(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let (wallet, order) = (0..WALLETS, 0..4_u8);
    let paise = prop_oneof![1..5_000_i64, 1..400_000_i64];
    let index = any::<prop::sample::Index>();
    prop_oneof![
        2 => wallet.clone().prop_map(Op::Create),
        8 => (wallet.clone(), paise.clone(), 0..6_u8, prop::option::weighted(0.8, 1..40_u32))
            .prop_map(|(wallet, paise, source, days)| Op::Credit { wallet, paise, source, days }),
        6 => (wallet.clone(), paise.clone(), prop::option::of(order.clone()), any::<bool>())
            .prop_map(|(wallet, paise, order, keyed)| Op::Debit { wallet, paise, order, keyed }),
        4 => (wallet.clone(), paise.clone(), order)
            .prop_map(|(wallet, paise, order)| Op::Refund { wallet, paise, order }),
        5 => (wallet.clone(), paise.clone(), 1..44_640_u32)
            .prop_map(|(wallet, paise, minutes)| Op::Hold { wallet, paise, minutes }),
        4 => (index.clone(), prop::option::of(paise.clone()), any::<bool>())
            .prop_map(|(hold, paise, is_final)| Op::Capture { hold, paise, is_final }),
        2 => index.clone().prop_map(Op::Release),
        3 => (wallet.clone(), wallet.clone(), paise).prop_map(|(from, to, paise)| Op::Transfer { from, to, paise }),
        1 => (wallet.clone(), 0..3_u8).prop_map(|(wallet, status)| Op::AccountStatus { wallet, status }),
        1 => (wallet.clone(), Just(0_u8)).prop_map(|(wallet, status)| Op::AccountStatus { wallet, status }),
        6 => prop_oneof![1..120_i64, 1_000..20_000_i64].prop_map(|minutes| Op::Wait { minutes }),
        1 => wallet.prop_map(Op::Settle),
        3 => index.prop_map(Op::Again),
    ]
}

/// A command, and the model's verdict on it.
type Move = (Box<dyn AnyCommand>, Result<(), &'static str>);

struct Machine {
    memory: Memory,
    model: Model,
    policy: Arc<Policy>,
    holds: Vec<HoldId>,
    done: Vec<(Box<dyn AnyCommand>, Entry)>,
    step: u64,
    kind: AccountKind,
}

fn customer(wallet: usize) -> CustomerId {
    CustomerId::parse(&format!("c:{wallet}")).unwrap()
}

fn amount(paise: i64) -> Amount {
    Amount::parse(&Decimal::new(paise, 2).to_string()).unwrap()
}

fn day(date: Option<Date>) -> i64 {
    date.map_or(NEVER, |date| date.signed_duration_since(Date::default()).num_days())
}

/// Returns the paise of a wallet, or the points of a points account.
fn count(kind: AccountKind, quantity: Money) -> i64 {
    let per_unit = match kind {
        AccountKind::Wallet => Decimal::ONE_HUNDRED,
        AccountKind::Points => Decimal::ONE,
    };
    (quantity.value() * per_unit).try_into().unwrap()
}

/// Returns the lot class as the model numbers it.
fn class(source: CreditSource) -> u8 {
    match source {
        CreditSource::Referral | CreditSource::Promotion | CreditSource::Loyalty => 0,
        CreditSource::Refund => 1,
        CreditSource::Purchase | CreditSource::Manual | CreditSource::Topup => 2,
    }
}

/// Returns the name of the variant, as the model spells it.
fn name(rejection: &Rejection) -> String {
    format!("{rejection:?}").split([' ', '(', '{']).next().unwrap().to_owned()
}

impl Machine {
    fn new(kind: AccountKind) -> Self {
        let start = Timestamp::parse("2026-01-15T10:00:00Z").unwrap();
        let model =
            Model { wallets: vec![None::<Naive>; WALLETS], now: start.millis() / 60_000, ..Model::default() };
        let policy = Arc::new(Policy::standard(Currency::parse("INR").unwrap()).unwrap());
        Self { memory: Memory::default(), model, policy, holds: vec![], done: vec![], step: 0, kind }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.model.now * 60_000).unwrap()
    }

    fn context(&self) -> Context {
        let actor = Actor { role: Role::Admin, ..Actor::system("a") };
        Context {
            now: self.now(),
            actor,
            request: RequestId::new(format!("r{}", self.step)),
            policy: self.policy.clone(),
        }
    }

    fn cause(&self, operation: Operation, keyed: bool) -> Cause {
        let key = IdempotencyKey::parse(&format!("k{}", self.step)).unwrap();
        Cause::of_request(operation, keyed.then_some(&key), &RequestId::new(format!("r{}", self.step)))
    }

    /// Returns the command of an operation, and the model's verdict on it.
    fn apply(&mut self, op: &Op) -> Option<Move> {
        let keyed = |operation| self.cause(operation, true);
        Some(match op.clone() {
            Op::Create(wallet) => {
                let command = CreateWallet {
                    customer: customer(wallet),
                    initial_balance: None,
                    currency: self.policy.currency(),
                    metadata: Metadata::default(),
                    cause: keyed(Operation::Create),
                };
                (Box::new(command), self.model.create(wallet))
            }
            Op::Credit { wallet, paise, source, days } => {
                let source = CreditSource::ALL[usize::from(source)];
                let command = AddCredits {
                    customer: customer(wallet),
                    amount: amount(paise),
                    reason: None,
                    source,
                    expiry: days.map_or(Expiry::ByTier, Expiry::Days),
                    order_id: None,
                    metadata: Metadata::default(),
                    cause: keyed(Operation::AddCredits),
                    currency: None,
                };
                (Box::new(command), self.model.credit(wallet, paise, class(source), days.map(i64::from)))
            }
            Op::Debit { wallet, paise, order, keyed } => {
                let command = DeductCredits {
                    customer: customer(wallet),
                    amount: amount(paise),
                    reason: None,
                    order_id: order.map(|id| OrderId::parse(&format!("o{id}")).unwrap()),
                    cause: self.cause(Operation::DeductCredits, keyed),
                };
                (Box::new(command), self.model.debit(wallet, paise, order, keyed))
            }
            Op::Refund { wallet, paise, order } => {
                let command = RefundOrder {
                    customer: customer(wallet),
                    amount: amount(paise),
                    order_id: OrderId::parse(&format!("o{order}")).unwrap(),
                    reason: None,
                    cause: keyed(Operation::Refund),
                };
                (Box::new(command), self.model.refund(wallet, paise, order))
            }
            Op::Hold { .. } | Op::Capture { .. } | Op::Release(_) => return self.apply_to_hold(op),
            Op::Transfer { from, to, paise } => {
                let command = TransferCredits {
                    from: customer(from),
                    to: customer(to),
                    amount: amount(paise),
                    reason: None,
                    cause: keyed(Operation::Transfer),
                };
                (Box::new(command), self.model.transfer(from, to, paise))
            }
            Op::AccountStatus { wallet, status } => {
                let command = SetStatus {
                    customer: customer(wallet),
                    status: [AccountStatus::Active, AccountStatus::Frozen, AccountStatus::Suspended]
                        [usize::from(status)],
                    reason: FreeText::parse("because").unwrap(),
                };
                (Box::new(command), self.model.set_status(wallet, status))
            }
            Op::Settle(wallet) => {
                let verdict =
                    if self.model.wallets[wallet].is_some() { Ok(()) } else { Err("WalletNotFound") };
                (Box::new(Settle { customer: customer(wallet) }), verdict)
            }
            Op::Wait { .. } | Op::Again(_) => return None,
        })
    }

    fn apply_to_hold(&mut self, op: &Op) -> Option<Move> {
        let keyed = |operation| self.cause(operation, true);
        Some(match op.clone() {
            Op::Hold { wallet, paise, minutes } => {
                let cause = keyed(Operation::Hold);
                let command = PlaceHold {
                    customer: customer(wallet),
                    amount: amount(paise),
                    reason: None,
                    order_id: None,
                    ttl_seconds: minutes * 60,
                    cause: cause.clone(),
                };
                let verdict = self.model.hold(wallet, paise, i64::from(minutes));
                if verdict.is_ok() {
                    self.holds.push(HoldId::mint(&AccountRef::wallet(&customer(wallet)), &cause));
                }
                (Box::new(command), verdict)
            }
            Op::Capture { hold, paise, is_final } => {
                let at = (!self.holds.is_empty()).then(|| hold.index(self.holds.len()))?;
                let cause = keyed(Operation::Capture);
                let hold = self.holds[at].clone();
                let command = CaptureHold { hold, amount: paise.map(amount), is_final, cause };
                (Box::new(command), self.model.capture(at, paise, is_final))
            }
            Op::Release(hold) => {
                let at = (!self.holds.is_empty()).then(|| hold.index(self.holds.len()))?;
                let command = ReleaseHold { hold: self.holds[at].clone(), cause: keyed(Operation::Release) };
                (Box::new(command), self.model.release(at))
            }
            _ => unreachable!(),
        })
    }

    fn play(&mut self, op: &Op) {
        self.step += 1;
        match op {
            Op::Wait { minutes } => self.model.tick(*minutes),
            Op::Again(index) if !self.done.is_empty() => {
                // A replay takes precedence over every rule, whatever has happened since.
                let (command, outcome) = &self.done[index.index(self.done.len())];
                let context = self.context();
                let again = command.run(&mut self.memory, &context);
                assert_eq!(again, Ok((Some(outcome.clone()), true)), "a replay is answered differently");
            }
            op => {
                let applied = match self.kind {
                    AccountKind::Wallet => self.apply(op),
                    AccountKind::Points => self.apply_to_points(op),
                };
                if let Some((command, verdict)) = applied {
                    let context = self.context();
                    let outcome = command.run(&mut self.memory, &context);
                    let found = outcome.as_ref().map(|_| ()).map_err(name);
                    assert_eq!(found, verdict.map_err(str::to_owned), "{op:?}");
                    if let Ok((Some(entry), _)) = outcome {
                        self.done.push((command, entry));
                    }
                }
            }
        }
        self.compare();
    }

    fn compare(&self) {
        for wallet in (0..WALLETS).filter(|wallet| self.model.wallets[*wallet].is_some()) {
            let id = AccountRef { kind: self.kind, id: customer(wallet) };
            let account = self.memory.settled(&id, self.now()).unwrap();
            let paise = |quantity| count(self.kind, quantity);
            assert_eq!(paise(account.available()), self.model.available(wallet), "available");
            assert_eq!(paise(account.held()), self.model.held(wallet), "held");
            let class = |lot: &domain::ledger::lot::Lot| lot.class as u8;
            let lots: Vec<_> =
                account.lots.iter().map(|lot| (day(lot.expires_on), class(lot), paise(lot.amount))).collect();
            assert_eq!(lots, self.model.lots(wallet), "lots");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decisions_agree_with_a_naive_model_and_prove_themselves(ops in prop::collection::vec(op(), 1..90)) {
        run(AccountKind::Wallet, &ops);
    }

    #[test]
    fn points_obey_the_laws_of_wallets_on_the_same_ledger(ops in prop::collection::vec(op(), 1..90)) {
        run(AccountKind::Points, &ops);
    }
}

fn run(kind: AccountKind, ops: &[Op]) {
    let mut machine = Machine::new(kind);
    for wallet in 0..2 {
        machine.play(&Op::Create(wallet));
    }
    for op in ops {
        machine.play(op);
    }
    machine.memory.prove();
    // Settling must not change the balances that the books prove.
    for wallet in 0..WALLETS {
        machine.play(&Op::Settle(wallet));
    }
    machine.memory.prove();
}

//! Transfers between wallets: what each side's entry says, and what an owner learns of the other side.

use domain::actor::{Actor, Role};
use domain::cause::Cause;
use domain::context::Context;
use domain::currency::Currency;
use domain::ids::{AccountRef, CustomerId, RequestId};
use domain::ledger::account::AccountStatus;
use domain::ledger::command::Command;
use domain::ledger::decision::{Decision, NoDecision};
use domain::ledger::entry::{Entry, EntryType};
use domain::ledger::lot::CreditSource;
use domain::money::{Amount, Money};
use domain::policy::Policy;
use domain::rejection::Rejection;
use domain::text::{FreeText, Metadata};
use domain::time::{Timestamp, plus_days};
use domain::wallet::create::CreateWallet;
use domain::wallet::credit::{AddCredits, Expiry};
use domain::wallet::state::WalletState;
use domain::wallet::status::SetStatus;
use domain::wallet::transfer::TransferCredits;
use rust_decimal::Decimal;
use std::sync::Arc;
use tests::memory::{InMemory, Memory};

const START: &str = "2026-01-15T10:00:00Z";

fn context(role: Role, at: &str) -> Context {
    let policy = Arc::new(Policy::standard(Currency::parse("INR").unwrap()).unwrap());
    let (now, request) = (Timestamp::parse(at).unwrap(), RequestId::new("r"));
    Context { now, actor: Actor { role, ..Actor::system("a") }, request, policy }
}

fn customer(id: &str) -> CustomerId {
    CustomerId::parse(id).unwrap()
}

fn money(units: i64) -> Money {
    Money::try_new(Decimal::from(units)).unwrap()
}

/// Opens the wallets of a and b, each with 100.
fn wallets() -> Memory {
    let mut memory = Memory::default();
    for id in ["a", "b"] {
        let create = CreateWallet {
            customer: customer(id),
            initial_balance: Some(Amount::parse("100").unwrap()),
            currency: Currency::parse("INR").unwrap(),
            metadata: Metadata::default(),
            cause: Cause::stored(format!("create:{id}")),
        };
        memory.execute(&create, &context(Role::Admin, START)).unwrap();
    }
    memory
}

fn transfer(to: &str, units: u32) -> TransferCredits {
    TransferCredits {
        from: customer("a"),
        to: customer(to),
        amount: Amount::parse(&units.to_string()).unwrap(),
        reason: None,
        cause: Cause::stored("key:transfer:secret"),
    }
}

#[test]
fn each_sides_entry_names_the_other_and_the_recipients_nothing_of_the_senders_key() {
    let mut memory = wallets();
    let (out, _) = memory.execute(&transfer("b", 30), &context(Role::Customer, START)).unwrap();
    let arrival = memory.entries.values().find(|entry| entry.kind == EntryType::TransferIn).unwrap().clone();
    let other = out.after.counterpart.clone().unwrap();
    assert_eq!(other.account, AccountRef::wallet(&customer("b")));
    assert_eq!((other.seq, other.balance_after, other.cause), (2, money(130), arrival.cause.clone()));
    assert_eq!((out.seq, out.balance_after, out.amount), (2, money(70), money(30)));
    assert_eq!((arrival.seq, arrival.balance_after, arrival.amount), (2, money(130), money(30)));
    assert_eq!(arrival.cause.as_str(), format!("transfer:{}", out.id()));
    assert!(arrival.fingerprint.is_none() && arrival.after.counterpart.is_none());
    assert_eq!((&arrival.lots, arrival.at), (&out.lots, out.at));
    memory.prove();
}

#[test]
fn an_owner_learns_the_same_of_every_recipient_that_cannot_receive_and_staff_learn_why() {
    let mut memory = wallets();
    let suspend = SetStatus {
        customer: customer("b"),
        status: AccountStatus::Suspended,
        reason: FreeText::parse("r").unwrap(),
    };
    memory.execute(&suspend, &context(Role::Admin, START)).unwrap();
    let foreign = CreateWallet {
        customer: customer("foreign"),
        initial_balance: None,
        currency: Currency::parse("USD").unwrap(),
        metadata: Metadata::default(),
        cause: Cause::stored("create:foreign"),
    };
    memory.execute(&foreign, &context(Role::Admin, START)).unwrap();
    for (to, why) in [
        ("b", Rejection::AccountSuspended(customer("b"))),
        ("foreign", Rejection::CurrencyMismatch),
        ("nobody", Rejection::WalletNotFound(customer("nobody"))),
    ] {
        for role in [Role::Staff, Role::Admin] {
            assert_eq!(memory.execute(&transfer(to, 1), &context(role, START)).unwrap_err(), why);
        }
        let owner = context(Role::Customer, START);
        let unknown = Rejection::WalletNotFound(customer(to));
        assert_eq!(memory.execute(&transfer(to, 1), &owner).unwrap_err(), unknown);
        // The sender's own funds come first.
        let short = memory.execute(&transfer(to, 101), &owner).unwrap_err();
        assert!(matches!(short, Rejection::InsufficientFunds { .. }), "{short:?}");
    }
    let own = memory.execute(&transfer("a", 1), &context(Role::Customer, START)).unwrap_err();
    assert_eq!(own, Rejection::SelfTransfer);
    let short = memory.execute(&transfer("a", 101), &context(Role::Customer, START)).unwrap_err();
    assert!(matches!(short, Rejection::InsufficientFunds { .. }));
    memory.prove();
}

/// Adds lots of 1 to a wallet, each with a date of its own, the first tomorrow.
fn add_lots(memory: &mut Memory, id: &str, count: u32, at: &str) {
    let context = context(Role::Admin, at);
    for day in 1..=count {
        let add = AddCredits {
            customer: customer(id),
            amount: Amount::parse("1").unwrap(),
            reason: None,
            source: CreditSource::Promotion,
            expiry: Expiry::On(plus_days(context.now.date(), day).unwrap()),
            order_id: None,
            metadata: Metadata::default(),
            cause: Cause::stored(format!("add:{id}:{day}")),
            currency: None,
        };
        memory.execute(&add, &context).unwrap();
    }
}

#[test]
fn both_sides_are_dated_at_the_later_of_the_clock_and_their_last_changes() {
    for (id, later) in [("a", "2026-01-15T10:04:00Z"), ("b", "2026-01-15T10:03:00Z")] {
        let mut memory = wallets();
        add_lots(&mut memory, id, 1, later);
        let (out, _) = memory.execute(&transfer("b", 30), &context(Role::Customer, START)).unwrap();
        let arrival = memory.entries.values().find(|entry| entry.kind == EntryType::TransferIn).unwrap();
        assert_eq!((out.at, arrival.at), (Timestamp::parse(later).unwrap(), out.at));
    }
}

#[test]
fn what_is_due_is_written_first_if_either_side_has_more_than_ten_of_it() {
    for (id, count, first) in [("a", 10, false), ("a", 11, true), ("b", 10, false), ("b", 11, true)] {
        let mut memory = wallets();
        add_lots(&mut memory, id, count, START);
        let late = context(Role::Customer, "2026-06-01T00:00:00Z");
        let transfer = transfer("b", 30);
        let state = WalletState::read(&memory, &transfer.needs());
        match transfer.decide(&state, &late) {
            Ok(Decision::Commit { .. }) => assert!(!first, "{id} {count}"),
            Err(NoDecision::SettleFirst(writes)) => assert!(first && writes.len() > 11, "{id} {count}"),
            other => panic!("{id} {count}: {other:?}"),
        }
        memory.execute(&transfer, &late).unwrap();
        let expired = |entry: &&Entry| entry.kind == EntryType::Expiry;
        assert_eq!(memory.entries.values().filter(expired).count(), usize::try_from(count).unwrap());
        memory.prove();
    }
}

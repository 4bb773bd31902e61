//! The audit's proof: every change to the books is found and named.

use domain::actor::{Actor, Role};
use domain::audit::{WalletBooks, prove};
use domain::cause::{Cause, Operation};
use domain::context::Context;
use domain::currency::Currency;
use domain::hash::Hash;
use domain::ids::{CustomerId, IdempotencyKey, OrderId, PaymentRef, RequestId, ReversalId};
use domain::ledger::account::Account;
use domain::ledger::entry::Entry;
use domain::ledger::owed::{Debt, Owed};
use domain::ledger::statistics::MonthFigures;
use domain::money::{Amount, Money};
use domain::month::Month;
use domain::policy::Policy;
use domain::text::Metadata;
use domain::time::Timestamp;
use domain::wallet::create::CreateWallet;
use domain::wallet::debit::DeductCredits;
use domain::wallet::holds::PlaceHold;
use rust_decimal::Decimal;
use std::sync::Arc;
use tests::memory::{AnyCommand, Memory};

fn books() -> WalletBooks {
    let mut memory = Memory::default();
    let customer = CustomerId::parse("c").unwrap();
    let currency = Currency::parse("INR").unwrap();
    let request = RequestId::new("r");
    let cause = |operation, key: &str| {
        Cause::of_request(operation, Some(&IdempotencyKey::parse(key).unwrap()), &request)
    };
    let context = Context {
        now: Timestamp::parse("2026-01-15T10:00:00Z").unwrap(),
        actor: Actor { role: Role::Admin, ..Actor::system("a") },
        request: request.clone(),
        policy: Arc::new(Policy::standard(currency).unwrap()),
    };
    let amount = |text: &str| Amount::parse(text).unwrap();
    let (order_id, reason) = (Some(OrderId::parse("o").unwrap()), None);
    let commands: [Box<dyn AnyCommand>; 3] = [
        Box::new(CreateWallet {
            customer: customer.clone(),
            initial_balance: Some(amount("500")),
            currency,
            metadata: Metadata::default(),
            cause: cause(Operation::Create, "1"),
        }),
        Box::new(DeductCredits {
            customer: customer.clone(),
            amount: amount("120.5"),
            reason: reason.clone(),
            order_id,
            cause: cause(Operation::DeductCredits, "2"),
        }),
        Box::new(PlaceHold {
            customer: customer.clone(),
            amount: amount("80"),
            reason,
            order_id: None,
            ttl_seconds: 600,
            cause: cause(Operation::Hold, "3"),
        }),
    ];
    for command in &commands {
        command.run(&mut memory, &context).unwrap();
    }
    memory.wallet_books(&customer)
}

fn owing(text: &str) -> Owed {
    let (reversal, payment) =
        (ReversalId::stored("refund:razorpay:r"), PaymentRef::stored("topup_00000000000000000000.a"));
    Owed::stored(vec![Debt { reversal, payment, amount: money(text) }], vec![]).unwrap()
}

fn money(text: &str) -> Money {
    Money::try_new(text.parse::<Decimal>().unwrap()).unwrap()
}

#[track_caller]
fn is_found(change: impl FnOnce(&mut WalletBooks), named: &str) {
    let mut books = books();
    change(&mut books);
    let found: Vec<String> = prove(&books).differences.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|text| text.contains(named)), "{named} is not in {found:?}");
}

fn entry(books: &mut WalletBooks, seq: u64) -> &mut Entry {
    books.ledger.entries.iter_mut().find(|entry| entry.seq == seq).unwrap()
}

#[test]
fn untouched_books_are_proved() {
    let proof = prove(&books());
    assert!(proof.differences.is_empty(), "{:?}", proof.differences);
    assert_eq!((proof.entries, proof.balance.unwrap().1), (3, money("379.5")));
}

#[test]
fn any_field_of_an_entry_that_is_changed_is_named_with_its_entry() {
    let changes: [fn(&mut Entry); 11] = [
        |e| e.amount = Money::try_new(Decimal::from(1)).unwrap(),
        |e| e.balance_after = Money::try_new(Decimal::from(999)).unwrap(),
        |e| e.at = Timestamp::parse("2026-01-16T10:00:00Z").unwrap(),
        |e| e.by.sub = "somebody else".to_owned(),
        |e| e.order_id = None,
        |e| e.lots.clear(),
        |e| e.kind = domain::ledger::entry::EntryType::Credit,
        |e| e.request = None,
        |e| e.fingerprint = None,
        |e| e.after.order = None,
        |e| e.prev_hash = Hash::of("other"),
    ];
    for change in changes {
        let id = books().ledger.entries.iter().find(|entry| entry.seq == 2).unwrap().id().to_string();
        is_found(|books| change(entry(books, 2)), &id);
    }
}

#[test]
fn an_entry_that_is_rewritten_with_a_fresh_hash_breaks_the_chain_after_it() {
    is_found(
        |books| {
            let entry = entry(books, 2);
            entry.by.sub = "somebody else".to_owned();
            entry.hash = entry.digest();
        },
        "does not contain its predecessor's hash",
    );
}

#[test]
fn an_entry_that_is_removed_is_named() {
    is_found(|books| books.ledger.entries.retain(|entry| entry.seq != 2), "entry 2 is missing");
    is_found(|books| books.ledger.entries.retain(|entry| entry.seq != 3), "the number of its last entry");
}

#[test]
fn a_balance_a_total_a_hold_or_an_order_that_is_edited_is_named() {
    fn account(books: &mut WalletBooks) -> &mut Account {
        books.ledger.account.as_mut().unwrap()
    }
    is_found(|b| account(b).totals.earned = money("1"), "total earned is stored as 1, its entries give 500");
    is_found(|b| account(b).lots = Default::default(), "available is stored as 0, its entries give 299.5");
    is_found(|b| account(b).holds.clear(), "held is stored as 0");
    is_found(|b| account(b).head = Hash::of("x"), "head of its chain");
    is_found(|b| b.ledger.account = None, "has no account, but entries or a referral code exist");
    is_found(|b| b.ledger.holds[0].view.captured = money("1"), "the hold does not match its entries");
    is_found(|b| b.ledger.holds.clear(), "the hold is open but not stored");
    is_found(|b| b.ledger.orders[0].totals.refunded = money("1"), "the order does not match its entries");
    is_found(|b| b.ledger.orders.clear(), "the order has payments or holds, but is not stored");
    is_found(
        |b| account(b).status = domain::ledger::account::AccountStatus::Frozen,
        "its status is stored as FROZEN",
    );
    is_found(|b| account(b).opening.initial = money("600"), "was opened with a balance");
    is_found(|b| account(b).owed = owing("1"), "owed is stored as 1");
    is_found(|b| b.referral = None, "its referral code is not registered");
    let later = || Timestamp::parse("2027-01-16T10:00:00Z").unwrap();
    is_found(|b| account(b).updated_at = later(), "its last change is stored as 2027");
    is_found(|b| account(b).last_transaction_at = Some(later()), "its last_transaction_at is not the time");
    is_found(|b| b.ledger.holds[0].lots[0].expires_on = None, "the hold does not match its entries");
    is_found(|b| b.ledger.holds[0].side = Role::Customer, "the hold does not match its entries");
    is_found(|b| b.ledger.holds[0].view.expires_at = later(), "the hold does not match its entries");
    is_found(|b| b.ledger.orders[0].lots[0].expires_on = None, "the order does not match its entries");
    is_found(|b| b.ledger.orders[0].totals.total = money("5000"), "the order does not match its entries");
}

#[test]
fn an_item_that_was_put_back_to_an_earlier_state_is_named() {
    is_found(|b| b.ledger.account_seq = 2, "is at entry 2, but entry 3 exists: it was overwritten");
    is_found(|b| b.ledger.orders[0].seq = 1, "the order was overwritten with an older version");
    is_found(|b| b.ledger.holds[0].seq = 2, "the hold was overwritten with an older version");
}

#[test]
fn an_order_that_no_entry_names_is_named() {
    is_found(
        |b| {
            let mut forged = b.ledger.orders[0].clone();
            forged.id = OrderId::parse("forged").unwrap();
            b.ledger.orders.push(forged);
        },
        "c forged: the order does not match its entries",
    );
}

#[test]
fn entries_written_after_the_account_was_read_are_no_difference() {
    let mut books = books();
    let mut early = books.ledger.account.clone().unwrap();
    // The account was read two entries ago; the entries are read now.
    early = Account { seq: 1, head: entry(&mut books, 1).hash, ..early };
    early.lots = domain::ledger::lot::Lots::new(entry(&mut books, 1).lots.clone()).unwrap();
    early.holds.clear();
    early.totals.spent = Money::ZERO;
    let mut figures = MonthFigures::new(Month::of(early.created_at), 0);
    assert!(figures.add(entry(&mut books, 1)).is_none());
    early.figures = Some(figures);
    early.last_transaction_at = Some(entry(&mut books, 1).at);
    books.ledger.account = Some(early);
    let proof = prove(&books);
    assert!(proof.differences.is_empty(), "{:?}", proof.differences);
    assert_eq!(proof.entries, 1);
}

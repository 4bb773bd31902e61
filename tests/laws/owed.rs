//! What an account owes, against a naive model: a list of debts, and sums of what was forgiven.

use domain::ids::{PaymentRef, ReversalId};
use domain::ledger::lot::LotClass;
use domain::ledger::owed::Reversed;
use domain::ledger::owed::{Debt, Forgiven, MAX_OWED, Owed, OwedChange};
use domain::money::Money;
use domain::time::{Date, Timestamp, parse_date, plus_days};
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

fn money(units: u64) -> Money {
    Money::try_new(Decimal::from(units)).unwrap()
}

fn date(day: u32) -> Date {
    plus_days(parse_date("2026-01-15").unwrap(), day).unwrap()
}

/// One refund id may be of two payments: `payment` tells them apart.
fn reversed(refund: usize, payment: usize) -> Reversed {
    Reversed {
        id: ReversalId::stored(format!("refund:razorpay:r{refund}")),
        payment: PaymentRef::stored(format!("topup_{payment}.a")),
    }
}

fn change(reversed: &Reversed) -> OwedChange {
    OwedChange {
        reversal: reversed.id.clone(),
        payment: reversed.payment.clone(),
        raised: Money::ZERO,
        cancelled: Money::ZERO,
        forgiven: None,
        restored: None,
        seq: 0,
        at: Timestamp::from_millis(0).unwrap(),
    }
}

#[derive(Clone, Debug)]
enum Op {
    Raise(u64),
    Cancel(u64),
    Collect(u64),
    Forgive(u32, bool, u64),
    Restore(u32, bool, u64),
}

fn any_op() -> impl Strategy<Value = (usize, usize, Op)> {
    let op = prop_oneof![
        (1..50_u64).prop_map(Op::Raise),
        (1..50_u64).prop_map(Op::Cancel),
        (1..50_u64).prop_map(Op::Collect),
        (0..4_u32, any::<bool>(), 1..50_u64).prop_map(|(day, paid, sum)| Op::Forgive(day, paid, sum)),
        (0..4_u32, any::<bool>(), 1..80_u64).prop_map(|(day, paid, sum)| Op::Restore(day, paid, sum)),
    ];
    (0..3_usize, 0..2_usize, op)
}

fn class(paid: bool) -> LotClass {
    if paid { LotClass::Paid } else { LotClass::Promotional }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn debts_and_what_was_forgiven_are_those_of_a_naive_model(ops in prop::collection::vec(any_op(), 0..60)) {
        let mut owed = Owed::default();
        let mut debts: Vec<((usize, usize), u64)> = vec![];
        let mut forgiven: BTreeMap<(u32, bool), u64> = BTreeMap::new();
        for (refund, payment, op) in ops {
            let of = reversed(refund, payment);
            let known = debts.iter().position(|(who, _)| *who == (refund, payment));
            let before = owed.clone();
            let done = match op {
                Op::Raise(sum) => {
                    match known {
                        Some(at) => debts[at].1 += sum,
                        None => debts.push(((refund, payment), sum)),
                    }
                    owed.change(&OwedChange { raised: money(sum), ..change(&of) }).is_some()
                }
                Op::Cancel(sum) | Op::Collect(sum) => {
                    let fits = known.is_some_and(|at| debts[at].1 >= sum);
                    if let Some(at) = known.filter(|_| fits) {
                        debts[at].1 -= sum;
                        debts.retain(|(_, left)| *left > 0);
                    }
                    let done = if matches!(op, Op::Cancel(_)) {
                        owed.change(&OwedChange { cancelled: money(sum), ..change(&of) })
                    } else {
                        owed.lower(&of, money(sum))
                    };
                    prop_assert_eq!(done.is_some(), fits);
                    if !fits {
                        owed = before;
                    }
                    true
                }
                Op::Forgive(day, paid, sum) => {
                    *forgiven.entry((day, paid)).or_default() += sum;
                    let more = Forgiven { date: date(day), class: class(paid), amount: money(sum) };
                    owed.change(&OwedChange { forgiven: Some(more), ..change(&of) }).is_some()
                }
                Op::Restore(day, paid, sum) => {
                    if let Some(had) = forgiven.get_mut(&(day, paid)) {
                        *had = had.saturating_sub(sum);
                    }
                    forgiven.retain(|_, had| *had > 0);
                    let less = Forgiven { date: date(day), class: class(paid), amount: money(sum) };
                    owed.change(&OwedChange { restored: Some(less), ..change(&of) }).is_some()
                }
            };
            prop_assert!(done);
            let model: Vec<Debt> = debts.iter().map(|((refund, payment), left)| {
                let Reversed { id, payment } = reversed(*refund, *payment);
                Debt { reversal: id, payment, amount: money(*left) }
            }).collect();
            prop_assert_eq!(owed.debts(), &model[..], "oldest first");
            prop_assert_eq!(owed.total(), money(debts.iter().map(|(_, left)| left).sum()));
            for (refund, payment) in (0..3).flat_map(|refund| (0..2).map(move |payment| (refund, payment))) {
                let left = debts.iter().find(|(who, _)| *who == (refund, payment)).map_or(0, |(_, left)| *left);
                prop_assert_eq!(owed.of(&reversed(refund, payment)), money(left));
            }
            for (day, paid) in (0..4).flat_map(|day| [(day, false), (day, true)]) {
                let had = forgiven.get(&(day, paid)).copied().unwrap_or(0);
                prop_assert_eq!(owed.forgiven_of(date(day), class(paid)), money(had));
            }
            prop_assert_eq!(owed.forgiven().len(), forgiven.len());
            prop_assert_eq!(Owed::stored(owed.debts().to_vec(), owed.forgiven().to_vec()), Some(owed.clone()));
        }
    }
}

#[test]
fn at_most_400_debts_are_open_and_those_that_are_can_grow() {
    let mut owed = Owed::default();
    for payment in 0..MAX_OWED {
        assert!(owed.has_room_for(&reversed(0, payment)));
        owed.change(&OwedChange { raised: money(1), ..change(&reversed(0, payment)) }).unwrap();
    }
    let one_more = reversed(0, MAX_OWED);
    assert!(!owed.has_room_for(&one_more) && owed.has_room_for(&reversed(0, 7)));
    assert!(owed.clone().change(&OwedChange { raised: money(1), ..change(&one_more) }).is_none());
    owed.change(&OwedChange { raised: money(1), ..change(&reversed(0, 7)) }).unwrap();
    assert_eq!(owed.of(&reversed(0, 7)), money(2));
    // What is stored may be full, but not more than full, and no debt is zero.
    assert!(Owed::stored(owed.debts().to_vec(), vec![]).is_some());
    let Reversed { id, payment } = one_more;
    let mut debts = owed.debts().to_vec();
    debts.push(Debt { reversal: id, payment, amount: money(1) });
    assert_eq!(Owed::stored(debts.clone(), vec![]), None);
    debts.truncate(2);
    debts[1].amount = Money::ZERO;
    assert_eq!(Owed::stored(debts, vec![]), None);
}

#[test]
fn of_more_than_fifty_forgiven_sums_the_earliest_are_dropped() {
    let mut owed = Owed::default();
    for day in (0..52).rev() {
        let forgiven = Some(Forgiven { date: date(day), class: LotClass::Paid, amount: money(1) });
        owed.change(&OwedChange { forgiven, ..change(&reversed(0, 0)) }).unwrap();
    }
    let kept: Vec<Date> = owed.forgiven().iter().map(|had| had.date).collect();
    assert_eq!(kept, (2..52).map(date).collect::<Vec<_>>());
}

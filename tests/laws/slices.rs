//! Slices of budgets, and transfers between accounts: what is taken from which slice, and what is refused.

use domain::actor::{Actor, Role};
use domain::budget::allocate::{BudgetTransfer, Direction, SlicedAccount, TransferAccounts, rebalance};
use domain::budget::change::OpenAccount;
use domain::budget::entry::MoveType;
use domain::budget::slice::{Flow, Flows, Reserved, Slice, Stop};
use domain::budget::spend::first_slice;
use domain::budget::{BudgetAccount, BudgetStatus, Mode};
use domain::cause::Cause;
use domain::context::Context;
use domain::currency::Currency;
use domain::ids::RequestId;
use domain::ids::budget::{AccountId, AttemptId, BudgetKind};
use domain::money::{Amount, Money};
use domain::policy::Policy;
use domain::rejection::Rejection;
use domain::text::FreeText;
use domain::time::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

fn money(units: u64) -> Money {
    Money::try_new(Decimal::from(units)).unwrap()
}

fn inr() -> Currency {
    Currency::parse("INR").unwrap()
}

fn context() -> Context {
    let actor = Actor { role: Role::Admin, ..Actor::system("a") };
    let (now, request) = (Timestamp::from_millis(1_800_000_000_000).unwrap(), RequestId::new("r"));
    Context { now, actor, request, policy: Arc::new(Policy::standard(inr()).unwrap()) }
}

fn attempt() -> AttemptId {
    AttemptId::stored("0123456789abcdef")
}

/// Opens an account below another, with this available credit on its slices.
fn child(parent: &SlicedAccount, kind: BudgetKind, mode: Mode, slices: &[u64]) -> SlicedAccount {
    let open = OpenAccount {
        kind,
        parent: parent.account.id.clone(),
        name: FreeText::parse("n").unwrap(),
        low_credit_threshold: None,
        mode: Some(mode),
        slices: u8::try_from(slices.len()).unwrap(),
        brands: None,
        cause: Cause::stored(format!("open:{kind:?}:{mode:?}")),
    };
    let mut account = open.decide(parent, &context()).unwrap();
    account.first.available = money(slices[0]);
    let others = slices.iter().enumerate().skip(1).map(|(number, available)| {
        let number = u8::try_from(number).unwrap();
        Slice { available: money(*available), ..Slice::new(number) }
    });
    SlicedAccount { account, others: others.collect() }
}

fn platform() -> SlicedAccount {
    let account = BudgetAccount::platform(inr(), context().now).unwrap();
    SlicedAccount { account, others: vec![] }
}

/// The platform, an agency, a client and its campaign, with credit on the slices of the client.
struct Tree {
    platform: SlicedAccount,
    agency: SlicedAccount,
    client: SlicedAccount,
    isolated: SlicedAccount,
    shared: SlicedAccount,
}

impl Tree {
    fn new(slices: &[u64]) -> Self {
        let platform = platform();
        let agency = child(&platform, BudgetKind::Agency, Mode::Shared, &[100]);
        let client = child(&agency, BudgetKind::Client, Mode::Shared, slices);
        let isolated = child(&client, BudgetKind::Campaign, Mode::Isolated, &[7, 8]);
        let shared = child(&client, BudgetKind::Campaign, Mode::Shared, &[0]);
        Self { platform, agency, client, isolated, shared }
    }
}

fn transfer(
    direction: Direction,
    from: &SlicedAccount,
    to: &SlicedAccount,
    units: Option<u64>,
) -> BudgetTransfer {
    BudgetTransfer {
        direction,
        from: from.account.id.clone(),
        to: to.account.id.clone(),
        amount: units.map(|units| Amount::parse(&units.to_string()).unwrap()),
        notes: None,
        cause: Cause::stored("key:allocate:k"),
    }
}

fn check(
    direction: Direction,
    from: &SlicedAccount,
    to: &SlicedAccount,
    units: Option<u64>,
) -> Result<Money, Rejection> {
    transfer(direction, from, to, units).check(TransferAccounts { from, to })
}

fn with_status(mut account: SlicedAccount, status: BudgetStatus) -> SlicedAccount {
    account.account.first.status = status;
    account
}

#[test]
fn credit_moves_between_a_parent_and_its_own_child_and_nowhere_else() {
    let tree = Tree::new(&[30, 20]);
    assert_eq!(check(Direction::Down, &tree.client, &tree.isolated, Some(50)), Ok(money(50)));
    assert_eq!(check(Direction::Up, &tree.isolated, &tree.client, Some(15)), Ok(money(15)));
    assert_eq!(check(Direction::Up, &tree.isolated, &tree.client, None), Ok(money(15)), "all there is");
    assert_eq!(check(Direction::Down, &tree.platform, &tree.agency, Some(9_999)), Ok(money(9_999)));
    for (direction, from, to) in [
        (Direction::Down, &tree.agency, &tree.isolated),
        (Direction::Down, &tree.isolated, &tree.client),
        (Direction::Up, &tree.client, &tree.isolated),
        (Direction::Up, &tree.isolated, &tree.agency),
        (Direction::Down, &tree.client, &tree.client),
    ] {
        assert_eq!(check(direction, from, to, Some(1)), Err(Rejection::NotAChild));
    }
    assert_eq!(check(Direction::Down, &tree.client, &tree.shared, Some(1)), Err(Rejection::SharedCampaign));
    let mut foreign = tree.isolated.clone();
    foreign.account.currency = Currency::parse("USD").unwrap();
    assert_eq!(check(Direction::Down, &tree.client, &foreign, Some(1)), Err(Rejection::CurrencyMismatch));
    let fine = BudgetTransfer {
        amount: Some(Amount::parse("0.001").unwrap()),
        ..transfer(Direction::Down, &tree.client, &tree.isolated, None)
    };
    let accounts = TransferAccounts { from: &tree.client, to: &tree.isolated };
    assert_eq!(fine.check(accounts), Err(Rejection::TooPrecise { unit: inr().into() }));
}

#[test]
fn a_transfer_needs_cover_except_from_the_platform_and_is_never_of_nothing() {
    let tree = Tree::new(&[30, 20]);
    let short = |required: u64, available: u64| {
        Err(Rejection::BudgetShort {
            available: money(available),
            required: money(required),
            currency: inr(),
        })
    };
    assert_eq!(check(Direction::Down, &tree.client, &tree.isolated, Some(51)), short(51, 50));
    assert_eq!(check(Direction::Up, &tree.isolated, &tree.client, Some(16)), short(16, 15));
    let mut empty = tree.isolated.clone();
    (empty.account.first.available, empty.others[0].available) = (Money::ZERO, Money::ZERO);
    assert_eq!(check(Direction::Up, &empty, &tree.client, None), short(0, 0));
    assert_eq!(tree.platform.available(), Money::ZERO);
}

#[test]
fn what_is_paused_closing_or_closed_gives_and_takes_as_its_status_says() {
    use BudgetStatus::{Active, Closed, Closing, Paused};
    let tree = Tree::new(&[30, 20]);
    for (direction, giver, taker, goes) in [
        (Direction::Down, Active, Active, true),
        (Direction::Down, Active, Paused, true),
        (Direction::Down, Paused, Active, false),
        (Direction::Down, Closing, Active, false),
        (Direction::Down, Active, Closing, false),
        (Direction::Down, Active, Closed, false),
        (Direction::Imported, Paused, Active, true),
        (Direction::Imported, Active, Paused, true),
        (Direction::Imported, Closing, Active, false),
        (Direction::Imported, Active, Closing, false),
        (Direction::Up, Paused, Active, true),
        (Direction::Up, Active, Closed, true),
        (Direction::Up, Closing, Active, false),
        (Direction::Up, Closed, Active, false),
        (Direction::Closing, Closing, Active, true),
        (Direction::Closing, Active, Active, false),
        (Direction::Closing, Closed, Active, false),
    ] {
        let (from, to) = match direction {
            Direction::Down | Direction::Imported => (&tree.client, &tree.isolated),
            Direction::Up | Direction::Closing => (&tree.isolated, &tree.client),
        };
        let (from, to) = (with_status(from.clone(), giver), with_status(to.clone(), taker));
        let expected = if goes { Ok(money(1)) } else { Err(Rejection::BudgetPaused) };
        assert_eq!(check(direction, &from, &to, Some(1)), expected, "{direction:?} {giver:?} {taker:?}");
    }
}

#[test]
fn both_entries_of_a_transfer_name_each_other_and_show_both_balances() {
    let tree = Tree::new(&[30, 20]);
    let down = transfer(Direction::Down, &tree.client, &tree.isolated, Some(40));
    let accounts = TransferAccounts { from: &tree.client, to: &tree.isolated };
    let moved = down.decide(accounts, &attempt(), &context()).unwrap();
    let (out, arrival) = (&moved.out, &moved.arrival);
    assert_eq!((out.kind, arrival.kind), (MoveType::AllocationOut, MoveType::AllocationIn));
    assert_eq!((out.balance_after, arrival.balance_after), (money(10), money(55)));
    assert_eq!((out.amount, arrival.amount), (money(40), money(40)));
    let sum = |parts: &BTreeMap<u8, Money>| parts.values().copied().sum::<Money>();
    assert_eq!((sum(&out.takes), out.puts.len()), (money(40), 0));
    assert_eq!((sum(&arrival.puts), arrival.takes.len()), (money(40), 0));
    assert_eq!(arrival.puts.keys().copied().collect::<Vec<_>>(), [first_slice(&down.cause, 2)]);
    let (of_out, of_arrival) = (out.other.as_ref().unwrap(), arrival.other.as_ref().unwrap());
    assert_eq!((&of_out.account, &of_out.cause), (&arrival.account, &arrival.cause));
    assert_eq!((&of_arrival.account, &of_arrival.cause), (&out.account, &out.cause));
    assert_eq!((of_out.balance_after, of_arrival.balance_after), (money(55), money(10)));
    assert_eq!(down.acted_on(), &tree.client.account.id);
    let up = transfer(Direction::Up, &tree.isolated, &tree.client, None);
    let accounts = TransferAccounts { from: &tree.isolated, to: &tree.client };
    let moved = up.decide(accounts, &attempt(), &context()).unwrap();
    assert_eq!((moved.out.kind, moved.arrival.kind), (MoveType::ReclaimOut, MoveType::ReclaimIn));
    assert_eq!(moved.out.takes, BTreeMap::from([(0, money(7)), (1, money(8))]));
}

#[test]
fn the_platform_shows_what_it_has_issued_and_takes_from_the_slice_of_the_cause() {
    let mut tree = Tree::new(&[30]);
    tree.platform.account.first.flows.allocated = money(500);
    tree.platform.account.first.flows.returned = money(100);
    assert_eq!(tree.platform.balance(), money(400));
    let down = transfer(Direction::Down, &tree.platform, &tree.agency, Some(60));
    let accounts = TransferAccounts { from: &tree.platform, to: &tree.agency };
    let moved = down.decide(accounts, &attempt(), &context()).unwrap();
    assert_eq!((moved.out.balance_after, moved.arrival.balance_after), (money(460), money(160)));
    assert_eq!(moved.out.takes, BTreeMap::from([(0, money(60))]));
    let up = transfer(Direction::Up, &tree.agency, &tree.platform, Some(60));
    let accounts = TransferAccounts { from: &tree.agency, to: &tree.platform };
    let moved = up.decide(accounts, &attempt(), &context()).unwrap();
    assert_eq!((moved.out.balance_after, moved.arrival.balance_after), (money(40), money(340)));
}

#[test]
fn one_slice_with_enough_is_taken_from_the_one_of_the_cause_first_and_otherwise_few() {
    let cause_first = first_slice(&Cause::stored("key:allocate:k"), 4);
    let takes = |slices: [u64; 4], units: u64| {
        let tree = Tree::new(&slices);
        let down = transfer(Direction::Down, &tree.client, &tree.isolated, Some(units));
        let accounts = TransferAccounts { from: &tree.client, to: &tree.isolated };
        let moved = down.decide(accounts, &attempt(), &context()).unwrap();
        let gathered = BudgetTransfer::is_gathered(&tree.client, &moved);
        assert_eq!(gathered, moved.out.takes.len() > 1);
        let paused = with_status(tree.client.clone(), BudgetStatus::Paused);
        assert!(
            !BudgetTransfer::is_gathered(&paused, &moved)
                && !BudgetTransfer::is_gathered(&tree.agency, &moved)
        );
        moved.out.takes
    };
    assert_eq!(takes([10; 4], 10), BTreeMap::from([(cause_first, money(10))]));
    let mut slices = [10; 4];
    slices[usize::from(cause_first)] = 9;
    let next = (0..4).find(|slice| *slice != cause_first).unwrap();
    assert_eq!(takes(slices, 10), BTreeMap::from([(next, money(10))]));
    assert_eq!(takes([5, 1, 9, 3], 12), BTreeMap::from([(2, money(9)), (0, money(3))]));
    assert_eq!(takes([5, 0, 9, 3], 17), BTreeMap::from([(2, money(9)), (0, money(5)), (3, money(3))]));
}

#[test]
fn slices_are_evened_out_only_if_one_has_less_than_a_quarter_of_the_mean() {
    let moved = |slices: &[u64]| {
        let tree = Tree::new(slices);
        rebalance(&tree.client, &attempt(), &context()).map(|entry| {
            assert_eq!((entry.kind, entry.balance_after), (MoveType::Rebalance, tree.client.available()));
            (entry.takes, entry.puts)
        })
    };
    let one = |slice: u8, units: u64| BTreeMap::from([(slice, money(units))]);
    assert_eq!(moved(&[80, 0]), Some((one(0, 40), one(1, 40))));
    assert_eq!(moved(&[20, 4, 60]), Some((one(2, 28), one(1, 28))));
    // The mean of 84 over three is 28: a quarter of it is 7.
    assert_eq!(moved(&[50, 7, 27]), None);
    assert_eq!(
        moved(&[51, 6, 27]).map(|(takes, _)| takes),
        Some(BTreeMap::from([(0, Money::try_new(Decimal::new(225, 1)).unwrap())]))
    );
    assert_eq!(moved(&[0, 0]), None);
    assert_eq!(moved(&[90]), None);
    let tree = Tree::new(&[80, 0]);
    for status in [BudgetStatus::Closing, BudgetStatus::Closed] {
        assert_eq!(rebalance(&with_status(tree.client.clone(), status), &attempt(), &context()), None);
    }
    let paused = with_status(tree.client.clone(), BudgetStatus::Paused);
    assert!(rebalance(&paused, &attempt(), &context()).is_some());
    let mut platform = tree.platform.clone();
    platform.account.slices = 2;
    platform.account.first.available = money(80);
    platform.others.push(Slice::new(1));
    assert_eq!(rebalance(&platform, &attempt(), &context()), None);
}

#[test]
fn a_stop_holds_for_its_campaign_and_a_status_for_all() {
    let tree = Tree::new(&[1]);
    let (one, other) = (&tree.shared.account.id, &tree.isolated.account.id);
    let mut slice = Slice::new(0);
    assert!(!slice.stops(one));
    let stop = |on| Stop { version: 1, on, at: context().now };
    slice.stops.insert(one.clone(), stop(true));
    assert!(slice.stops(one) && !slice.stops(other));
    slice.stops.insert(one.clone(), stop(false));
    assert!(!slice.stops(one));
    for status in [BudgetStatus::Paused, BudgetStatus::Closing, BudgetStatus::Closed] {
        assert!(Slice { status, ..slice.clone() }.stops(other));
    }
}

#[test]
fn every_attempt_of_a_slice_is_listed_whether_it_waits_for_a_supplier_or_not() {
    let mut slice = Slice::new(0);
    let held = |campaign: &AccountId| Reserved {
        cause: Cause::stored("c"),
        campaign: campaign.clone(),
        amount: money(1),
        at: context().now,
    };
    let campaign = Tree::new(&[1]).shared.account.id;
    let (one, two) = (AttemptId::stored("a"), AttemptId::stored("b"));
    slice.pending.insert(one.clone(), held(&campaign));
    slice.waiting.insert(two.clone(), held(&campaign));
    assert_eq!(slice.attempts().map(|(id, _)| id).collect::<Vec<_>>(), [&one, &two]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_used_is_what_came_less_what_went_less_what_is_left(flows in prop::array::uniform6(0..100_u64), available in 0..300_u64) {
        let mut slice = Slice { available: money(available), ..Slice::new(0) };
        for (flow, sum) in Flow::ALL.into_iter().zip(flows) {
            *slice.flows.place(flow) = money(sum);
            prop_assert_eq!(slice.flows.of(flow), money(sum));
        }
        let came = slice.flows.received.value() + slice.flows.returned.value() + slice.flows.moved_in.value();
        let went = slice.flows.reclaimed.value() + slice.flows.allocated.value() + slice.flows.moved_out.value();
        prop_assert_eq!(slice.flows.sums(), (Money::try_new(came).unwrap(), Money::try_new(went).unwrap()));
        let used = came - went - Decimal::from(available);
        prop_assert_eq!(slice.used(), Money::try_new(used).ok());
    }
}

#[test]
fn each_flow_has_a_word_of_its_own_and_a_direction() {
    let words = ["received", "reclaimed", "allocated", "returned", "moved_in", "moved_out"];
    assert_eq!(Flow::ALL.map(Flow::as_str), words);
    assert_eq!(Flow::ALL.map(Flow::is_in), [true, false, false, true, true, false]);
    assert_eq!(Flows::default().sums(), (Money::ZERO, Money::ZERO));
}

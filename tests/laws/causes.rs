//! Causes and ids: different operations never share a cause, and no id can break out of the key that contains
//! it.

use domain::cause::{Cause, Operation};
use domain::hash::Hash;
use domain::ids::{
    AccountRef, CustomerId, HoldId, IdempotencyKey, OrderId, ReferralCode, RequestId, TransactionId,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

#[test]
fn keys_are_one_to_255_printable_ascii_characters_quoted_or_bare() {
    assert_eq!(key("\"abc\"").as_str(), "abc");
    assert_eq!(key("a b:c").as_str(), "a b:c");
    for bad in ["", "\"\"", "a\nb", "a\tb", "é", &"x".repeat(256), "\u{7f}"] {
        assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn reserved_words_and_foreign_characters_are_no_customers() {
    let long = "x".repeat(129);
    let bad = [
        "create",
        "bulk",
        "rewards",
        "referral",
        "holds",
        "health",
        ".",
        "..",
        "",
        "a#b",
        "a/b",
        "a b",
        "a'b",
        "a\"b",
        ":= attribute_exists(pk)",
        "é",
        long.as_str(),
        "a\0b",
        "a%23b",
    ];
    for bad in bad {
        assert!(CustomerId::parse(bad).is_err(), "{bad}");
    }
    for good in ["platform", "a.b_c:d@e-F9", "...", &"x".repeat(128)] {
        assert!(CustomerId::parse(good).is_ok(), "{good}");
    }
}

#[test]
fn a_cause_made_of_the_longest_parts_still_fits_a_sort_key() {
    let longest = key(&"%".repeat(255));
    let customer = ":".repeat(128);
    let cause = Cause::of_request(Operation::Transfer, Some(&longest), &RequestId::new("r"));
    let other = Cause::counterpart("transfer", &customer, &cause);
    assert!(cause.as_str().len() <= 1_024 && other.as_str().len() <= 1_024, "{}", other.as_str().len());
}

#[test]
fn a_hold_id_carries_its_customer_and_is_read_back() {
    let customer = CustomerId::parse("a.b_c:d@e-F9").unwrap();
    let id = HoldId::mint(&AccountRef::wallet(&customer), &Cause::stored("key:hold:1"));
    assert_eq!(HoldId::parse(id.as_str()).unwrap().customer(), &customer);
    for bad in [
        "hold_",
        "hold_x",
        "hold_YQ.zz",
        "hold_aG9sZHM.00000000000000000000",
        "",
        "hold_#.00000000000000000000",
    ] {
        assert!(HoldId::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_transaction_id_carries_its_number_and_differs_between_wallets() {
    let id = |account: AccountRef| TransactionId::of(&account, 7, &Cause::stored("x"));
    let [a, b] = ["a", "b"].map(|customer| CustomerId::parse(customer).unwrap());
    let points = id(AccountRef::points(&a));
    let [a, b] = [a, b].map(|customer| id(AccountRef::wallet(&customer)));
    assert!(a != b && a != points);
    assert_eq!(TransactionId::parse(a.as_str()).unwrap(), (a, 7));
}

#[test]
fn referral_codes_have_eight_letters_that_cannot_be_misread() {
    let customer = CustomerId::parse("cust_1").unwrap();
    let codes: BTreeSet<_> =
        (0..50).map(|attempt| ReferralCode::mint(&customer, attempt).to_string()).collect();
    assert_eq!(codes.len(), 50);
    assert!(codes.iter().all(|code| code.len() == 8 && !code.contains(['O', '0', 'I', '1'])));
}

#[test]
fn a_hash_is_read_only_from_its_own_text() {
    let hash = Hash::of("x");
    assert_eq!(Hash::parse(&hash.to_string()), Ok(hash));
    assert!(Hash::parse(&hash.to_string().to_uppercase()).is_err());
    assert!(Hash::parse("ab").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn different_keys_orders_and_operations_are_different_causes(a in "[ -~]{1,40}", b in "[ -~]{1,40}") {
        let request = RequestId::new("r");
        let bare = |text: &str| IdempotencyKey::parse(text).map(|key| key.as_str().to_owned());
        let (Ok(a), Ok(b)) = (bare(&a), bare(&b)) else { return Ok(()) };
        let of = |operation, text: &str| Cause::of_request(operation, Some(&key(&format!("\"{text}\""))), &request);
        prop_assert_eq!(of(Operation::Refund, &a) == of(Operation::Refund, &b), a == b);
        prop_assert_ne!(of(Operation::Refund, &a), of(Operation::Hold, &a));
        prop_assert_ne!(of(Operation::Refund, &a), Cause::of_request(Operation::Refund, None, &RequestId::new(&a)));
    }

    #[test]
    fn ids_with_separators_in_them_do_not_collide(a in "[a-c:]{1,6}", b in "[a-c:]{1,6}", c in "[a-c:]{1,6}", d in "[a-c:]{1,6}") {
        let pair = |from: &str, key: &str| Cause::counterpart("transfer", from, &Cause::stored(key));
        prop_assert_eq!(pair(&a, &b) == pair(&c, &d), (&a, &b) == (&c, &d));
        let order = |text: &str| Cause::order_payment(&OrderId::parse(text).unwrap());
        prop_assert_eq!(order(&a) == order(&b), a == b);
    }
}

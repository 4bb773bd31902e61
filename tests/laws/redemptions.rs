//! Redemptions: the words, addresses and references that are stored and shown.

use domain::actor::{PerformedBy, Role};
use domain::currency::Currency;
use domain::giftcard::redemption::{Method, Redemption, RedemptionStatus};
use domain::ids::RequestId;
use domain::ids::budget::{AccountId, AttemptId, BrandId, RedemptionId};
use domain::money::Money;
use domain::time::Timestamp;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

fn redemption() -> Redemption {
    let money = |units: i64| Money::try_new(Decimal::from(units)).unwrap();
    Redemption {
        id: RedemptionId::parse("rdm_0123456789abcdef0123456789abcdef").unwrap(),
        campaign: AccountId::parse("acct_m0123456789abcdef0123").unwrap(),
        charged: AccountId::parse("acct_c0123456789abcdef0123").unwrap(),
        brand: BrandId::parse("brand_0123456789abcdef0123").unwrap(),
        denomination: money(25),
        currency: Currency::parse("INR").unwrap(),
        status: RedemptionStatus::Issued,
        source: None,
        cost: Some(money(20)),
        amount: money(25),
        credit_remaining: money(0),
        recipient: None,
        delivery: None,
        card: None,
        attempt: AttemptId::stored("0123456789abcdef"),
        takes: BTreeMap::new(),
        order: None,
        failure: None,
        by: PerformedBy { role: Role::Service, sub: "s".to_owned() },
        request: RequestId::new("r"),
        ip: None,
        user_agent: None,
        created_at: Timestamp::from_millis(0).unwrap(),
        issued_at: None,
        next_check_at: None,
    }
}

#[test]
fn statuses_and_methods_are_the_words_of_the_contract() {
    for (status, word) in [
        (RedemptionStatus::Pending, "PENDING"),
        (RedemptionStatus::Issued, "ISSUED"),
        (RedemptionStatus::Delivered, "DELIVERED"),
        (RedemptionStatus::Failed, "FAILED"),
    ] {
        assert_eq!((status.as_str(), RedemptionStatus::parse(word)), (word, Ok(status)));
    }
    for (method, word) in [(Method::Email, "email"), (Method::Sms, "sms"), (Method::Whatsapp, "whatsapp")] {
        assert_eq!((method.as_str(), Method::parse(word)), (word, Ok(Some(method))));
    }
    assert_eq!(Method::parse("none"), Ok(None));
    for other in ["", "pending", "post", "None"] {
        assert!(RedemptionStatus::parse(other).is_err() && Method::parse(other).is_err(), "{other}");
    }
}

#[test]
fn an_address_is_checked_and_has_one_form() {
    let longest = format!("{}@example.com", "n".repeat(242));
    for good in ["a@b.c", "asha.rao+1@mail.example.com", "!~@a.b", &longest] {
        assert_eq!(Method::Email.address(&format!(" {good} ")), Ok(good.to_owned()));
    }
    let too_long = format!("n{longest}");
    for bad in ["", "a", "@b.c", "a@bc", "a@b.c@d.e", "a b@c.d", "ä@b.c", "a@b.c\u{7f}", &too_long] {
        assert!(Method::Email.address(bad).is_err(), "{bad}");
    }
    for method in [Method::Sms, Method::Whatsapp] {
        for (text, form) in [
            ("+919812345678", "+919812345678"),
            (" 919812345678 ", "+919812345678"),
            ("1234567", "+1234567"),
            ("123456789012345", "+123456789012345"),
        ] {
            assert_eq!(method.address(text), Ok(form.to_owned()));
        }
        for bad in ["", "+", "123456", "1234567890123456", "12345x7", "++1234567", "+91 98123"] {
            assert!(method.address(bad).is_err(), "{bad}");
        }
    }
}

#[test]
fn an_address_is_shown_only_so_far_that_it_is_recognized() {
    assert_eq!(Method::Email.masked("asha@example.com"), "a***@example.com");
    assert_eq!(Method::Email.masked("nothing"), "****@");
    for method in [Method::Sms, Method::Whatsapp] {
        assert_eq!(method.masked("+919812345678"), "***678");
        assert_eq!(method.masked("12"), "***12");
    }
}

#[test]
fn a_reference_leads_back_to_its_redemption_and_attempt_and_a_profit_may_be_negative() {
    let sold = redemption();
    assert_eq!(sold.reference(), "rdm_0123456789abcdef0123456789abcdef.0123456789abcdef");
    assert_eq!(Redemption::of_reference(&sold.reference()), Some((sold.id.clone(), sold.attempt.clone())));
    for bad in [
        "",
        "rdm_0123456789abcdef0123456789abcdef",
        "rdm_0123456789abcdef0123456789abcdef.",
        "rdm_0123456789abcdef0123456789abcdef.0123456789abcde",
        "rdm_0123456789abcdef0123456789abcdef.0123456789abcdeg",
        "rdm_0123456789abcdef0123456789abcdef.0123456789abcdef0",
        "other.0123456789abcdef",
    ] {
        assert_eq!(Redemption::of_reference(bad), None, "{bad}");
    }
    assert_eq!(sold.profit(), Some(Decimal::from(5)));
    let dear = Redemption { amount: Money::ZERO, ..redemption() };
    assert_eq!(dear.profit(), Some(Decimal::from(-20)));
    assert_eq!(Redemption { cost: None, ..redemption() }.profit(), None);
}

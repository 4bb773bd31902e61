//! Amounts: what is accepted, what is refused, and how amounts are printed.

use domain::currency::Currency;
use domain::money::{Amount, Money};
use proptest::prelude::*;
use rust_decimal::Decimal;

fn inr() -> Currency {
    Currency::parse("INR").unwrap()
}

#[test]
fn an_amount_is_plain_decimal_notation_and_nothing_else() {
    for good in ["1", "0.01", "300.10", "10000000000000", "99999999999.99"] {
        let amount = Amount::parse(good).unwrap();
        assert!(amount.in_currency(inr()).is_some(), "{good}");
    }
    let bad = [
        "",
        "0",
        "0.00",
        "-1",
        "-0",
        "+1",
        "1e2",
        "1E2",
        "1e400",
        "NaN",
        "Infinity",
        ".5",
        "5.",
        "1,000",
        "0x10",
        " 1",
        "1 ",
        "01",
        "00.5",
        "10000000000000.01",
        "100000000000000",
        "1.00001",
        "1_000",
        "١",
        "1.2.3",
        "99999999999999999999999999999999999999999999",
    ];
    for bad in bad {
        assert!(Amount::parse(bad).is_err(), "{bad} was accepted");
    }
}

#[test]
fn an_amount_has_no_more_digits_than_its_currency() {
    let fits = |text: &str, code: &str| {
        Amount::parse(text).unwrap().in_currency(Currency::parse(code).unwrap()).is_some()
    };
    assert!(fits("5000", "VND") && !fits("5000.0", "VND"));
    assert!(fits("0.01", "INR") && !fits("0.010", "INR") && !fits("100.000", "INR"));
    assert!(fits("0.001", "BHD") && !fits("0.0001", "BHD"));
}

#[test]
fn money_is_shown_with_exactly_the_digits_of_its_currency() {
    let shown = |text: &str, code: &str| {
        let currency = Currency::parse(code).unwrap();
        currency.format(Amount::parse(text).unwrap().in_currency(currency).unwrap())
    };
    assert_eq!(shown("300.1", "INR"), "300.10");
    assert_eq!(shown("5000", "VND"), "5000");
    assert_eq!(shown("7", "KWD"), "7.000");
    assert_eq!(inr().format(Money::ZERO), "0.00");
}

#[test]
fn only_currencies_in_use_with_minor_digits_are_known() {
    for bad in ["", "inr", "XXX", "XAU", "ABC", "INRR", "HRK"] {
        assert!(Currency::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_and_differences_are_exact_and_never_negative(a in 0..1_000_000_000_000_000_i64, b in 0..1_000_000_000_000_000_i64) {
        let money = |paise| Money::try_new(Decimal::new(paise, 2)).unwrap();
        prop_assert_eq!(money(a).checked_add(money(b)), Some(money(a + b)));
        prop_assert_eq!(money(a).checked_sub(money(b)), (a >= b).then(|| money(a - b)));
        prop_assert!(a == 0 || Money::try_new(Decimal::new(-a, 2)).is_err());
    }

    #[test]
    fn whatever_is_sent_is_read_exactly_or_refused(text in "[-+0-9.eE]{1,24}") {
        if let Ok(amount) = Amount::parse(&text) {
            prop_assert_eq!(amount.to_string().parse::<Decimal>().unwrap(), text.parse::<Decimal>().unwrap());
            prop_assert!(text.parse::<Decimal>().unwrap() > Decimal::ZERO);
        }
    }
}

//! Input values: a value is accepted if the API document describes it.

use domain::alert::AlertStatus;
use domain::budget::Mode;
use domain::currency::Currency;
use domain::giftcard::Supplier;
use domain::giftcard::code::RedemptionCode;
use domain::ids::budget::{AccountId, BrandId, BudgetKind, PoolId, RedemptionId};
use domain::ids::{
    AlertId, CustomerId, EventId, Gateway, GatewayId, OrderId, RecipientId, SupplierProductId, TopUpId,
};
use domain::money::Amount;
use domain::text::FreeText;
use domain::time::{Date, parse_date};
use edge::input::{
    CallersSource, CampaignId, CardCount, ChildAccountId, CodeCount, DaysAhead, ExpiryDays, From,
    HoldSeconds, Input, Limit, NonBlankText, Skip, Slices, Text, Until,
};
use edge::schema;
use proptest::prelude::*;
use proptest::string::string_regex;
use regex_lite::Regex;
use serde_json::{Value, json};

/// Returns true if a text matches a schema; only these keywords are supported.
fn fits(schema: &Value, text: &str) -> bool {
    let keywords = schema.as_object().unwrap();
    keywords.iter().all(|(keyword, said)| match keyword.as_str() {
        "type" => said == "string",
        "pattern" => Regex::new(&rust(said.as_str().unwrap())).unwrap().is_match(text),
        "minLength" => text.chars().count() as u64 >= said.as_u64().unwrap(),
        "maxLength" => text.chars().count() as u64 <= said.as_u64().unwrap(),
        "enum" => said.as_array().unwrap().contains(&json!(text)),
        "not" => !fits(said, text),
        "anyOf" => said.as_array().unwrap().iter().any(|schema| fits(schema, text)),
        "format" => match said.as_str().unwrap() {
            "date" => parse_date(text).is_ok(),
            "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            other => panic!("unsupported format {other}"),
        },
        "examples" => said.as_array().unwrap().iter().all(|example| example.is_string()),
        other => panic!("unsupported keyword {other}"),
    })
}

/// Translates an ECMA-262 pattern into the syntax of Rust's crates. There, `\s` is no byte order mark.
fn rust(pattern: &str) -> String {
    let pattern = pattern.replace(r"[^\s", r"[^\s\ufeff");
    let mut parts = pattern.split("\\u");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |rust, part| format!("{rust}\\u{{{}}}{}", &part[..4], &part[4..]))
}

/// Generates texts that a schema describes, and texts close to them.
fn texts(schema: &Value) -> BoxedStrategy<String> {
    let described = match (schema.get("pattern"), schema.get("enum")) {
        (Some(pattern), _) => {
            let pattern = rust(pattern.as_str().unwrap());
            string_regex(pattern.trim_start_matches('^').trim_end_matches('$')).unwrap().boxed()
        }
        (None, Some(words)) => {
            let words = words.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
            prop::sample::select(words.collect::<Vec<_>>()).boxed()
        }
        (None, None) => prop_oneof![
            "[0-9]{4}-[01][0-9]-[0-3][0-9]",
            "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](Z|[+-][0-2][0-9]:[0-5][0-9])",
        ]
        .boxed(),
    };
    let near =
        (described.clone(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, other)| {
            let mut letters: Vec<char> = text.chars().collect();
            let at = at.index(letters.len() + 1);
            if at < letters.len() {
                letters[at] = other
            } else {
                letters.push(other)
            }
            String::from_iter(letters)
        });
    prop_oneof![3 => described, 2 => near, 1 => ".{0,200}"].boxed()
}

fn holds<T: Text>() -> impl Fn(&str) -> (bool, bool) {
    let schema = T::schema();
    move |text| (fits(&schema, text), T::parse(text).is_ok())
}

macro_rules! exact {
    ($($name:ident: $type:ty;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

            $(#[test]
            fn $name(text in texts(&<$type as Text>::schema())) {
                let (described, read) = holds::<$type>()(&text);
                prop_assert_eq!(described, read, "{:?}", text);
            })*
        }
    };
}

exact! {
    a_customers_id_is_read_as_it_is_described: CustomerId;
    an_orders_id_is_read_as_it_is_described: OrderId;
    a_recipients_id_is_read_as_it_is_described: RecipientId;
    a_suppliers_id_is_read_as_it_is_described: SupplierProductId;
    a_gateways_id_is_read_as_it_is_described: GatewayId;
    an_accounts_id_is_read_as_it_is_described: AccountId;
    a_brands_id_is_read_as_it_is_described: BrandId;
    a_pools_id_is_read_as_it_is_described: PoolId;
    a_redemptions_id_is_read_as_it_is_described: RedemptionId;
    an_alerts_id_is_read_as_it_is_described: AlertId;
    an_alerts_status_is_read_as_it_is_described: AlertStatus;
    a_currency_is_read_as_it_is_described: Currency;
    free_text_is_read_as_it_is_described: FreeText;
    text_that_says_something_is_read_as_it_is_described: NonBlankText;
    a_gateway_is_read_as_it_is_described: Gateway;
    a_supplier_is_read_as_it_is_described: Supplier;
    a_kind_of_account_is_read_as_it_is_described: BudgetKind;
    a_budget_mode_is_read_as_it_is_described: Mode;
    a_source_is_read_as_it_is_described: CallersSource;
    the_beginning_of_a_period_is_read_as_it_is_described: From;
    the_end_of_a_period_is_read_as_it_is_described: Until;
}

/// Every described text is accepted. A text that is accepted without being described is rejected with another
/// error where it is used.
fn described_is_read<T: Text>(text: &str) -> Result<(), TestCaseError> {
    let (described, read) = holds::<T>()(text);
    prop_assert!(read || !described, "{:?}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ids_that_carry_others_and_codes_are_read_if_they_are_as_described(
        topup in texts(&<TopUpId as Text>::schema()),
        event in texts(&<EventId as Text>::schema()),
        code in texts(&<RedemptionCode as Text>::schema()),
        child in texts(&<ChildAccountId as Text>::schema()),
        campaign in texts(&<CampaignId as Text>::schema()),
    ) {
        described_is_read::<TopUpId>(&topup)?;
        described_is_read::<EventId>(&event)?;
        described_is_read::<RedemptionCode>(&code)?;
        described_is_read::<ChildAccountId>(&child)?;
        described_is_read::<CampaignId>(&campaign)?;
    }

    #[test]
    fn an_amount_is_read_and_exact_in_the_usual_currency_if_it_is_as_described(
        text in texts(&schema::amount_text()),
        hundredths in 1..=1_000_000_000_000_000_u64,
    ) {
        if fits(&schema::amount_text(), &text) {
            let exact = Amount::parse(&text).map(|amount| amount.in_currency(Currency::parse("INR").unwrap()));
            prop_assert!(exact.is_ok_and(|exact| exact.is_some()), "{:?}", text);
        }
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        prop_assert!(fits(&schema::amount_text(), &text), "{text}");
    }

    #[test]
    fn an_expiry_date_is_later_than_today_if_it_is_as_described(today in 0..2_900_000_i32, days in -800..800_i32) {
        let day = |days: i32| Date::from_epoch_days(days);
        if let (Some(today), Some(other)) = (day(today), day(today + days)) {
            let pattern = json!({"pattern": schema::later_than(today)});
            let text = other.to_string();
            prop_assert_eq!(fits(&pattern, &text), text.len() == 10 && other > today, "{} {}", today, text);
        }
    }
}

/// A whole number is accepted if and only if it is within the bounds of its schema.
fn bounded<T: Text + Input>() {
    let schema = <T as Text>::schema();
    let (min, max) = (schema["minimum"].as_u64().unwrap(), schema["maximum"].as_u64().unwrap());
    let read = |number: u64| T::parse(&number.to_string()).is_ok();
    assert!(read(min) && read(max) && !read(max + 1) && min.checked_sub(1).is_none_or(|less| !read(less)));
    for text in ["", "-1", "+1", "1.5", "1e2", " 1", "01x"] {
        assert!(T::parse(text).is_err(), "{text}");
    }
}

#[test]
fn whole_numbers_are_read_within_the_bounds_that_are_described() {
    bounded::<Limit>();
    bounded::<Skip>();
    bounded::<DaysAhead>();
    bounded::<ExpiryDays>();
    bounded::<HoldSeconds>();
    bounded::<Slices>();
    bounded::<CodeCount>();
    bounded::<CardCount>();
}

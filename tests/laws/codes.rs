//! Redemption codes and ids: exactly what the API document describes is accepted, and the spelling of a code
//! does not matter.

use domain::giftcard::code::{CODE_PATTERN, RedemptionCode, SCIENTIFIC_PATTERN, plain};
use domain::ids::{CALLER_ID_PATTERN, CustomerId, GATEWAY_ID_PATTERN, GatewayId, OrderId, RecipientId};
use proptest::prelude::*;
use proptest::string::string_regex;

/// Generates texts that match a pattern of the API document.
fn texts(pattern: &str) -> impl Strategy<Value = String> {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
    let mut rust = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find("\\u") {
        rust.push_str(&rest[..at]);
        rust.push_str(&format!("\\u{{{}}}", &rest[at + 2..at + 6]));
        rest = &rest[at + 6..];
    }
    rust.push_str(rest);
    string_regex(&rust).unwrap()
}

fn between() -> impl Strategy<Value = String> {
    let some = prop::sample::select("- \t\u{a0}\u{202f}\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{200b}\u{200d}\u{feff}\u{ad}\u{ff0d}\u{e0020}".chars().collect::<Vec<_>>());
    prop::collection::vec(some, 0..3).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_code_is_the_same_with_any_spaces_dashes_and_invisible_characters_and_in_small_letters(
        letters in "[A-Z0-9!_.]{4,20}",
        gaps in prop::collection::vec(between(), 21),
        small in any::<bool>(),
    ) {
        let mut written = gaps[20].clone();
        for (letter, gap) in letters.chars().zip(&gaps) {
            written.push(if small { letter.to_ascii_lowercase() } else { letter });
            written.push_str(gap);
        }
        prop_assume!(!domain::giftcard::code::is_scientific(&letters));
        let folded = RedemptionCode::parse(&letters).unwrap();
        prop_assert_eq!(folded.folded(), letters.as_str());
        prop_assert_eq!(RedemptionCode::parse(&written).unwrap(), folded);
    }

    #[test]
    fn every_text_of_the_documented_pattern_is_a_code_unless_it_is_a_spreadsheets_number(text in texts(CODE_PATTERN)) {
        if text.chars().count() <= domain::giftcard::code::MAX_WRITTEN_LENGTH {
            let folded = plain(&text).replace([' ', '-'], "").to_ascii_uppercase();
            let taken = RedemptionCode::parse(&text).is_ok();
            prop_assert_eq!(taken, !domain::giftcard::code::is_scientific(&folded), "{:?}", text);
        }
    }

    #[test]
    fn a_spreadsheets_number_is_no_code(text in texts(SCIENTIFIC_PATTERN)) {
        prop_assert!(RedemptionCode::parse(&text).is_err());
    }

    #[test]
    fn every_text_of_an_ids_documented_pattern_is_one(caller in texts(CALLER_ID_PATTERN), gateway in texts(GATEWAY_ID_PATTERN)) {
        let reserved = domain::ids::RESERVED_CUSTOMER_IDS.contains(&caller.as_str());
        prop_assert_eq!(CustomerId::parse(&caller).is_ok(), !reserved);
        let dots = domain::ids::DOT_SEGMENTS.contains(&caller.as_str());
        prop_assert_eq!(OrderId::parse(&caller).is_ok() && RecipientId::parse(&caller).is_ok(), !dots);
        prop_assert_eq!(GatewayId::parse(&gateway).is_ok(), !domain::ids::DOT_SEGMENTS.contains(&gateway.as_str()));
    }

    #[test]
    fn no_other_character_is_part_of_an_id(at in 0..4_usize, other in any::<char>()) {
        let allowed = other.is_ascii_alphanumeric() || "._:@-|+=~".contains(other);
        let mut text: Vec<char> = "abcd".chars().collect();
        text[at] = other;
        let text = String::from_iter(text);
        prop_assert_eq!(CustomerId::parse(&text).is_ok(), allowed);
    }
}

#[test]
fn a_code_does_not_print() {
    assert!(!format!("{:?}", RedemptionCode::parse("SECRET-1").unwrap()).contains("SECRET"));
}

#[test]
fn a_dash_in_a_code_makes_no_number_of_it() {
    for (written, other) in [("12E-3456", "12E3456"), ("34e–5678", "34E5678"), ("-LEAD-1", "LEAD1")] {
        assert_eq!(RedemptionCode::parse(written).unwrap(), RedemptionCode::parse(other).unwrap());
    }
    for number in ["6.03571E+15", "6 E+15", "4,68769E17", "4,68769E-17", "6E+\u{200b}15"] {
        assert!(RedemptionCode::parse(number).is_err(), "{number}");
    }
}

//! JSON Schema (draft 2020-12) for the API document, written as JSON, because `utoipa` lacks builders
//! for some keywords.
//!
//! **Invariant:** a schema that is built here describes exactly what its parser in [`crate::input`]
//! accepts.

use domain::currency::Currency;
use domain::time::Date;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::sync::OnceLock;
use utoipa::openapi::RefOr;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType};

/// The pattern of text without control characters and without overrides of the text direction.
pub const PLAIN_TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$";

/// The pattern of such text with at least one character that is not white space.
const SAID_TEXT: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*",
    r"[^\s\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]",
    r"[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$"
);

/// A placeholder for the pattern of the dates after today, which is inserted when the document is
/// generated.
pub const LATER_THAN_TODAY: &str = "(later than today)";

/// Returns the pattern of the dates after `today`: the same digits up to one position, a greater digit
/// there, any digits after it.
pub fn later_than(today: Date) -> String {
    let digits: Vec<char> = today.format("%Y%m%d").to_string().chars().collect();
    let greater = |at: usize| {
        let next = digits.get(at)?.to_digit(10)? + 1;
        let token = |place: usize, digit: &char| match place.cmp(&at) {
            Ordering::Less => digit.to_string(),
            Ordering::Equal => format!("[{next}-9]"),
            Ordering::Greater => "[0-9]".to_owned(),
        };
        let tokens: Vec<String> =
            digits.iter().enumerate().map(|(place, digit)| token(place, digit)).collect();
        let part = |range: std::ops::Range<usize>| tokens.get(range).map(<[String]>::concat);
        let date = [part(0..4)?, part(4..6)?, part(6..8)?].join("-");
        (next <= 9).then_some(date)
    };
    let dates: Vec<String> = (0..digits.len()).filter_map(greater).collect();
    format!("^({})$", dates.join("|"))
}

/// The largest amount that a request may name, in major units.
const MAX_AMOUNT: u64 = 10_000_000_000_000;

/// Converts a JSON Schema to a `utoipa` schema with exactly these keywords.
pub fn component(schema: Value) -> Schema {
    let keywords = match schema {
        Value::Object(keywords) => keywords,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    let builder = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    builder.extensions(Some(keywords.into_iter().collect::<Extensions>())).build().into()
}

/// Converts a JSON Schema to an inline `utoipa` schema.
pub fn inline(schema: Value) -> RefOr<Schema> {
    RefOr::T(component(schema))
}

/// Adds keywords to a schema.
pub fn with(mut schema: Value, more: Value) -> Value {
    if let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more) {
        schema.extend(more);
    }
    schema
}

/// Allows null in addition; it means the same as omitting the field.
pub fn or_null(schema: Value) -> Value {
    let plain = schema.get("type").and_then(Value::as_str).map(str::to_owned);
    match plain {
        Some(kind) if schema.get("not").is_none() && schema.get("enum").is_none() => {
            with(schema, json!({"type": [kind, "null"]}))
        }
        Some(_) | None => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// The schema of one of these words.
pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({"type": "string", "enum": words.into_iter().collect::<Vec<_>>()})
}

/// Matches any of these words, by a pattern: for words that cannot be used as an id.
pub fn one_of_words(words: &[&str]) -> Value {
    json!({"pattern": format!("^({})$", words.join("|").replace('.', r"\."))})
}

/// The schema of text that matches this pattern (ECMA-262).
pub fn pattern(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

/// The schema of a whole number; both bounds are inclusive.
pub fn whole(min: u64, max: u64) -> Value {
    json!({"type": "integer", "minimum": min, "maximum": max})
}

/// The schema of free text, at most 500 characters.
pub fn free_text() -> Value {
    with(pattern(PLAIN_TEXT), json!({"maxLength": 500}))
}

/// The schema of free text that is not blank, at most 500 characters.
pub fn non_blank_text() -> Value {
    with(pattern(SAID_TEXT), json!({"minLength": 1, "maxLength": 500}))
}

/// The schema of an ISO 4217 currency code.
pub fn currency() -> Value {
    static CODES: OnceLock<Vec<&'static str>> = OnceLock::new();
    let codes = CODES.get_or_init(|| Currency::all().map(Currency::code).collect());
    with(words(codes.iter().copied()), json!({"examples": ["INR"]}))
}

/// The schema of money in major units, as a JSON number or decimal text: at least `least_hundredths`,
/// with at most two digits after the point (as in the default currency; accounts in other currencies
/// accept as many as theirs has).
pub fn amount_from(least_hundredths: u64) -> Value {
    let (units, hundredths) = (least_hundredths / 100, least_hundredths % 100);
    let least = if hundredths == 0 { json!(units) } else { decimal(&format!("{units}.{hundredths:02}")) };
    json!({
        "oneOf": [
            {"type": "number", "minimum": least, "maximum": MAX_AMOUNT, "multipleOf": decimal("0.01")},
            {"type": "string", "pattern": amount_pattern(least_hundredths)},
        ],
        "examples": [300, "300.10"],
    })
}

/// The schema of money in major units, above zero.
pub fn amount() -> Value {
    amount_from(1)
}

/// Returns a JSON number that is written exactly like the text.
fn decimal(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Returns the pattern of decimal text of at least `least_hundredths`, which must be at most 100.
fn amount_pattern(least_hundredths: u64) -> String {
    let whole = r"[1-9][0-9]{0,12}(\.[0-9]{1,2})?";
    let most = r"10000000000000(\.0{1,2})?";
    let below_one = match (least_hundredths / 10, least_hundredths % 10) {
        (10.., _) => return format!("^({whole}|{most})$"),
        (0, _) => r"0\.(0[1-9]|[1-9][0-9]?)".to_owned(),
        (tenths, _) => format!(r"0\.[{tenths}-9][0-9]?"),
    };
    format!("^({whole}|{below_one}|{most})$")
}

/// The schema of money in major units as decimal text, above zero.
pub fn amount_text() -> Value {
    pattern(&amount_pattern(1))
}

/// The schema of an amount in a currency without fraction digits.
fn whole_amount() -> Value {
    json!({"oneOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_AMOUNT},
        {"type": "string", "pattern": r"^([1-9][0-9]{0,12}|10000000000000)$"},
    ]})
}

/// The rule that this field of a request is a whole amount if the currency has no fraction digits;
/// `may_be_null` also allows null.
pub fn whole_in_whole_currencies(field: &str, may_be_null: bool) -> Value {
    let codes: Vec<_> =
        Currency::all().filter(|currency| currency.digits() == 0).map(Currency::code).collect();
    let amount = if may_be_null { or_null(whole_amount()) } else { whole_amount() };
    when(
        &json!({"properties": {"currency": {"enum": codes}}, "required": ["currency"]}),
        &json!({"properties": {field: amount}}),
    )
}

/// The schema of an object of strings; `reserved` lists names that are not allowed.
pub fn metadata(reserved: &[&str]) -> Value {
    let name = with(pattern(PLAIN_TEXT), json!({"minLength": 1}));
    let name = if reserved.is_empty() { name } else { with(name, json!({"not": {"enum": reserved}})) };
    json!({
        "type": "object",
        "maxProperties": 20,
        "propertyNames": name,
        "additionalProperties": pattern(PLAIN_TEXT),
        "description": "At most 20 pairs and 2 KB in total",
    })
}

/// The schema of a date or an instant.
pub fn date_or_instant() -> Value {
    json!({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]})
}

/// The schema of a field that must be omitted or null.
pub fn absent() -> Value {
    json!({"type": "null"})
}

/// One variant of an object: the schemas of its fields, and the fields that are required.
pub fn variant(properties: &Value, required: &[&str]) -> Value {
    json!({"properties": properties, "required": required})
}

/// The rule that at least one of these fields is sent, and is not null.
pub fn any_sent(fields: &[&str]) -> Value {
    let sent = |field: &&str| json!({"required": [field], "properties": {*field: {"not": absent()}}});
    json!({"anyOf": fields.iter().map(sent).collect::<Vec<_>>()})
}

/// The rule that two fields exclude each other.
pub fn not_both(one: &str, other: &str) -> Value {
    json!({"anyOf": [{"properties": {one: absent()}}, {"properties": {other: absent()}}]})
}

/// The rule that an object that matches the first schema also matches the second.
pub fn when(condition: &Value, then: &Value) -> Value {
    json!({"if": condition, "then": then})
}

//! The values that only loyalty's callers send: points, numbers of the rules, lines of purchases.
//!
//! **Invariant:** points are whole JSON numbers; every other number is read exactly as it was written.

use domain::currency::Currency;
use domain::ids::{BookingId, LineId, LoyaltyCampaignId, PaymentId, RefundId, VoucherId, VoucherPurchaseId};
use domain::loyalty::adjust::Direction;
use domain::loyalty::numbers::{MAX_POINTS, Points};
use domain::loyalty::program::TierName;
use domain::loyalty::purchase::{Line, LineKind, MAX_LINES};
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use edge::fields::Fields;
use edge::input::{Input, Text};
use edge::json::{self, RawJson};
use edge::schema;
pub(crate) use edge::values::AmountOrZero;
pub(crate) use edge::values::PointsInput;
use edge::values::caller_id;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Points of a request that may be none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointsOrNone(pub(crate) Points);

impl Input for PointsOrNone {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        if raw.get() == "0" { Ok(Self(Points::ZERO)) } else { Points::parse(raw.get()).map(Self) }
    }

    fn schema() -> Value {
        schema::whole(0, MAX_POINTS)
    }
}

macro_rules! words_or_ids {
    ($($type:ty: $schema:expr;)*) => {
        $(impl Text for Sent<$type> {
            fn parse(text: &str) -> Result<Self, ParseError> {
                <$type>::parse(text).map(Sent)
            }

            fn schema() -> Value {
                $schema
            }
        })*
    };
}

/// A value that callers send as text.
#[derive(Clone, Debug)]
pub(crate) struct Sent<T>(pub(crate) T);

words_or_ids! {
    BookingId: caller_id("booking_1");
    PaymentId: caller_id("pay_1");
    RefundId: caller_id("refund_1");
    LineId: caller_id("product_1");
    LoyaltyCampaignId: schema::pattern("^cmp_[0-9a-f]{20}$");
    VoucherId: schema::pattern("^vch_[0-9a-f]{20}$");
    VoucherPurchaseId: schema::pattern("^vbuy_[0-9a-f]{20}$");
    TierName: schema::pattern("^[A-Z0-9_]{1,32}$");
    LineKind: schema::words(LineKind::ALL.map(LineKind::as_str));
}

impl Text for Sent<Direction> {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "in" => Ok(Self(Direction::In)),
            "out" => Ok(Self(Direction::Out)),
            _ => Err(ParseError("must be in or out")),
        }
    }

    fn schema() -> Value {
        schema::words(["in", "out"])
    }
}

/// Reads an object by its fields; its errors are one for the whole, because a field's error names the outermost field.
pub(crate) fn object<T>(
    raw: RawJson<'_>,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, ParseError> {
    const SHAPE: ParseError = ParseError("has an object with a field that is missing, unknown or invalid");
    let mut fields = Fields::parse(raw.get().as_bytes()).map_err(|_| ParseError("must be an object"))?;
    let value = read(&mut fields);
    fields.finish().map_err(|_| SHAPE)?;
    value.ok_or(SHAPE)
}

/// The amount of a line, before its currency is known.
#[derive(Clone, Debug)]
pub(crate) struct LineInput {
    line: Line,
    amount: AmountOrZero,
}

impl Input for LineInput {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        object(raw, |fields| {
            let id = |fields: &mut Fields<'_>, name| fields.optional(name, <Sent<LineId> as Input>::read);
            let line_id = id(fields, "line_id");
            let product_id = id(fields, "product_id");
            let categories = fields.optional("categories", json::list(<Sent<LineId> as Input>::read));
            let kind = fields.optional("kind", <Sent<LineKind> as Input>::read);
            let amount = fields.required("amount", AmountOrZero::read).ok()?;
            let categories = categories.unwrap_or_default();
            if categories.len() > 10 {
                fields.offend("categories", "must be at most 10");
            }
            let text = |id: Sent<LineId>| id.0.to_string();
            let line = Line {
                line_id: line_id.map(text),
                product_id: product_id.map(text),
                categories: categories.into_iter().map(text).collect(),
                kind: kind.map_or(LineKind::Goods, |kind| kind.0),
                amount: Money::ZERO,
            };
            Some(Self { line, amount })
        })
    }

    fn schema() -> Value {
        let id = <Sent<LineId> as Input>::schema;
        json!({
            "type": "object",
            "properties": {
                "line_id": schema::or_null(id()),
                "product_id": schema::or_null(id()),
                "categories": schema::or_null(json!({"type": "array", "items": id(), "maxItems": 10})),
                "kind": schema::or_null(<Sent<LineKind> as Input>::schema()),
                "amount": AmountOrZero::schema(),
            },
            "required": ["amount"],
            "additionalProperties": false,
        })
    }
}

/// The lines of a purchase: at most 100.
#[derive(Clone, Debug)]
pub(crate) struct LinesInput(Vec<LineInput>);

impl LinesInput {
    /// Returns the lines with their amounts; `None` if one has more decimal places than the currency.
    pub(crate) fn in_currency(self, currency: Currency) -> Option<Vec<Line>> {
        let exact = |sent: LineInput| Some(Line { amount: sent.amount.in_currency(currency)?, ..sent.line });
        self.0.into_iter().map(exact).collect()
    }
}

impl Input for LinesInput {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        let lines = json::list(LineInput::read)(raw)?;
        if lines.len() > MAX_LINES {
            return Err(ParseError("must be at most 100 lines"));
        }
        Ok(Self(lines))
    }

    fn schema() -> Value {
        json!({"type": "array", "items": LineInput::schema(), "maxItems": MAX_LINES})
    }
}

/// A part of a refund that comes off a line.
#[derive(Clone, Debug)]
pub(crate) struct RefundLine {
    pub(crate) line_id: String,
    pub(crate) amount: Amount,
}

impl Input for RefundLine {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        object(raw, |fields| {
            let line_id = fields.required("line_id", <Sent<LineId> as Input>::read).ok();
            let amount = fields.required("amount", Amount::read).ok();
            Some(Self { line_id: line_id?.0.to_string(), amount: amount? })
        })
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {"line_id": <Sent<LineId> as Input>::schema(), "amount": Amount::schema()},
            "required": ["line_id", "amount"],
            "additionalProperties": false,
        })
    }
}

/// A number of the rules, sent as a JSON number or a decimal string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleNumber<T>(pub(crate) T);

/// A number of the rules, how it is parsed, and its bounds.
pub(crate) trait Ruled: Sized {
    /// The largest value.
    const MOST: u64;
    /// The number of decimal places.
    const DIGITS: u32;
    /// The pattern of the decimal notation.
    const PATTERN: &'static str;
    /// Parses plain decimal notation.
    fn parse(text: &str) -> Result<Self, ParseError>;
}

macro_rules! ruled {
    ($($type:ident: $most:literal, $digits:literal, $pattern:expr;)*) => {
        $(impl Ruled for domain::loyalty::numbers::$type {
            const MOST: u64 = $most;
            const DIGITS: u32 = $digits;
            const PATTERN: &'static str = $pattern;

            fn parse(text: &str) -> Result<Self, ParseError> {
                <domain::loyalty::numbers::$type>::parse(text)
            }
        })*
    };
}

/// The pattern of 0 to 100 with two decimal places.
const TO_HUNDRED: &str = r"^(100(\.0{1,2})?|(0|[1-9][0-9]?)(\.[0-9]{1,2})?)$";

/// The pattern of 0 to 1 with four decimal places.
const TO_ONE: &str = r"^(1(\.0{1,4})?|0(\.[0-9]{1,4})?)$";

/// The pattern of numbers above 0 and up to a million with six decimal places.
const ABOVE_ZERO: &str = concat!(
    r"^(1000000(\.0{1,6})?|[1-9][0-9]{0,5}(\.[0-9]{1,6})?|0\.([1-9][0-9]{0,5}|0[1-9][0-9]{0,4}|",
    r"00[1-9][0-9]{0,3}|000[1-9][0-9]{0,2}|0000[1-9][0-9]?|00000[1-9]))$"
);

ruled! {
    Multiplier: 100, 2, TO_HUNDRED;
    Share: 1, 4, TO_ONE;
    PointValue: 1_000_000, 6, ABOVE_ZERO;
    ExchangeRate: 1_000_000, 6, ABOVE_ZERO;
    Percent: 100, 2, TO_HUNDRED;
}

impl<T: Ruled> Input for RuleNumber<T> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        // JSON Schema counts 1.0 as an integer, and numbers may have digits that are zero.
        json::decimal(|text| {
            T::parse(text).or_else(|error| shorter(text).map_or(Err(error), |text| T::parse(&text)))
        })(raw)
        .map(Self)
    }

    fn schema() -> Value {
        let least = Decimal::new(1, T::DIGITS).to_string();
        let least = if T::DIGITS == 6 { least } else { "0".to_owned() };
        let least: Value = serde_json::from_str(&least).unwrap_or(json!(0));
        json!({"anyOf": [
            {"type": "integer", "minimum": u64::from(T::DIGITS == 6), "maximum": T::MOST},
            {"type": "number", "minimum": least, "maximum": T::MOST, "multipleOf": least_step(T::DIGITS)},
            {"type": "string", "pattern": T::PATTERN},
        ]})
    }
}

fn least_step(digits: u32) -> Value {
    serde_json::from_str(&Decimal::new(1, digits).to_string()).unwrap_or(json!(1))
}

/// Returns a number without the zeros at its end.
fn shorter(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.')?;
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

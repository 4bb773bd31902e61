//! The values that callers send: how each type is parsed, and its schema in the API document.
//!
//! **Invariant:** parser and schema of a type are defined together and accept the same;
//! `tests/laws/inputs.rs` compares them.

use crate::json::{self, RawJson};
use crate::schema;
use domain::alert::AlertStatus;
use domain::budget::Mode;
use domain::currency::Currency;
use domain::giftcard::Supplier;
use domain::giftcard::code::{CODE_PATTERN, MAX_WRITTEN_LENGTH, RedemptionCode, SCIENTIFIC_PATTERN};
use domain::ids::budget::{AccountId, BrandId, BudgetKind, PoolId, RedemptionId};
use domain::ids::{
    AlertId, CALLER_ID_PATTERN, CustomerId, DOT_SEGMENTS, EventId, GATEWAY_ID_PATTERN, Gateway, GatewayId,
    HoldId, OrderId, RESERVED_CUSTOMER_IDS, RESERVED_ORDER_IDS, RecipientId, SupplierProductId, TopUpId,
};
use domain::ledger::lot::CreditSource;
use domain::money::Amount;
use domain::parse::ParseError;
use domain::text::{FreeText, Metadata};
use domain::time::{Date, Timestamp};
use serde_json::{Value, json};

/// A value that is sent in a path, in a query or as a JSON string.
pub trait Text: Sized {
    /// Parses the text.
    fn parse(text: &str) -> Result<Self, ParseError>;
    /// Returns the JSON Schema of the accepted values.
    fn schema() -> Value;
}

/// A value that is sent in a JSON body.
pub trait Input: Sized {
    /// Reads the JSON value.
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError>;
    /// Returns the JSON Schema of the accepted values.
    fn schema() -> Value;
}

impl<T: Text> Input for T {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        json::of(T::parse)(raw)
    }

    fn schema() -> Value {
        T::schema()
    }
}

macro_rules! texts {
    ($($type:ty: $schema:expr;)*) => {
        $(impl Text for $type {
            fn parse(text: &str) -> Result<Self, ParseError> {
                <$type>::parse(text)
            }

            fn schema() -> Value {
                $schema
            }
        })*
    };
}

fn id(pattern: &str, reserved: &[&str], example: &str) -> Value {
    let reserved = schema::one_of_words(reserved);
    let bounds = json!({"minLength": 1, "maxLength": 128, "not": reserved, "examples": [example]});
    schema::with(schema::pattern(pattern), bounds)
}

texts! {
    CustomerId: id(CALLER_ID_PATTERN, &RESERVED_CUSTOMER_IDS, "cust_123");
    OrderId: id(CALLER_ID_PATTERN, &RESERVED_ORDER_IDS, "order_789");
    RecipientId: id(CALLER_ID_PATTERN, &DOT_SEGMENTS, "cust_123");
    SupplierProductId: id(CALLER_ID_PATTERN, &DOT_SEGMENTS, "4711");
    GatewayId: id(GATEWAY_ID_PATTERN, &DOT_SEGMENTS, "3C679366HH908993F");
    AccountId: schema::pattern("^(platform|acct_[acm][0-9a-f]{20})$");
    BrandId: schema::pattern("^brand_[0-9a-f]{20}$");
    PoolId: schema::pattern("^pool_[0-9a-f]{20}$");
    RedemptionId: schema::pattern("^rdm_[0-9a-f]{32}$");
    HoldId: schema::pattern("^hold_[A-Za-z0-9_-]{2,171}\\.[0-9a-f]{20}$");
    TopUpId: json!({
        "type": "string",
        "pattern": "^topup_[0-9a-f]{20}\\.[A-Za-z0-9._:@|+=~-]{1,128}$",
        "not": {"pattern": "^topup_[0-9a-f]{20}\\.(create|bulk|rewards|referral|holds|health|\\.|\\.\\.)$"},
    });
    EventId: json!({
        "type": "string",
        "pattern": "^(razorpay|stripe|paypal|google-pay):[A-Za-z0-9._:@-]{1,128}$",
        "not": {"pattern": "^[a-z-]+:\\.\\.?$"},
    });
    AlertStatus: schema::words(AlertStatus::ALL.map(AlertStatus::as_str));
    AlertId: schema::pattern("^alert_[0-9a-f]{20}$");
    Currency: schema::currency();
    FreeText: schema::free_text();
    Gateway: schema::words(Gateway::ALL.map(Gateway::as_str));
    Supplier: schema::words(["reloadly", "tremendous"]);
    BudgetKind: schema::words(BudgetKind::BELOW.map(BudgetKind::as_str));
    Mode: schema::words(["shared", "isolated"]);
    RedemptionCode: json!({
        "type": "string",
        "pattern": CODE_PATTERN,
        "maxLength": MAX_WRITTEN_LENGTH,
        "not": {"pattern": SCIENTIFIC_PATTERN},
        "examples": ["SPRING-0001"],
    });
}

/// Text that is not blank, such as a name or a required reason.
#[derive(Clone, Debug)]
pub struct NonBlankText(pub FreeText);

impl Text for NonBlankText {
    fn parse(text: &str) -> Result<Self, ParseError> {
        // A byte order mark counts as blank, although it is not white space.
        if text.chars().all(|c| c.is_whitespace() || c == '\u{feff}') {
            return Err(ParseError("must not be empty"));
        }
        FreeText::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::non_blank_text()
    }
}

/// A source of credit that callers may name: every one except `topup`.
#[derive(Clone, Copy, Debug)]
pub struct CallersSource(pub CreditSource);

impl CallersSource {
    fn all() -> impl Iterator<Item = CreditSource> {
        CreditSource::ALL.into_iter().filter(|source| *source != CreditSource::Topup)
    }
}

impl Text for CallersSource {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let source = CreditSource::parse(text)?;
        if source == CreditSource::Topup {
            return Err(ParseError("is reserved for captured payments"));
        }
        Ok(Self(source))
    }

    fn schema() -> Value {
        schema::words(Self::all().map(CreditSource::as_str))
    }
}

/// A budget account whose kind depends on other fields; the request's rules contain the pattern.
#[derive(Clone, Debug)]
pub struct RelatedAccountId(pub AccountId);

impl Text for RelatedAccountId {
    fn parse(text: &str) -> Result<Self, ParseError> {
        AccountId::parse(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "maxLength": 26})
    }
}

/// A budget account with a parent, that is, any account except the platform.
#[derive(Clone, Debug)]
pub struct ChildAccountId(pub AccountId);

impl Text for ChildAccountId {
    /// Also accepts the platform; the operation rejects it where a child is required.
    fn parse(text: &str) -> Result<Self, ParseError> {
        AccountId::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::pattern("^acct_[acm][0-9a-f]{20}$")
    }
}

/// The id of a campaign.
#[derive(Clone, Debug)]
pub struct CampaignId(pub AccountId);

impl Text for CampaignId {
    /// Also accepts accounts of other kinds; the operation rejects them where a campaign is required.
    fn parse(text: &str) -> Result<Self, ParseError> {
        AccountId::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::pattern("^acct_m[0-9a-f]{20}$")
    }
}

/// The last date on which credit is valid. The operation checks that it is later than today.
#[derive(Clone, Copy, Debug)]
pub struct ExpiryDate(pub Date);

impl Text for ExpiryDate {
    fn parse(text: &str) -> Result<Self, ParseError> {
        domain::time::parse_date(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date", "pattern": schema::LATER_THAN_TODAY})
    }
}

const PERIOD: ParseError = ParseError("must be a date such as 2026-01-28 or an RFC 3339 instant");

/// The start of a period: an instant, or a date, which stands for its first instant.
#[derive(Clone, Copy, Debug)]
pub struct From(pub Timestamp);

impl Text for From {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let date = domain::time::parse_date(text).map(Timestamp::start_of);
        date.or_else(|_| Timestamp::parse_clamped(text)).map(Self).map_err(|_| PERIOD)
    }

    fn schema() -> Value {
        schema::date_or_instant()
    }
}

/// The end of a period: an instant, or a date, which stands for the end of that date.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// The end of the period.
    pub at: Timestamp,
    /// True if an instant was sent, false if a date was sent.
    pub is_instant: bool,
}

impl Text for Until {
    fn parse(text: &str) -> Result<Self, ParseError> {
        if let Ok(date) = domain::time::parse_date(text) {
            return Ok(Self { at: Timestamp::end_of(date), is_instant: false });
        }
        Timestamp::parse_clamped(text).map(|at| Self { at, is_instant: true }).map_err(|_| PERIOD)
    }

    fn schema() -> Value {
        schema::date_or_instant()
    }
}

impl Input for Amount {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        json::amount(raw)
    }

    fn schema() -> Value {
        schema::amount()
    }
}

impl Input for Metadata {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        json::metadata(raw)
    }

    fn schema() -> Value {
        schema::metadata(&[])
    }
}

impl Input for bool {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        json::boolean(raw)
    }

    fn schema() -> Value {
        json!({"type": "boolean"})
    }
}

/// Declares whole numbers within bounds, one type for each use.
#[macro_export]
macro_rules! whole_numbers {
    ($($(#[$doc:meta])* $vis:vis $name:ident($type:ty): $min:literal to $max:literal, $unit:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            $vis struct $name($vis $type);

            impl $crate::input::Text for $name {
                fn parse(text: &str) -> Result<Self, domain::parse::ParseError> {
                    const SHAPE: domain::parse::ParseError =
                        domain::parse::ParseError(concat!("must be a whole number", $unit, " from ", $min, " to ", $max));
                    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                    let number = text.parse::<$type>().ok().filter(|_| plain);
                    number.filter(|number| ($min..=$max).contains(number)).map(Self).ok_or(SHAPE)
                }

                fn schema() -> serde_json::Value {
                    $crate::schema::whole($min, $max)
                }
            }
        )*
    };
}

crate::whole_numbers! {
    /// The number of elements of a page, 1 to 100.
    pub Limit(u16): 1 to 100, "";
    /// The number of elements to skip, 0 to 10 000.
    pub Skip(u16): 0 to 10000, "";
    /// A number of days from today, 0 to 36 500.
    pub DaysAhead(u16): 0 to 36500, " of days";
    /// The number of days for which credit is valid, 1 to 36 500.
    pub ExpiryDays(u32): 1 to 36500, " of days";
    /// The duration of a hold in seconds, 60 to 2 678 400 (31 days).
    pub HoldSeconds(u32): 60 to 2_678_400, " of seconds";
    /// The number of slices of a budget account, 1 to 64.
    pub Slices(u8): 1 to 64, "";
    /// The number of redemption codes to mint in one request, 1 to 1000.
    pub CodeCount(u32): 1 to 1000, "";
    /// A number of cards, 0 to 1 000 000.
    pub CardCount(u32): 0 to 1_000_000, "";
}

/// A whole number that is sent as a JSON number.
#[derive(Clone, Copy, Debug)]
pub struct NumberInput<T>(pub T);

impl<T: Text> Input for NumberInput<T> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        // JSON Schema counts 25.0 as an integer, too.
        let text = raw.get();
        let whole = text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|b| b == b'0'));
        T::parse(whole.map_or(text, |(whole, _)| whole)).map(Self)
    }

    fn schema() -> Value {
        T::schema()
    }
}

/// A list of `MIN` to `MAX` elements.
#[derive(Clone, Debug)]
pub struct List<T, const MIN: usize, const MAX: usize>(pub Vec<T>);

impl<T: Input, const MIN: usize, const MAX: usize> Input for List<T, MIN, MAX> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        let items = json::list(T::read)(raw)?;
        if !(MIN..=MAX).contains(&items.len()) {
            return Err(ParseError("has too few or too many elements"));
        }
        Ok(Self(items))
    }

    fn schema() -> Value {
        json!({"type": "array", "items": T::schema(), "minItems": MIN, "maxItems": MAX})
    }
}

//! How cards and the codes of vouchers are sent: the fields of requests, and what is shown.
//!
//! **Invariant:** an address is shown masked, and is not printed.

use crate::fields::Fields;
use crate::input::Text;
use crate::schema;
use domain::giftcard::redemption::Method;
use domain::parse::ParseError;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Method by which a card is sent; None for `none`.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryMethod(Option<Method>);

impl Text for DeliveryMethod {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Method::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(["email", "sms", "whatsapp", "none"])
    }
}

/// Address to which a card is sent; it is validated once the method is known.
#[derive(Clone)]
pub struct DeliveryAddress(String);

impl Text for DeliveryAddress {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({"type": "string", "maxLength": 254})
    }
}

/// Delivery of a card, or of the code of a voucher, to its recipient.
#[derive(Serialize, ToSchema)]
pub struct DeliveryBody {
    /// email, sms or whatsapp; null: the card is not sent
    method: Option<&'static str>,
    /// Masked e-mail address or telephone number.
    address: Option<String>,
    /// none, queued or sent
    status: &'static str,
}

impl DeliveryBody {
    /// Renders a delivery by its method and masked address.
    pub fn new(delivery: Option<(Method, &str)>, status: &'static str) -> Self {
        let (method, address) = delivery.unzip();
        Self { method: method.map(Method::as_str), address: address.map(str::to_owned), status }
    }
}

/// Patterns of the e-mail addresses and telephone numbers that [`Method::address`] accepts.
const EMAIL: &str = r"^[!-?A-~]+@[!-?A-~]*\.[!-?A-~]*$";
const TELEPHONE: &str = r"^\+?[0-9]{7,15}$";

/// Returns the rules of the delivery fields: no address without a method, and an address of the
/// method's kind with one.
pub fn rules() -> Value {
    let both = ["delivery_method", "delivery_address"];
    let none = json!({"anyOf": [schema::absent(), {"const": "none"}]});
    json!({"oneOf": [
        {"properties": {"delivery_method": none, "delivery_address": schema::absent()}},
        schema::variant(
            &json!({"delivery_method": {"const": "email"}, "delivery_address": schema::pattern(EMAIL)}),
            &both,
        ),
        schema::variant(
            &json!({
                "delivery_method": schema::words(["sms", "whatsapp"]),
                "delivery_address": schema::pattern(TELEPHONE),
            }),
            &both,
        ),
    ]})
}

/// Reports delivery fields that do not fit together.
pub fn check(fields: &mut Fields<'_>, method: Option<&DeliveryMethod>, address: Option<&DeliveryAddress>) {
    match (method.and_then(|method| method.0), address) {
        (Some(method), Some(address)) => {
            if let Err(error) = method.address(&address.0) {
                fields.offend("delivery_address", error.0);
            }
        }
        (Some(_), None) => fields.offend("delivery_address", "is required with a delivery_method"),
        (None, Some(_)) => fields.offend("delivery_method", "is required with a delivery_address"),
        (None, None) => {}
    }
}

/// Returns the method and the normalized address; None if the card is not sent.
pub fn wanted(method: Option<DeliveryMethod>, address: Option<DeliveryAddress>) -> Option<(Method, String)> {
    let method = method?.0?;
    Some((method, method.address(&address?.0).ok()?))
}

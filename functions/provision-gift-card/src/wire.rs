//! What callers send, read into wishes; raw strings stop here.
//!
//! **Invariant:** a redemption code becomes a keyed digest here, and goes no further.

use domain::giftcard::code::RedemptionCode;
use domain::giftcard::redemption::Method;
use domain::ids::RecipientId;
use domain::ids::budget::BrandId;
use domain::money::Amount;
use domain::parse::ParseError;
use edge::fields::Fields;
use edge::input::{CampaignId, Text};
use edge::{ApiRequest, Problem, request, schema};
use issuing::IssueRequest;
use serde_json::{Value, json};
use vault::Vault;

/// How a card is to be sent.
pub(crate) struct DeliveryMethod(Option<Method>);

impl Text for DeliveryMethod {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Method::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(["email", "sms", "whatsapp", "none"])
    }
}

/// Where it is to be sent; whether it is such an address is said when the method is known.
pub(crate) struct DeliveryAddress(String);

impl Text for DeliveryAddress {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({"type": "string", "maxLength": 254})
    }
}

/// A code of an end customer: what cannot be one is a wrong code like any other.
pub(crate) struct TriedCode(Option<RedemptionCode>);

impl Text for TriedCode {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self(RedemptionCode::parse(text).ok()))
    }

    fn schema() -> Value {
        json!({"type": "string", "description": "What cannot be a code is answered as any other wrong one"})
    }
}

request! {
    /// Issue a card.
    pub(crate) struct ProvisionRequest {
        /// On whose budget.
        campaign_id: CampaignId,
        /// Of which brand.
        brand_id: BrandId,
        /// One of the brand's.
        denomination: Amount,
        /// One code of a campaign yields one card, ever.
        redemption_code: RedemptionCode,
        /// Whom it is for: they may see it again.
        recipient_id: Option<RecipientId>,
        /// `none`, if left out.
        delivery_method: Option<DeliveryMethod>,
        /// An e-mail address, or a telephone number such as +919812345678.
        delivery_address: Option<DeliveryAddress>,
    }
    check(fields) {
        whole_delivery(fields, delivery_method.as_ref(), delivery_address.as_ref());
    }
    rules [delivery_rules()]
}

request! {
    /// Redeem a code.
    pub(crate) struct RedeemRequest {
        /// The code.
        redemption_code: TriedCode,
        /// `none`, if left out.
        delivery_method: Option<DeliveryMethod>,
        /// An e-mail address, or a telephone number such as +919812345678.
        delivery_address: Option<DeliveryAddress>,
    }
    check(fields) {
        whole_delivery(fields, delivery_method.as_ref(), delivery_address.as_ref());
    }
    rules [delivery_rules()]
}

/// What an e-mail address and a telephone number look like, as [`Method::address`] reads them.
const EMAIL: &str = r"^[!-?A-~]+@[!-?A-~]*\.[!-?A-~]*$";
const TELEPHONE: &str = r"^\+?[0-9]{7,15}$";

/// Without a method there is no address; with one, it is of its kind.
fn delivery_rules() -> Value {
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

/// Notes what of a way of delivery does not go together.
fn whole_delivery(
    fields: &mut Fields<'_>,
    method: Option<&DeliveryMethod>,
    address: Option<&DeliveryAddress>,
) {
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

/// How and where it is to be sent.
fn delivery(method: Option<DeliveryMethod>, address: Option<DeliveryAddress>) -> Option<(Method, String)> {
    let method = method?.0?;
    Some((method, method.address(&address?.0).ok()?))
}

pub(crate) fn provision(request: &ApiRequest, vault: &Vault) -> Result<IssueRequest, Problem> {
    let sent = ProvisionRequest::read(request.fields()?)?;
    request.key()?;
    let CampaignId(campaign) = sent.campaign_id;
    let redemption = vault.redemption_id(&campaign, &sent.redemption_code).ok_or_else(Problem::internal)?;
    Ok(IssueRequest {
        campaign,
        brand: sent.brand_id,
        denomination: sent.denomination,
        redemption,
        recipient: sent.recipient_id,
        delivery: delivery(sent.delivery_method, sent.delivery_address),
        origin: (request.origin().ip.clone(), request.origin().user_agent.clone()),
        wait: None,
    })
}

/// What an end customer sends.
pub(crate) struct Redeem {
    /// None if the text cannot be a code.
    pub(crate) code: Option<RedemptionCode>,
    pub(crate) delivery: Option<(Method, String)>,
}

pub(crate) fn redeem(request: &ApiRequest) -> Result<Redeem, Problem> {
    let sent = RedeemRequest::read(request.anonymous_fields()?)?;
    request.key()?;
    let TriedCode(code) = sent.redemption_code;
    Ok(Redeem { code, delivery: delivery(sent.delivery_method, sent.delivery_address) })
}

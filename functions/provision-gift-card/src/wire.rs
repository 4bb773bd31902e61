//! What callers send, read into wishes; raw strings stop here.
//!
//! **Invariant:** a redemption code becomes a keyed digest here, and goes no further.

use domain::budget::ids::{AccountId, BrandId};
use domain::giftcard::code::RedemptionCode;
use domain::giftcard::redemption::Method;
use domain::ids::RecipientId;
use edge::fields::Fields;
use edge::json::amount_schema;
use edge::{Ask, Problem, json};
use issuing::Wish;
use utoipa::ToSchema;
use vault::Vault;

/// Issue a card.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `provision` reads
pub(crate) struct ProvisionRequest {
    campaign_id: String,
    brand_id: String,
    /// One of the brand's.
    #[schema(schema_with = amount_schema)]
    denomination: String,
    /// One code of a campaign comes to one card, ever.
    #[schema(min_length = 4, max_length = 128)]
    redemption_code: String,
    /// Whom it is for: they may see it again.
    #[schema(min_length = 1, max_length = 128)]
    recipient_id: Option<String>,
    /// email, sms, whatsapp or none (default)
    #[schema(examples("email"))]
    delivery_method: Option<String>,
    /// An e-mail address, or a telephone number such as +919812345678.
    delivery_address: Option<String>,
}

/// Redeem a code.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `redeem` reads
pub(crate) struct RedeemRequest {
    #[schema(min_length = 4, max_length = 128)]
    redemption_code: String,
    /// email, sms, whatsapp or none (default)
    delivery_method: Option<String>,
    delivery_address: Option<String>,
}

/// How and where it is to be sent, read together.
fn delivery(fields: &mut Fields<'_>) -> Option<(Method, String)> {
    let method = fields.optional("delivery_method", json::of(Method::parse)).flatten();
    let address = fields.optional("delivery_address", json::of(|text| Ok(text.to_owned())));
    match (method, address) {
        (Some(method), Some(address)) => match method.address(&address) {
            Ok(address) => Some((method, address)),
            Err(error) => {
                fields.offend("delivery_address", error.0);
                None
            }
        },
        (Some(_), None) => {
            fields.offend("delivery_address", "is required with a delivery_method");
            None
        }
        (None, Some(_)) => {
            fields.offend("delivery_method", "is required with a delivery_address");
            None
        }
        (None, None) => None,
    }
}

pub(crate) fn provision(ask: &Ask, vault: &Vault) -> Result<Wish, Problem> {
    let mut fields = ask.fields()?;
    let campaign = fields.required("campaign_id", json::of(AccountId::parse));
    let brand = fields.required("brand_id", json::of(BrandId::parse));
    let denomination = fields.required("denomination", json::amount);
    let code = fields.required("redemption_code", json::of(RedemptionCode::parse));
    let recipient = fields.optional("recipient_id", json::of(RecipientId::parse));
    let delivery = delivery(&mut fields);
    fields.finish()?;
    ask.key()?;
    let campaign = campaign?;
    let redemption = vault.redemption_id(&campaign, &code?).ok_or_else(Problem::internal)?;
    let origin = (ask.origin().ip.clone(), ask.origin().user_agent.clone());
    Ok(Wish {
        campaign,
        brand: brand?,
        denomination: denomination?,
        redemption,
        recipient,
        delivery,
        origin,
        wait: None,
    })
}

/// What an end customer sends.
pub(crate) struct Redeem {
    /// None if the text cannot be a code.
    pub(crate) code: Option<RedemptionCode>,
    pub(crate) delivery: Option<(Method, String)>,
}

pub(crate) fn redeem(ask: &Ask) -> Result<Redeem, Problem> {
    let mut fields = ask.open_fields()?;
    // A text that cannot be a code is a wrong code like any other.
    let code = fields.required("redemption_code", json::of(|text| Ok(RedemptionCode::parse(text).ok())));
    let delivery = delivery(&mut fields);
    fields.finish()?;
    ask.key()?;
    Ok(Redeem { code: code?, delivery })
}

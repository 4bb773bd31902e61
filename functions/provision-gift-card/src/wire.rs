//! Parses requests into issue requests; unparsed strings go no further.
//!
//! **Invariant:** a redemption code of a backend or account holder is converted into a keyed digest
//! here and goes no further; that of an end customer is converted in [`crate::redeem`].

use domain::giftcard::code::RedemptionCode;
use domain::giftcard::redemption::Method;
use domain::ids::RecipientId;
use domain::ids::budget::{AccountId, BrandId};
use domain::money::Amount;
use domain::parse::ParseError;
use edge::delivery::{self, DeliveryAddress, DeliveryMethod};
use edge::input::{CampaignId, Text};
use edge::{ApiRequest, Problem, request};
use issuing::IssueRequest;
use serde_json::{Value, json};
use vault::Vault;

/// Code from an end customer; None if the text cannot be a code, which is then treated like any
/// other wrong code.
pub(crate) struct TriedCode(Option<RedemptionCode>);

impl Text for TriedCode {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self(RedemptionCode::parse(text).ok()))
    }

    fn schema() -> Value {
        json!({"type": "string", "description": "Text that cannot be a code is answered like any other wrong code"})
    }
}

request! {
    /// A request to issue the card for a redemption code.
    pub(crate) struct ProvisionRequest {
        /// Campaign whose budget pays.
        campaign_id: CampaignId,
        /// Brand of the card.
        brand_id: BrandId,
        /// Face value of the card; one of the brand's denominations.
        denomination: Amount,
        /// Each code of a campaign yields one card.
        redemption_code: RedemptionCode,
        /// Customer who receives the card, and may read and reveal it later.
        recipient_id: Option<RecipientId>,
        /// Defaults to `none`.
        delivery_method: Option<DeliveryMethod>,
        /// E-mail address, or telephone number such as +919812345678.
        delivery_address: Option<DeliveryAddress>,
    }
    check(fields) {
        delivery::check(fields, delivery_method.as_ref(), delivery_address.as_ref());
    }
    rules [delivery::rules()]
}

request! {
    /// A redemption of a code by an end customer.
    pub(crate) struct RedeemRequest {
        /// The code; case, spaces and dashes make no difference.
        redemption_code: TriedCode,
        /// Campaign of the code; required for codes that were registered, not for minted ones.
        campaign_id: Option<CampaignId>,
        /// Defaults to `none`.
        delivery_method: Option<DeliveryMethod>,
        /// E-mail address, or telephone number such as +919812345678.
        delivery_address: Option<DeliveryAddress>,
    }
    check(fields) {
        delivery::check(fields, delivery_method.as_ref(), delivery_address.as_ref());
    }
    rules [delivery::rules()]
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
        delivery: delivery::wanted(sent.delivery_method, sent.delivery_address),
        origin: (request.origin().ip.clone(), request.origin().user_agent.clone()),
        wait: None,
    })
}

/// A parsed redemption by an end customer.
pub(crate) struct Redeem {
    /// None if the sent text cannot be a code.
    pub(crate) code: Option<RedemptionCode>,
    pub(crate) campaign: Option<AccountId>,
    pub(crate) delivery: Option<(Method, String)>,
}

pub(crate) fn redeem(request: &ApiRequest) -> Result<Redeem, Problem> {
    let sent = RedeemRequest::read(request.anonymous_fields()?)?;
    request.key()?;
    let TriedCode(code) = sent.redemption_code;
    let campaign = sent.campaign_id.map(|CampaignId(campaign)| campaign);
    Ok(Redeem { code, campaign, delivery: delivery::wanted(sent.delivery_method, sent.delivery_address) })
}

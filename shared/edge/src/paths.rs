//! The ids in paths.
//!
//! **Invariant:** a path segment is parsed by the type that the API document describes.

use crate::input::{CampaignId, ChildAccountId};
use crate::schema;
use domain::ids::budget::{AccountId, PoolId, RedemptionId};
use domain::ids::{AlertId, CustomerId, EventId, HoldId, OrderId, TopUpId};
use domain::parse::ParseError;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

/// A path parameter.
pub trait Segment {
    /// The name of the parameter in the route.
    const NAME: &'static str;
    /// The type of the parsed value.
    type Id;
    /// Parses the segment.
    fn parse(text: &str) -> Result<Self::Id, ParseError>;
}

/// Declares path parameters.
#[macro_export]
macro_rules! segments {
    ($($(#[$doc:meta])* $vis:vis $segment:ident: $name:literal, $id:ty, $description:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            $vis struct $segment;

            impl $crate::paths::Segment for $segment {
                const NAME: &'static str = $name;
                type Id = $id;

                fn parse(text: &str) -> Result<$id, domain::parse::ParseError> {
                    <$id as $crate::input::Text>::parse(text)
                }
            }

            impl utoipa::IntoParams for $segment {
                fn into_params(
                    _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
                ) -> Vec<utoipa::openapi::path::Parameter> {
                    vec![$crate::paths::parameter(
                        $name,
                        $description,
                        <$id as $crate::input::Text>::schema(),
                    )]
                }
            }
        )*
    };
}

/// Describes a path parameter.
pub fn parameter(name: &str, description: &str, mut schema: Value) -> Parameter {
    if let (CustomerPath::NAME | "user_id", Some(keywords)) = (name, schema.as_object_mut()) {
        // A reserved word in this position is another path with its own description.
        keywords.remove("not");
    }
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema::inline(schema)))
        .build()
}

segments! {
    /// `{customer_id}`
    pub CustomerPath: "customer_id", CustomerId, "Id of the wallet's customer; words of other paths, such as `create` and `holds`, are not valid ids";
    /// `{hold_id}`
    pub HoldPath: "hold_id", HoldId, "Id of the hold";
    /// `{order_id}`
    pub OrderPath: "order_id", OrderId, "Id of the order";
    /// `{topup_id}`
    pub TopUpPath: "topup_id", TopUpId, "Id of the top-up";
    /// `{event_id}`
    pub EventPath: "event_id", EventId, "Id of the gateway's report";
    /// `{account_id}`
    pub AccountPath: "account_id", AccountId, "Id of the budget account";
    /// `{account_id}` of an account that has a parent.
    pub ChildAccountPath: "account_id", ChildAccountId, "Id of the budget account";
    /// `{campaign_id}`
    pub CampaignPath: "campaign_id", CampaignId, "Id of the campaign";
    /// `{pool_id}`
    pub PoolPath: "pool_id", PoolId, "Id of the pool";
    /// `{redemption_id}`
    pub RedemptionPath: "redemption_id", RedemptionId, "Id of the redemption";
    /// `{alert_id}`
    pub AlertPath: "alert_id", AlertId, "Id of the alert";
}

/// `{transaction_id}`: each ledger parses it in its own way; an invalid id is answered as not found.
#[derive(Clone, Copy, Debug)]
pub struct TransactionPath;

impl IntoParams for TransactionPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = json!({"type": "string", "pattern": "^txn_[0-9]{1,15}_[0-9a-f]{20}$"});
        vec![parameter("transaction_id", "Id of the transaction", schema)]
    }
}

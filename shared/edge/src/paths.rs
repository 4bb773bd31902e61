//! The ids in paths.
//!
//! **Invariant:** a path segment is parsed by the type that the API document describes.

use crate::input::{CampaignId, ChildAccountId, Text};
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

macro_rules! segments {
    ($($(#[$doc:meta])* $segment:ident: $name:literal, $id:ty, $description:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $segment;

            impl Segment for $segment {
                const NAME: &'static str = $name;
                type Id = $id;

                fn parse(text: &str) -> Result<$id, ParseError> {
                    <$id as Text>::parse(text)
                }
            }

            impl IntoParams for $segment {
                fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                    vec![parameter($name, $description, <$id as Text>::schema())]
                }
            }
        )*
    };
}

fn parameter(name: &str, description: &str, mut schema: Value) -> Parameter {
    if let (CustomerPath::NAME, Some(keywords)) = (name, schema.as_object_mut()) {
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
    CustomerPath: "customer_id", CustomerId, "Id of the wallet's customer; words of other paths, such as `create` and `holds`, are not valid ids";
    /// `{hold_id}`
    HoldPath: "hold_id", HoldId, "Id of the hold";
    /// `{order_id}`
    OrderPath: "order_id", OrderId, "Id of the order";
    /// `{topup_id}`
    TopUpPath: "topup_id", TopUpId, "Id of the top-up";
    /// `{event_id}`
    EventPath: "event_id", EventId, "Id of the gateway's report";
    /// `{account_id}`
    AccountPath: "account_id", AccountId, "Id of the budget account";
    /// `{account_id}` of an account that has a parent.
    ChildAccountPath: "account_id", ChildAccountId, "Id of the budget account";
    /// `{campaign_id}`
    CampaignPath: "campaign_id", CampaignId, "Id of the campaign";
    /// `{pool_id}`
    PoolPath: "pool_id", PoolId, "Id of the pool";
    /// `{redemption_id}`
    RedemptionPath: "redemption_id", RedemptionId, "Id of the redemption";
    /// `{alert_id}`
    AlertPath: "alert_id", AlertId, "Id of the alert";
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

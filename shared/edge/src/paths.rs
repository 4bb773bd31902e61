//! The ids that stand in paths.
//!
//! **Invariant:** what a path's segment is read as is what the API document says of it.

use crate::input::{CampaignId, ChildAccountId, Text};
use crate::schema;
use domain::ids::budget::{AccountId, PoolId, RedemptionId};
use domain::ids::{AlertId, CustomerId, EventId, HoldId, OrderId, TopUpId};
use domain::parse::ParseError;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

/// A segment of a path.
pub trait Segment {
    /// Its name in the route.
    const NAME: &'static str;
    /// What it is.
    type Id;
    /// Reads it.
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
        // A reserved word in its place makes another path, which has its own description.
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
    CustomerPath: "customer_id", CustomerId, "Whose wallet; the words of other paths, such as `create` and `holds`, are no ids";
    /// `{hold_id}`
    HoldPath: "hold_id", HoldId, "Which hold";
    /// `{order_id}`
    OrderPath: "order_id", OrderId, "Which order";
    /// `{topup_id}`
    TopUpPath: "topup_id", TopUpId, "Which top-up";
    /// `{event_id}`
    EventPath: "event_id", EventId, "Which report of a gateway";
    /// `{account_id}`
    AccountPath: "account_id", AccountId, "Which account";
    /// `{account_id}` of an account below another.
    ChildAccountPath: "account_id", ChildAccountId, "Which account";
    /// `{campaign_id}`
    CampaignPath: "campaign_id", CampaignId, "Which campaign";
    /// `{pool_id}`
    PoolPath: "pool_id", PoolId, "Which pool";
    /// `{redemption_id}`
    RedemptionPath: "redemption_id", RedemptionId, "Which redemption";
    /// `{alert_id}`
    AlertPath: "alert_id", AlertId, "Which alert";
}

/// `{transaction_id}`: read by each ledger in its own way; what is none is not found.
#[derive(Clone, Copy, Debug)]
pub struct TransactionPath;

impl IntoParams for TransactionPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = json!({"type": "string", "pattern": "^txn_[0-9]{1,15}_[0-9a-f]{20}$"});
        vec![parameter("transaction_id", "Which movement", schema)]
    }
}

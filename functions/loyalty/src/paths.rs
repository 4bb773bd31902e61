//! The ids in the paths of loyalty.
//!
//! **Invariant:** a path segment is parsed by the type that the API document describes.

use crate::input::Sent;
use crate::program_input::Version;
use crate::redemption_wire::LockToken;
use domain::ids::{BookingId, CustomerId, LineId, LoyaltyCampaignId, RefundId, VoucherId, VoucherPurchaseId};
use domain::parse::ParseError;
use edge::input::Text;
use edge::schema;
use serde_json::Value;

/// The kind of a purchase in a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A booking.
    Booking,
    /// A payment.
    Payment,
    /// An order, for the credit that its delivery gave.
    Order,
}

impl Text for Kind {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "booking" => Ok(Self::Booking),
            "payment" => Ok(Self::Payment),
            "order" => Ok(Self::Order),
            _ => Err(ParseError("must be booking, payment or order")),
        }
    }

    fn schema() -> Value {
        schema::words(["booking", "payment", "order"])
    }
}

edge::segments! {
    /// `{user_id}`
    pub(crate) UserPath: "user_id", CustomerId, "Id of the customer";
    /// `{token}`
    pub(crate) TokenPath: "token", LockToken, "Token of the redemption";
    /// `{refund_id}`
    pub(crate) RefundPath: "refund_id", Sent<RefundId>, "Id of the refund";
    /// `{booking_id}`
    pub(crate) BookingPath: "booking_id", Sent<BookingId>, "Id of the booking";
    /// `{kind}`
    pub(crate) KindPath: "kind", Kind, "Kind of the purchase";
    /// `{purchase_id}`
    pub(crate) PurchasePath: "purchase_id", Sent<LineId>, "Id of the booking, payment or order";
    /// `{version}`
    pub(crate) VersionPath: "version", Version, "Number of the version";
    /// `{voucher_id}`
    pub(crate) VoucherPath: "voucher_id", Sent<VoucherId>, "Id of the voucher";
    /// `{purchase_id}` of a bought voucher.
    pub(crate) VoucherPurchasePath: "purchase_id", Sent<VoucherPurchaseId>, "Id of the bought voucher";
    /// `{campaign_id}`
    pub(crate) LoyaltyCampaignPath: "campaign_id", Sent<LoyaltyCampaignId>, "Id of the campaign";
}

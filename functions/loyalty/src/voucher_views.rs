//! The API views of vouchers and purchases.
//!
//! **Invariant:** only the answers to a purchase and to a reveal have a code.
//! **Invariant:** how many codes are left is shown to staff only.

use domain::currency::Currency;
use domain::giftcard::StockHealth;
use domain::giftcard::card::Part;
use domain::loyalty::numbers::Points;
use domain::money::Money;
use domain::text::FreeText;
use domain::time::{Date, Timestamp};
use domain::vouchers::bought::{PurchaseStatus, VoucherPurchase};
use domain::vouchers::voucher::Voucher;
use edge::delivery::DeliveryBody;
use edge::json::Number;
use serde::Serialize;
use std::collections::BTreeMap;
use store::InStock;
use utoipa::ToSchema;

/// A voucher of the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = Voucher)]
pub(crate) struct VoucherView {
    voucher_id: String,
    name: String,
    description: Option<String>,
    price_points: u64,
    /// What the price is worth at the point value of now.
    price_value: Number,
    face_value: Option<Number>,
    /// Currency of the face value.
    #[schema(examples("INR"))]
    currency: &'static str,
    /// The tiers whose members may buy it; empty: all.
    tiers: Vec<String>,
    #[schema(format = DateTime)]
    valid_from: String,
    #[schema(format = DateTime)]
    valid_until: Option<String>,
    per_user_limit: Option<u32>,
    low_stock_threshold: Option<u32>,
    /// Codes that can be sold; shown to staff only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    stock: Option<u64>,
    /// green, yellow (below the threshold) or red (none left); shown to staff only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    health: Option<&'static str>,
    /// True if there is a code that can be sold; shown to others than staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    in_stock: Option<bool>,
    sold: u64,
    /// active or paused
    status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// True if the customer can buy it now; shown to customers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    purchasable: Option<bool>,
    /// Null, tier, points, limit, stock or frozen; shown to customers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    reason: Option<Reason>,
}

/// Why a customer cannot buy a voucher; null if they can.
#[derive(Serialize)]
#[serde(untagged)]
enum Reason {
    None(()),
    Why(&'static str),
}

/// For whom a voucher is rendered.
#[derive(Clone, Copy)]
pub(crate) enum Viewer {
    /// Staff and admins.
    Staff,
    /// A customer, with the reason why they cannot buy it.
    Customer(Option<&'static str>),
    /// Trusted backends and others.
    Other,
}

/// Renders a voucher, whose price is worth this much.
pub(crate) fn voucher(
    voucher: &Voucher,
    stock: InStock,
    (price_value, currency): (Money, Currency),
    viewer: Viewer,
) -> VoucherView {
    let terms = &voucher.terms;
    let is_staff = matches!(viewer, Viewer::Staff);
    let reason = if let Viewer::Customer(reason) = viewer { Some(reason) } else { None };
    let health = StockHealth::of(stock.free, terms.low_stock_threshold.unwrap_or(0));
    VoucherView {
        voucher_id: voucher.id.to_string(),
        name: terms.name.as_str().to_owned(),
        description: terms.description.as_ref().map(FreeText::as_str).map(str::to_owned),
        price_points: terms.price.get(),
        price_value: Number::money(price_value, currency),
        face_value: terms.face_value.map(|value: Money| Number::money(value, terms.currency)),
        currency: terms.currency.code(),
        tiers: terms.tiers.iter().map(|tier| tier.as_str().to_owned()).collect(),
        valid_from: terms.valid_from.to_string(),
        valid_until: terms.valid_until.map(|until| until.to_string()),
        per_user_limit: terms.per_user_limit,
        low_stock_threshold: terms.low_stock_threshold,
        stock: is_staff.then_some(stock.free),
        health: is_staff.then_some(health.as_str()),
        in_stock: (!is_staff).then_some(stock.free > 0),
        sold: stock.sold,
        status: if voucher.is_active { "active" } else { "paused" },
        created_at: voucher.created_at.to_string(),
        updated_at: voucher.updated_at.to_string(),
        purchasable: reason.map(|reason| reason.is_none()),
        reason: reason.map(|reason| reason.map_or(Reason::None(()), Reason::Why)),
    }
}

/// A page of vouchers, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Vouchers {
    pub(crate) vouchers: Vec<VoucherView>,
    pub(crate) total: Option<u64>,
    pub(crate) limit: u16,
    pub(crate) skip: u16,
    pub(crate) next_cursor: Option<String>,
}

/// A bought voucher.
#[derive(Serialize, ToSchema)]
#[schema(as = VoucherPurchase)]
pub(crate) struct PurchaseView {
    purchase_id: String,
    voucher_id: String,
    /// What the voucher was called when it was bought.
    voucher_name: String,
    user_id: String,
    points: u64,
    points_value: Number,
    /// Currency of the points' value.
    #[schema(examples("INR"))]
    currency: &'static str,
    /// ISSUED, DELIVERED or REFUNDED
    status: &'static str,
    delivery: DeliveryBody,
    transaction_id: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    refunded_at: Option<String>,
}

/// Renders a bought voucher.
pub(crate) fn purchase(purchase: &VoucherPurchase) -> PurchaseView {
    let delivery = purchase.delivery.as_ref();
    let status = match (delivery, purchase.status) {
        (None, _) => "none",
        (Some(_), PurchaseStatus::Delivered) => "sent",
        (Some(_), PurchaseStatus::Issued) => "queued",
        // What was queued when it was refunded is not sent.
        (Some(_), PurchaseStatus::Refunded) => {
            if purchase.refund.as_ref().is_some_and(|refund| refund.was_sent) { "sent" } else { "none" }
        }
    };
    let points: Points = purchase.points;
    let at = |at: Timestamp| at.to_string();
    PurchaseView {
        purchase_id: purchase.id.to_string(),
        voucher_id: purchase.voucher.to_string(),
        voucher_name: purchase.name.as_str().to_owned(),
        user_id: purchase.user.to_string(),
        points: points.get(),
        points_value: Number::money(purchase.points_value, purchase.currency),
        currency: purchase.currency.code(),
        status: purchase.status.as_str(),
        delivery: DeliveryBody::new(delivery.map(|to| (to.method, to.shown.as_str())), status),
        transaction_id: purchase.transaction.clone(),
        created_at: at(purchase.created_at),
        refunded_at: purchase.refund.as_ref().map(|refund| at(refund.at)),
    }
}

/// A page of bought vouchers, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Purchases {
    pub(crate) purchases: Vec<PurchaseView>,
    pub(crate) total: Option<u64>,
    pub(crate) limit: u16,
    pub(crate) skip: u16,
    pub(crate) next_cursor: Option<String>,
}

/// The code of a voucher, in plain text.
#[derive(Serialize, ToSchema)]
#[schema(as = VoucherCode)]
pub(crate) struct CodeView {
    code: Option<String>,
    pin: Option<String>,
    url: Option<String>,
    #[schema(format = Date)]
    expires_on: Option<String>,
}

/// Renders a code.
pub(crate) fn code(parts: &BTreeMap<Part, String>, expires_on: Option<Date>) -> CodeView {
    let part = |part| parts.get(&part).cloned();
    CodeView {
        code: part(Part::Code),
        pin: part(Part::Pin),
        url: part(Part::Url),
        expires_on: expires_on.map(|date| date.to_string()),
    }
}

/// A bought voucher with its code.
#[derive(Serialize, ToSchema)]
pub(crate) struct BoughtVoucher {
    pub(crate) purchase: PurchaseView,
    pub(crate) code: CodeView,
}

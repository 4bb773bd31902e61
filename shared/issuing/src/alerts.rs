//! The alerts about budgets, gift cards and vouchers.
//!
//! **Invariant:** no alert contains a code, a card number or an address.

use domain::alert::NewAlert;
use domain::budget::BudgetAccount;
use domain::currency::Currency;
use domain::giftcard::{Pool, StockHealth};
use domain::ids::budget::{AccountId, BrandId};
use domain::money::Money;
use domain::vouchers::voucher::Voucher;

/// The alert that a budget has no credit left, or too little for a card.
pub(crate) fn depleted(campaign: &AccountId, available: Money, currency: Currency) -> NewAlert {
    let detail =
        format!("{} {currency} left: no more cards are issued on this budget", currency.format(available));
    NewAlert { kind: "budget_depleted", severity: "critical", subject: campaign.to_string(), detail }
}

/// The alert that the credit of an account is below its threshold.
pub(crate) fn low_credit(account: &BudgetAccount, available: Money) -> NewAlert {
    let currency = account.currency;
    let detail = format!("{} {currency} left, below the threshold", currency.format(available));
    NewAlert { kind: "low_credit", severity: "warning", subject: account.id.to_string(), detail }
}

/// The alert that a pool is below its threshold (warning) or empty (critical).
pub(crate) fn low_stock(pool: &Pool, free: u64) -> NewAlert {
    let severity = if StockHealth::of(free, pool.low_stock_threshold) == StockHealth::Red {
        "critical"
    } else {
        "warning"
    };
    let detail = format!("{free} cards left, the threshold is {}", pool.low_stock_threshold);
    NewAlert { kind: "low_stock", severity, subject: pool.id.to_string(), detail }
}

/// The alert that few codes of a voucher are left (warning) or none (critical).
pub(crate) fn low_voucher_stock(voucher: &Voucher, free: u64) -> NewAlert {
    let severity = if free == 0 { "critical" } else { "warning" };
    let threshold = voucher.terms.low_stock_threshold.unwrap_or(0);
    let detail = format!("{free} codes left, the threshold is {threshold}");
    NewAlert { kind: "low_stock", severity, subject: voucher.id.to_string(), detail }
}

/// The alert that a card could not be issued.
pub(crate) fn failed(campaign: &AccountId, brand: &BrandId, why: &str) -> NewAlert {
    let (subject, detail) = (campaign.to_string(), format!("{why} ({brand})"));
    NewAlert { kind: "provision_failed", severity: "critical", subject, detail }
}

/// The alert that a supplier has not reported the outcome of an order for an hour.
pub(crate) fn unresolved(redemption: &str, supplier: &str) -> NewAlert {
    let detail = format!("{supplier} has not reported the outcome of the order for an hour");
    NewAlert { kind: "supplier_unresolved", severity: "critical", subject: redemption.to_owned(), detail }
}

/// The alert that a supplier delivered a card for an order that had already failed.
pub(crate) fn unclaimed(reference: &str, supplier: &str) -> NewAlert {
    let detail =
        format!("{supplier} delivered a card for an order that had failed; the card was added to stock");
    NewAlert { kind: "card_unclaimed", severity: "warning", subject: reference.to_owned(), detail }
}

/// The alert that a supplier delivered a card that is already stored.
pub(crate) fn known_card(reference: &str, supplier: &str) -> NewAlert {
    let detail = format!("{supplier} delivered a card that is already stored; it was not issued again");
    NewAlert { kind: "card_known", severity: "critical", subject: reference.to_owned(), detail }
}

/// The alert that a supplier rejects the refill of a pool.
pub(crate) fn refill_failed(pool: &Pool, why: &str) -> NewAlert {
    let (subject, detail) = (pool.id.to_string(), format!("the supplier rejects the refill: {why}"));
    NewAlert { kind: "refill_failed", severity: "critical", subject, detail }
}

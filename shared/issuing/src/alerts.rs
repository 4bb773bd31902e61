//! What is told about budgets and gift cards.
//!
//! **Invariant:** no telling holds a code, a number or an address.

use domain::alert::NewAlert;
use domain::budget::BudgetAccount;
use domain::currency::Currency;
use domain::giftcard::{Pool, StockHealth};
use domain::ids::budget::{AccountId, BrandId};
use domain::money::Money;

/// A budget has nothing left, or too little for what was asked.
pub(crate) fn depleted(campaign: &AccountId, available: Money, currency: Currency) -> NewAlert {
    let detail =
        format!("{} {currency} left: nothing more is issued on this budget", currency.format(available));
    NewAlert { kind: "budget_depleted", severity: "critical", subject: campaign.to_string(), detail }
}

/// An account is below its threshold.
pub(crate) fn low_credit(account: &BudgetAccount, available: Money) -> NewAlert {
    let currency = account.currency;
    let detail = format!("{} {currency} left, below the threshold", currency.format(available));
    NewAlert { kind: "low_credit", severity: "warning", subject: account.id.to_string(), detail }
}

/// A pool is below its threshold, or empty.
pub(crate) fn low_stock(pool: &Pool, free: u64) -> NewAlert {
    let severity = if StockHealth::of(free, pool.low_stock_threshold) == StockHealth::Red {
        "critical"
    } else {
        "warning"
    };
    let detail = format!("{free} cards left, the threshold is {}", pool.low_stock_threshold);
    NewAlert { kind: "low_stock", severity, subject: pool.id.to_string(), detail }
}

/// A card could not be issued.
pub(crate) fn failed(campaign: &AccountId, brand: &BrandId, why: &str) -> NewAlert {
    let (subject, detail) = (campaign.to_string(), format!("{why} ({brand})"));
    NewAlert { kind: "provision_failed", severity: "critical", subject, detail }
}

/// A supplier has not said for long what became of an order.
pub(crate) fn unresolved(redemption: &str, supplier: &str) -> NewAlert {
    let detail = format!("{supplier} has not said for an hour what became of the order");
    NewAlert { kind: "supplier_unresolved", severity: "critical", subject: redemption.to_owned(), detail }
}

/// A card came for an order that had failed.
pub(crate) fn unclaimed(reference: &str, supplier: &str) -> NewAlert {
    let detail =
        format!("{supplier} has delivered a card for an order that had failed; it was put into stock");
    NewAlert { kind: "card_unclaimed", severity: "warning", subject: reference.to_owned(), detail }
}

/// A supplier delivered a card that is known already.
pub(crate) fn known_card(reference: &str, supplier: &str) -> NewAlert {
    let detail = format!("{supplier} has delivered a card that is known already; it was not issued again");
    NewAlert { kind: "card_known", severity: "critical", subject: reference.to_owned(), detail }
}

/// A pool cannot be refilled.
pub(crate) fn refill_failed(pool: &Pool, why: &str) -> NewAlert {
    let (subject, detail) = (pool.id.to_string(), format!("the supplier rejects its refill: {why}"));
    NewAlert { kind: "refill_failed", severity: "critical", subject, detail }
}

//! A voucher of the catalogue: what it costs, and who may buy it when.
//!
//! **Invariant:** a change holds for purchases from then on; what was bought keeps its price.

use crate::actor::PerformedBy;
use crate::currency::Currency;
use crate::fingerprint::keyed_request;
use crate::ids::{RequestId, VoucherId};
use crate::loyalty::numbers::Points;
use crate::loyalty::program::{LoyaltyTiers, TierName};
use crate::money::Money;
use crate::text::FreeText;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a voucher costs, and who may buy it when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherTerms {
    /// What it is called.
    pub name: FreeText,
    /// What it is.
    pub description: Option<FreeText>,
    /// The points that one costs; above zero.
    pub price: Points,
    /// What it is worth where it is used.
    pub face_value: Option<Money>,
    /// The currency of its face value.
    pub currency: Currency,
    /// The tiers whose members may buy it; everybody if none is named.
    pub tiers: BTreeSet<TierName>,
    /// From when it can be bought.
    pub valid_from: Timestamp,
    /// Until when it can be bought; `None` if it does not end.
    pub valid_until: Option<Timestamp>,
    /// How many one customer can buy; `None` for no limit.
    pub per_user_limit: Option<u32>,
    /// Free codes below which an alert is raised; `None` if only an empty stock raises one.
    pub low_stock_threshold: Option<u32>,
}

/// A voucher, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// Its id.
    pub id: VoucherId,
    /// Its terms.
    pub terms: VoucherTerms,
    /// False while it is paused.
    pub is_active: bool,
    /// Incremented whenever a limit for each customer begins; counts of another number are not of this limit.
    pub limit_number: u32,
    /// The partitions over which its free codes are spread; the number never falls.
    #[serde(skip)]
    pub shards: u8,
    /// What its price was worth when it was created.
    pub first_value: Money,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who created it.
    pub created_by: PerformedBy,
    /// The fingerprint of the request that created it.
    pub fingerprint: String,
    /// The invocation that created it.
    pub request: String,
    /// Incremented by each change; the condition against stale reads.
    pub version: u64,
}

/// A change of a voucher; what is `None` stays, and `Some(None)` removes.
#[derive(Clone, Debug, Default)]
pub struct VoucherChange {
    /// See [`VoucherTerms`], as all that follow.
    pub name: Option<FreeText>,
    /// What it is.
    pub description: Option<Option<FreeText>>,
    /// The points that one costs.
    pub price: Option<Points>,
    /// What it is worth where it is used.
    pub face_value: Option<Option<Money>>,
    /// The currency of its face value.
    pub currency: Option<Currency>,
    /// The tiers whose members may buy it.
    pub tiers: Option<BTreeSet<TierName>>,
    /// From when it can be bought.
    pub valid_from: Option<Timestamp>,
    /// Until when it can be bought.
    pub valid_until: Option<Option<Timestamp>>,
    /// How many one customer can buy.
    pub per_user_limit: Option<Option<u32>>,
    /// Free codes below which an alert is raised.
    pub low_stock_threshold: Option<Option<u32>>,
    /// Whether it can be bought.
    pub is_active: Option<bool>,
}

keyed_request! {
    /// Adds a voucher to the catalogue.
    #[derive(Clone, Debug)]
    pub struct CreateVoucher ("create-voucher") {
        /// Its id, which follows from the request's cause.
        pub id: VoucherId => _,
        /// Its terms.
        pub terms: VoucherTerms => _,
        /// What the price is worth now.
        pub price_value: Money => _,
        /// The beginning that the caller named.
        pub valid_from: Option<Timestamp> => _,
        /// The fields of the request, as parsed.
        pub sent: String => "sent",
    }
}

impl Voucher {
    /// Returns a new voucher without codes.
    pub fn new(create: &CreateVoucher, (at, by): (Timestamp, PerformedBy), request: &RequestId) -> Self {
        Self {
            id: create.id.clone(),
            terms: create.terms.clone(),
            is_active: true,
            limit_number: 1,
            shards: 1,
            first_value: create.price_value,
            created_at: at,
            updated_at: at,
            created_by: by,
            fingerprint: create.fingerprint().as_str().to_owned(),
            request: request.to_string(),
            version: 1,
        }
    }

    /// Returns true if it can be bought at `now`, if codes are left.
    pub fn is_for_sale(&self, now: Timestamp) -> bool {
        self.is_active && self.terms.valid_from <= now && !self.has_ended(now)
    }

    /// Returns true if its time is over.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.terms.valid_until.is_some_and(|until| until <= now)
    }

    /// Returns true if members of this tier may buy it.
    pub fn is_for(&self, tier: &TierName) -> bool {
        self.terms.tiers.is_empty() || self.terms.tiers.contains(tier)
    }

    /// Returns the lowest tier whose members may buy it; `None` if everybody may.
    pub fn required_tier(&self, tiers: &LoyaltyTiers) -> Option<&TierName> {
        let known = tiers.all().iter().find_map(|tier| self.terms.tiers.get(&tier.name));
        known.or(self.terms.tiers.first())
    }

    /// Returns true if so few free codes are worth an alert.
    pub fn is_low(&self, free: u64) -> bool {
        free == 0 || self.terms.low_stock_threshold.is_some_and(|least| free < u64::from(least))
    }

    /// Returns the voucher after a change.
    pub fn changed(&self, change: &VoucherChange, at: Timestamp) -> Self {
        let mut next = self.clone();
        let had_limit = self.terms.per_user_limit.is_some();
        let terms = &mut next.terms;
        terms.name = change.name.clone().unwrap_or_else(|| terms.name.clone());
        terms.price = change.price.unwrap_or(terms.price);
        terms.valid_from = change.valid_from.unwrap_or(terms.valid_from);
        terms.currency = change.currency.unwrap_or(terms.currency);
        terms.face_value = change.face_value.unwrap_or(terms.face_value);
        terms.valid_until = change.valid_until.unwrap_or(terms.valid_until);
        terms.per_user_limit = change.per_user_limit.unwrap_or(terms.per_user_limit);
        terms.low_stock_threshold = change.low_stock_threshold.unwrap_or(terms.low_stock_threshold);
        if let Some(description) = &change.description {
            terms.description.clone_from(description);
        }
        if let Some(tiers) = &change.tiers {
            terms.tiers.clone_from(tiers);
        }
        if !had_limit && terms.per_user_limit.is_some() {
            next.limit_number += 1;
        }
        next.is_active = change.is_active.unwrap_or(self.is_active);
        next.updated_at = at.max(self.updated_at);
        next.version += 1;
        next
    }
}

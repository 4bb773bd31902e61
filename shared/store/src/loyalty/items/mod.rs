//! Items of loyalty: what an account of points has beyond its account, purchases, and rules.

pub(crate) mod purchase;
pub(crate) mod rules;
pub(crate) mod standing;

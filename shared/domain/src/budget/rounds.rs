//! Where the scheduled check of all accounts goes on.
//!
//! **Invariant:** each agency gets a share of each run, so the accounts of one do not delay the check of
//! another's.

use crate::ids::budget::AccountId;
use std::collections::BTreeMap;

/// Where the next run goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoundPlace {
    /// The agency, as its place in the platform's list, after which the run ended; None at the end of
    /// the list.
    pub after: Option<String>,
    /// The agencies whose accounts were not all checked.
    pub within: BTreeMap<AccountId, AgencyPlace>,
}

/// Where the check of one agency's accounts goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgencyPlace {
    /// The client, as its place in the agency's list, up to which all accounts were checked.
    pub client: Option<String>,
    /// The campaign, as its place in the list of the next client, up to which that client's were; None
    /// if the client itself was not.
    pub campaign: Option<String>,
}

//! Alerts: situations that need an operator's attention.
//!
//! **Invariant:** an alert is identified by its kind and subject. Raising it again increments its
//! count; it stays open until the situation has ended.

use crate::ids::AlertId;
use crate::parse::ParseError;
use crate::time::Timestamp;

/// The status of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertStatus {
    /// Not acknowledged by an operator yet.
    Open,
    /// An operator has acknowledged it.
    Acknowledged,
    /// The situation has ended.
    Closed,
}

impl AlertStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    /// Returns the word used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    /// Parses the word used in the API.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "open" => Ok(Self::Open),
            "acknowledged" => Ok(Self::Acknowledged),
            "closed" => Ok(Self::Closed),
            _ => Err(ParseError("must be one of open, acknowledged, closed")),
        }
    }
}

/// An alert, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// A function of `kind` and `subject`.
    pub id: AlertId,
    /// The kind, such as `low_credit`.
    pub kind: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// What the alert is about, such as the id of an account, pool or redemption.
    pub subject: String,
    /// Explanation for operators.
    pub detail: String,
    /// When it was opened; set anew if it is raised again after it was closed.
    pub opened_at: Timestamp,
    /// When it was last raised, acknowledged or closed.
    pub updated_at: Timestamp,
    /// When it was closed; `None` while it is open.
    pub closed_at: Option<Timestamp>,
    /// Who acknowledged it, and when.
    pub acknowledged: Option<(String, Timestamp)>,
    /// How often it was raised since `opened_at`; at least 1.
    pub count: u64,
}

/// An alert's position in the list of open or of closed alerts, sorted by the time it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertListing {
    /// The alert.
    pub id: AlertId,
    /// True in the list of open alerts, false in the list of closed ones.
    pub open: bool,
    /// When the alert was opened.
    pub at: Timestamp,
}

/// An alert to raise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// The kind, such as `low_credit`.
    pub kind: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// What the alert is about; together with `kind` it identifies the alert.
    pub subject: String,
    /// Explanation for operators.
    pub detail: String,
}

impl NewAlert {
    /// Returns the id of the alert to raise.
    pub fn id(&self) -> AlertId {
        AlertId::of(self.kind, &self.subject)
    }
}

impl Alert {
    /// Returns the status.
    pub fn status(&self) -> AlertStatus {
        match (self.closed_at, &self.acknowledged) {
            (Some(_), _) => AlertStatus::Closed,
            (None, Some(_)) => AlertStatus::Acknowledged,
            (None, None) => AlertStatus::Open,
        }
    }

    /// Returns the alert after it was raised, given the stored alert if one exists. A closed alert
    /// starts anew.
    pub fn raised(known: Option<&Self>, new_alert: &NewAlert, now: Timestamp) -> Self {
        let open = known.filter(|alert| alert.closed_at.is_none());
        Self {
            id: new_alert.id(),
            kind: new_alert.kind.to_owned(),
            severity: new_alert.severity.to_owned(),
            subject: new_alert.subject.clone(),
            detail: new_alert.detail.clone(),
            opened_at: open.map_or(now, |alert| alert.opened_at),
            updated_at: now,
            closed_at: None,
            acknowledged: open.and_then(|alert| alert.acknowledged.clone()),
            count: open.map_or(1, |alert| alert.count + 1),
        }
    }
}

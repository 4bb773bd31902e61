//! Alerts: situations that need an operator's attention.
//!
//! **Invariant:** an alert is identified by its kind and subject. Raising it again increments its
//! count; it stays open until the situation has ended.
//! **Invariant:** a situation is over if two checks in a row find it so. One that returns within
//! [`REOPENS_SECONDS`] is the same alert, so that a value near its threshold does not open one alert
//! after another.

use crate::ids::AlertId;
use crate::parse::ParseError;
use crate::time::Timestamp;

/// Seconds after an alert was closed in which raising it opens it again with its history.
pub const REOPENS_SECONDS: u32 = 15 * 60;

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
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What the alert is about, such as the id of an account, pool or redemption.
    pub subject: String,
    /// Explanation for operators.
    pub detail: String,
    /// When it was opened; set anew if it is raised more than [`REOPENS_SECONDS`] after it was closed.
    pub opened_at: Timestamp,
    /// When it was last raised, acknowledged or closed.
    pub updated_at: Timestamp,
    /// When the last check found the situation over, if the check before it did not.
    pub over_at: Option<Timestamp>,
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
    /// `info`, `warning` or `critical`.
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

    /// Returns the alert after it was raised, given the stored alert if one exists. An alert that was
    /// closed more than [`REOPENS_SECONDS`] ago starts anew.
    pub fn raised(known: Option<&Self>, new_alert: &NewAlert, now: Timestamp) -> Self {
        let open = known.filter(|alert| !alert.has_ended(now));
        Self {
            id: new_alert.id(),
            kind: new_alert.kind.to_owned(),
            severity: new_alert.severity.to_owned(),
            subject: new_alert.subject.clone(),
            detail: new_alert.detail.clone(),
            opened_at: open.map_or(now, |alert| alert.opened_at),
            updated_at: now,
            over_at: None,
            closed_at: None,
            acknowledged: open.and_then(|alert| alert.acknowledged.clone()),
            count: open.map_or(1, |alert| alert.count + 1),
        }
    }

    /// Returns true if raising the alert opens a new one.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let until = self.closed_at.map(|closed| closed.plus_seconds(REOPENS_SECONDS));
        until.is_some_and(|until| until.is_none_or(|until| until < now))
    }

    /// Returns an open alert after the check of `now` found the situation over: closed if the check
    /// before found the same.
    pub fn found_over(&self, now: Timestamp) -> Self {
        match self.over_at {
            Some(before) if before < now => self.closed(now),
            // The check of `now` has recorded it already.
            Some(_) => self.clone(),
            None => Self { over_at: Some(now), ..self.clone() },
        }
    }

    /// Returns an open alert after it was closed.
    pub fn closed(&self, now: Timestamp) -> Self {
        Self { closed_at: Some(now), updated_at: now, over_at: None, ..self.clone() }
    }
}

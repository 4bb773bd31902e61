//! Something that someone must look at.
//!
//! **Invariant:** an alert is known by what it is about: told again, it counts up; it is open until what it is about
//! is over.

use crate::ids::AlertId;
use crate::parse::ParseError;
use crate::time::Timestamp;

/// How far an alert has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertStatus {
    /// Nobody has said that they look after it.
    Open,
    /// Someone looks after it.
    Acknowledged,
    /// It is over.
    Closed,
}

impl AlertStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    /// The word that callers see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "open" => Ok(Self::Open),
            "acknowledged" => Ok(Self::Acknowledged),
            "closed" => Ok(Self::Closed),
            _ => Err(ParseError("must be one of open, acknowledged, closed")),
        }
    }
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// What kind of thing.
    pub kind: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// What it is about.
    pub subject: String,
    /// In words.
    pub detail: String,
    /// Since when.
    pub opened_at: Timestamp,
    /// When it was last told.
    pub updated_at: Timestamp,
    /// When it was over.
    pub closed_at: Option<Timestamp>,
    /// Who looks after it, since when.
    pub acknowledged: Option<(String, Timestamp)>,
    /// How often it was told since it was opened.
    pub count: u64,
}

/// An alert's place in the list of open or of closed ones, by the time it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertListing {
    /// Which.
    pub id: AlertId,
    /// Whether it is open.
    pub open: bool,
    /// Since when.
    pub at: Timestamp,
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// What kind of thing.
    pub kind: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// What it is about.
    pub subject: String,
    /// In words.
    pub detail: String,
}

impl NewAlert {
    /// The alert that tells it.
    pub fn id(&self) -> AlertId {
        AlertId::of(self.kind, &self.subject)
    }
}

impl Alert {
    /// How far it has come.
    pub fn status(&self) -> AlertStatus {
        match (self.closed_at, &self.acknowledged) {
            (Some(_), _) => AlertStatus::Closed,
            (None, Some(_)) => AlertStatus::Acknowledged,
            (None, None) => AlertStatus::Open,
        }
    }

    /// The alert after it was told once more, or for the first time.
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

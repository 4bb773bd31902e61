//! Permissions for jobs.
//!
//! **Invariant:** a service reaches the jobs that it has made, and no others.

use crate::actor::{Actor, PerformedBy, Role};
use crate::jobs::kind::JobKind;
use crate::permit::{Action, Denial, Reach};

/// The scope by which a service may import accounts.
pub const IMPORT_SCOPE: &str = "books:import";

/// The scope by which a service may export what is in the table.
pub const EXPORT_SCOPE: &str = "books:export";

/// The actions on jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAction {
    /// Make a job of this kind.
    Make(JobKind),
    /// Make a job that imports accounts.
    Import,
    /// Make a job that exports what is in the table.
    Export,
    /// Announce a file for a job that the caller may make.
    Upload,
    /// Read a job and its rows.
    Read,
    /// List the jobs of all callers.
    List,
    /// Cancel or resume a job.
    Change,
}

impl Action for JobAction {
    /// Who has made the job.
    type Resource = PerformedBy;

    fn reach(self, actor: &Actor) -> Result<Reach, Denial> {
        match (self, actor.role) {
            (_, Role::Admin) | (Self::Read | Self::List, Role::Staff) => Ok(Reach::All),
            (Self::Make(kind), Role::Service) if actor.scopes.contains(kind.scope()) => Ok(Reach::All),
            (Self::Import, Role::Service) if actor.scopes.contains(IMPORT_SCOPE) => Ok(Reach::All),
            (Self::Export, Role::Service) if actor.scopes.contains(EXPORT_SCOPE) => Ok(Reach::All),
            (Self::Upload, Role::Service)
                if JobKind::ALL
                    .iter()
                    .any(|kind| kind.takes_upload() && actor.scopes.contains(kind.scope())) =>
            {
                Ok(Reach::All)
            }
            (Self::Read | Self::Change, Role::Service) => Ok(Reach::Own),
            (
                _,
                Role::Customer | Role::Staff | Role::Agency | Role::Client | Role::Service | Role::System,
            ) => Err(Denial::Forbidden),
        }
    }

    fn permit_own(self, actor: &Actor, by: &PerformedBy) -> Result<(), Denial> {
        if *by == actor.signature() { Ok(()) } else { Err(Denial::Unknown) }
    }
}

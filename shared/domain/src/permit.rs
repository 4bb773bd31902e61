//! Who may do what: one model for every area. An area names its actions and says how far each role reaches with them.
//!
//! **Invariant:** what is not granted is refused; a caller who may do such things, but not to this resource, learns only that
//! there is no such resource.
//! **Invariant:** a [`Permission`] is had before anything is read; what was read is then held against it.

use crate::actor::Actor;

/// Why a caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The role or scope is too small for the action, whatever the wallet.
    Forbidden,
    /// The caller may not know whether the wallet exists.
    Unknown,
}

/// How far a caller's role and scopes reach with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To every resource.
    All,
    /// To the caller's own, and what is below it.
    Own,
}

/// What can be done in an area.
pub trait Action: Copy {
    /// What it is done to.
    type Resource: ?Sized;

    /// How far the caller may go, whatever the resource.
    fn reach(self, actor: &Actor) -> Result<Reach, Denial>;

    /// Whether this is the caller's own, for one who reaches no further.
    fn permit_own(self, actor: &Actor, resource: &Self::Resource) -> Result<(), Denial>;
}

/// A caller's permission for an action, before it is known to what.
#[derive(Clone, Copy, Debug)]
pub struct Permission<'a, A> {
    actor: &'a Actor,
    action: A,
    /// How far it reaches.
    pub reach: Reach,
}

impl<'a, A: Action> Permission<'a, A> {
    /// Permits the action on some resource, or says why not.
    pub fn of(actor: &'a Actor, action: A) -> Result<Self, Denial> {
        Ok(Self { actor, action, reach: action.reach(actor)? })
    }

    /// Permits it on this resource, or says why not.
    pub fn on(&self, resource: &A::Resource) -> Result<(), Denial> {
        match self.reach {
            Reach::All => Ok(()),
            Reach::Own => self.action.permit_own(self.actor, resource),
        }
    }
}

/// Permits an action on a resource that is known, or says why not.
pub fn permit<A: Action>(actor: &Actor, action: A, resource: &A::Resource) -> Result<(), Denial> {
    Permission::of(actor, action)?.on(resource)
}

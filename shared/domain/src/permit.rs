//! The permission model of every area: an area lists its actions and defines which resources each
//! role can reach with them.
//!
//! **Invariant:** what is not granted is refused. A caller who may perform an action, but not on
//! this resource, gets the same answer as if the resource did not exist.
//! **Invariant:** a [`Permission`] is obtained before anything is read; what was read is then
//! checked against it.

use crate::actor::Actor;

/// Why an action is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The caller's role or scopes do not allow the action on any resource.
    Forbidden,
    /// The caller must not learn whether the resource exists.
    Unknown,
}

/// Which resources a caller can reach with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every resource.
    All,
    /// The caller's own resource, and those below it.
    Own,
}

/// The actions of an area.
pub trait Action: Copy {
    /// What the actions are performed on.
    type Resource: ?Sized;

    /// Returns which resources the caller can reach with this action.
    fn reach(self, actor: &Actor) -> Result<Reach, Denial>;

    /// Checks that the resource is the caller's own, for a caller with [`Reach::Own`].
    fn permit_own(self, actor: &Actor, resource: &Self::Resource) -> Result<(), Denial>;
}

/// A caller's permission for an action, obtained before the resource is known.
#[derive(Clone, Copy, Debug)]
pub struct Permission<'a, A> {
    actor: &'a Actor,
    action: A,
    /// Which resources the permission covers.
    pub reach: Reach,
}

impl<'a, A: Action> Permission<'a, A> {
    /// Returns the permission if the caller may perform the action on some resource.
    pub fn of(actor: &'a Actor, action: A) -> Result<Self, Denial> {
        Ok(Self { actor, action, reach: action.reach(actor)? })
    }

    /// Checks that the permission covers this resource.
    pub fn on(&self, resource: &A::Resource) -> Result<(), Denial> {
        match self.reach {
            Reach::All => Ok(()),
            Reach::Own => self.action.permit_own(self.actor, resource),
        }
    }
}

/// Checks that the caller may perform the action on a resource that is already known.
pub fn permit<A: Action>(actor: &Actor, action: A, resource: &A::Resource) -> Result<(), Denial> {
    Permission::of(actor, action)?.on(resource)
}

//! The types of movements, and in which direction each moves value.
//!
//! **Invariant:** a type's word never changes: it is stored, and it is part of an entry's canonical bytes.

use crate::ids::AccountKind;
use crate::parse::ParseError;

/// The type of a movement. It determines the direction; amounts are positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryType {
    /// Credit was added.
    Credit,
    /// Credit was spent.
    Debit,
    /// Credit was returned from an order.
    Refund,
    /// Credit expired.
    Expiry,
    /// Credit was set aside; the balance is unchanged.
    Hold,
    /// Credit that was set aside was released; the balance is unchanged.
    Release,
    /// Credit was spent from a hold.
    Capture,
    /// Credit was received from another wallet.
    TransferIn,
    /// Credit was sent to another wallet.
    TransferOut,
    /// Credit was taken back for a gateway's refund or dispute.
    Clawback,
    /// Credit was collected to pay what was owed.
    OwedCollected,
    /// Credit that was taken back was restored: a dispute was won, or a refund failed.
    Adjustment,
    /// Points were earned by a purchase.
    Earn,
    /// Pending points became available.
    Activation,
    /// Points were spent, from a lock or directly.
    Burn,
    /// Points that a refunded purchase had earned were taken back.
    Reversal,
    /// Points were added by hand, or given back of a reversal.
    AdjustIn,
    /// Points were removed by hand.
    AdjustOut,
}

/// What an entry does to the lots that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// They are added to the account.
    In,
    /// They are taken from the account.
    Out,
    /// They are set aside for a hold.
    ToHold,
    /// They return from a hold.
    FromHold,
    /// They leave a hold, and with it the account.
    OutOfHold,
}

impl EntryType {
    /// Returns what an entry of this type does to its lots. `has_hold` tells whether it names a hold.
    pub fn flow(self, has_hold: bool) -> Flow {
        match self {
            Self::Credit
            | Self::Refund
            | Self::TransferIn
            | Self::Adjustment
            | Self::Earn
            | Self::Activation
            | Self::AdjustIn => Flow::In,
            Self::Hold => Flow::ToHold,
            Self::Release => Flow::FromHold,
            Self::Capture => Flow::OutOfHold,
            Self::Burn if has_hold => Flow::OutOfHold,
            Self::Debit
            | Self::Expiry
            | Self::TransferOut
            | Self::Clawback
            | Self::OwedCollected
            | Self::Burn
            | Self::Reversal
            | Self::AdjustOut => Flow::Out,
        }
    }

    /// Returns true if the type increases `available`; debts are then paid from it.
    pub fn raises(self) -> bool {
        matches!(self.flow(false), Flow::In | Flow::FromHold)
    }

    /// Returns true if pending lots are added by this type; by others they are removed.
    pub(super) fn adds_pending(self) -> bool {
        matches!(self, Self::Earn | Self::AdjustIn)
    }

    /// Every type, in the contract's order.
    pub const ALL: [Self; 18] = [
        Self::Credit,
        Self::Debit,
        Self::Refund,
        Self::Expiry,
        Self::Hold,
        Self::Release,
        Self::Capture,
        Self::TransferIn,
        Self::TransferOut,
        Self::Clawback,
        Self::OwedCollected,
        Self::Adjustment,
        Self::Earn,
        Self::Activation,
        Self::Burn,
        Self::Reversal,
        Self::AdjustIn,
        Self::AdjustOut,
    ];

    /// Every type, as a slice.
    pub const ALL_SLICE: &'static [Self] = &Self::ALL;

    /// Returns true if accounts of this kind have entries of this type.
    pub fn is_of(self, kind: AccountKind) -> bool {
        match self {
            Self::Refund
            | Self::Expiry
            | Self::Hold
            | Self::Release
            | Self::TransferIn
            | Self::TransferOut
            | Self::OwedCollected => true,
            Self::Credit | Self::Debit | Self::Capture | Self::Clawback | Self::Adjustment => {
                kind == AccountKind::Wallet
            }
            Self::Earn
            | Self::Activation
            | Self::Burn
            | Self::Reversal
            | Self::AdjustIn
            | Self::AdjustOut => kind == AccountKind::Points,
        }
    }

    /// Returns the types of the entries of accounts of this kind.
    pub fn of_kind(kind: AccountKind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |of| of.is_of(kind))
    }

    /// Parses a word of the contract.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        named.ok_or(ParseError("is not the type of an entry"))
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "CREDIT",
            Self::Debit => "DEBIT",
            Self::Refund => "REFUND",
            Self::Expiry => "EXPIRY",
            Self::Hold => "HOLD",
            Self::Release => "RELEASE",
            Self::Capture => "CAPTURE",
            Self::TransferIn => "TRANSFER_IN",
            Self::TransferOut => "TRANSFER_OUT",
            Self::Clawback => "CLAWBACK",
            Self::OwedCollected => "OWED_COLLECTED",
            Self::Adjustment => "ADJUSTMENT",
            Self::Earn => "EARN",
            Self::Activation => "ACTIVATION",
            Self::Burn => "BURN",
            Self::Reversal => "REVERSAL",
            Self::AdjustIn => "ADJUST_IN",
            Self::AdjustOut => "ADJUST_OUT",
        }
    }
}

//! The machine's operations on points instead of wallets.

use super::{Machine, Move, Op, class, customer};
use domain::cause::Operation;
use domain::ids::{AccountRef, HoldId};
use domain::ledger::account::AccountStatus;
use domain::ledger::lot::CreditSource;
use domain::money::Amount;
use proptest::prelude::*;
use tests::points::{self, MovePoints, OpenPoints, SetPointsStatus, SettlePoints};

fn whole_points(count: i64) -> Amount {
    Amount::parse(&count.to_string()).unwrap()
}

impl Machine {
    /// Like `apply`, for points: there are no orders and no transfers, and granted points always expire.
    pub(super) fn apply_to_points(&mut self, op: &Op) -> Option<Move> {
        let cause = self.cause(Operation::AddCredits, true);
        let lock = |hold: &prop::sample::Index| {
            (!self.holds.is_empty())
                .then(|| hold.index(self.holds.len()))
                .map(|at| (at, self.holds[at].clone()))
        };
        let (wallet, what, verdict) = match op.clone() {
            Op::Create(wallet) => {
                let command = OpenPoints { customer: customer(wallet), cause };
                return Some((Box::new(command), self.model.create(wallet)));
            }
            Op::AccountStatus { wallet, status } => {
                let status = [AccountStatus::Active, AccountStatus::Frozen, AccountStatus::Suspended]
                    [usize::from(status)];
                let command = SetPointsStatus { customer: customer(wallet), status };
                let status = [0, 1, 2][status as usize];
                return Some((Box::new(command), self.model.set_status(wallet, status)));
            }
            Op::Settle(wallet) => {
                let verdict = self.model.wallets[wallet].as_ref().map(|_| ()).ok_or("WalletNotFound");
                return Some((Box::new(SettlePoints { customer: customer(wallet) }), verdict));
            }
            Op::Credit { wallet, paise, source, days } => {
                let (source, days) = (CreditSource::ALL[usize::from(source)], days.unwrap_or(30));
                let verdict = self.model.credit(wallet, paise, class(source), Some(i64::from(days)));
                (wallet, points::Move::Grant { source, days, points: whole_points(paise) }, verdict)
            }
            Op::Debit { wallet, paise, .. } => {
                let verdict = self.model.debit(wallet, paise, None, true);
                (wallet, points::Move::Burn { points: whole_points(paise) }, verdict)
            }
            Op::Hold { wallet, paise, minutes } => {
                let verdict = self.model.hold(wallet, paise, i64::from(minutes));
                if verdict.is_ok() {
                    self.holds.push(HoldId::mint(&AccountRef::points(&customer(wallet)), &cause));
                }
                (
                    wallet,
                    points::Move::Lock { points: whole_points(paise), ttl_seconds: minutes * 60 },
                    verdict,
                )
            }
            Op::Capture { hold, paise, is_final } => {
                let (at, lock) = lock(&hold)?;
                let verdict = self.model.capture(at, paise, is_final);
                (
                    owner(&lock),
                    points::Move::Confirm { lock, points: paise.map(whole_points), is_final },
                    verdict,
                )
            }
            Op::Release(hold) => {
                let (at, lock) = lock(&hold)?;
                let verdict = self.model.release(at);
                (owner(&lock), points::Move::Release { lock }, verdict)
            }
            Op::Refund { .. } | Op::Transfer { .. } | Op::Wait { .. } | Op::Again(_) => return None,
        };
        Some((Box::new(MovePoints { customer: customer(wallet), what, cause }), verdict))
    }
}

/// Returns the number of the wallet that a hold belongs to.
fn owner(hold: &HoldId) -> usize {
    hold.customer().as_str().trim_start_matches("c:").parse().unwrap()
}

//! Reads the lines of files of accounts.
//!
//! **Invariant:** no two rows name the same account, or the same referral code.

use crate::cells::{Named, RefusedRow};
use crate::kind::RowKind;
use crate::known::short_digest;
use crate::reader::{MAX_DETAIL, RowReader};
use crate::wallets::{self, WalletLine};
use crate::{accounts, points};
use domain::jobs::row::{InvalidRow, Row, Wanted};
use domain::rejection::ImportRejection;
use edge::csv::Line;

impl RowReader {
    /// Reads a line of a file of accounts.
    pub fn take_account(&mut self, line: &Line<'_>) -> Row {
        // Whether a date is too late is not part of what the line asks for: its repetition on another day is the same.
        self.asked.add(&format!("{} {:?}", line.number, line.cells()));
        let (today, skip) = (self.today, self.skip_expired);
        let wanted = match self.kind {
            RowKind::Wallets => wallets::read(line, today, skip).map(|read| {
                self.compare_tier(&read);
                Wanted::Wallet(Box::new(read.row))
            }),
            RowKind::PointsAccounts => {
                points::read(line, today, skip).map(|row| Wanted::PointsAccount(Box::new(row)))
            }
            RowKind::Accounts => match &self.policy {
                Some(policy) => accounts::read(line, &self.accounts, policy.currency())
                    .map(|row| Wanted::Budget(Box::new(row))),
                None => return self.unreadable(line.number, "", "cannot be read"),
            },
            RowKind::Credits(_) | RowKind::Points => {
                return self.unreadable(line.number, "", "cannot be read");
            }
        };
        let row = wanted.map(|wanted| Row::new(line.number, wanted));
        match row.and_then(|row| self.named_once(row)) {
            Ok(row) => {
                if let Wanted::Budget(budget) = &row.wanted {
                    self.accounts.add(budget);
                }
                self.count(row)
            }
            Err(refused) => self.refuse_account(line.number, refused),
        }
    }

    /// Refuses a row if an earlier one names the same customer or referral code.
    fn named_once(&mut self, row: Row) -> Result<Row, RefusedRow> {
        let refused = |name, detail: String, code| RefusedRow {
            errors: vec![(name, detail)],
            code,
            named: Named::of(&row),
            referral_code: None,
            amount: row.amount(),
            figures: row.figures(),
        };
        let code = match &row.wanted {
            Wanted::Wallet(wallet) => wallet.referral_code.as_ref(),
            Wanted::Credit(_)
            | Wanted::Points(_)
            | Wanted::PointsAccount(_)
            | Wanted::Budget(_)
            | Wanted::Segment
            | Wanted::Invalid(_) => None,
        };
        let is_new_code = code.is_none_or(|code| self.codes.insert(short_digest(code)));
        let named = Named::of(&row);
        if named.is_some_and(|named| self.seen.contains(&short_digest(named.as_str()))) {
            let (name, _) = self.kind.names();
            return Err(refused(name, "is in an earlier row".to_owned(), None));
        }
        if !is_new_code {
            let taken = ImportRejection::ReferralCodeTaken;
            return Err(refused("referral_code", taken.to_string(), Some(taken)));
        }
        Ok(row)
    }

    fn compare_tier(&mut self, read: &WalletLine) {
        let (Some(tier), Some(policy)) = (&read.tier, &self.policy) else { return };
        let given = policy.tier(read.row.balance()).map(|rule| rule.tier.as_str());
        if given.is_none_or(|given| !given.eq_ignore_ascii_case(tier)) {
            *self.warnings.entry("tier_differs").or_default() += 1;
        }
    }

    fn refuse_account(&mut self, line: u64, refused: RefusedRow) -> Row {
        let RefusedRow { errors, code, named, referral_code, amount, figures } = refused;
        for (name, detail) in &errors {
            self.errors.add(|| format!("/lines/{line}/{name}"), detail);
        }
        let text = errors.iter().map(|(name, detail)| match code {
            Some(_) => detail.clone(),
            None => format!("{name}: {detail}"),
        });
        let detail: String = text.collect::<Vec<_>>().join("; ").chars().take(MAX_DETAIL).collect();
        let code = code.map(|code| code.code().to_owned());
        self.refuse(line, detail.clone(), code.as_deref());
        // Another row may not name the same customer or code, whatever is wrong with this one.
        if let Some(code) = &referral_code {
            self.codes.insert(short_digest(code));
        }
        if let Some(named) = &named {
            self.seen.insert(short_digest(named.as_str()));
        }
        let (customer, external_id) = named.map_or((None, None), |named| named.into_parts());
        let invalid = InvalidRow { customer, external_id, amount, detail, code, figures };
        self.count(Row::new(line, Wanted::Invalid(invalid)))
    }
}

//! Reads the lines of files of accounts.
//!
//! **Invariant:** no two rows name the same account, or the same referral code.

use crate::cells::RefusedRow;
use crate::reader::{MAX_DETAIL, RowKind, RowReader, short_digest};
use crate::wallets::{self, WalletLine};
use domain::jobs::import_row::WalletRow;
use domain::jobs::row::{InvalidRow, Row, Wanted};
use domain::rejection::ImportRejection;
use edge::csv::Line;

impl RowReader {
    /// Reads a line of a file of accounts.
    pub fn take_account(&mut self, line: &Line<'_>) -> Row {
        let read = match self.kind {
            RowKind::Wallets => wallets::read(line, self.today, self.skip_expired),
            RowKind::Credits(_) | RowKind::Points => {
                return self.unreadable(line.number, "", "cannot be read");
            }
        };
        let refused = match read {
            Ok(read) => match self.named_before(&read.row) {
                None => {
                    self.compare_tier(&read);
                    let row = Row::new(line.number, Wanted::Wallet(Box::new(read.row)));
                    self.asked.add(&format!("{} {}", line.number, row.canonical()));
                    return self.count(row);
                }
                Some(refused) => refused,
            },
            Err(refused) => refused,
        };
        self.refuse_account(line.number, refused)
    }

    /// Says whether an earlier row names the same customer or referral code.
    fn named_before(&mut self, row: &WalletRow) -> Option<RefusedRow> {
        let refused = |name, detail: String, code| RefusedRow {
            errors: vec![(name, detail)],
            code,
            customer: Some(row.customer.clone()),
            amount: row.balance(),
            figures: Row::new(0, Wanted::Wallet(Box::new(row.clone()))).figures(),
        };
        if self.seen.contains(&short_digest(row.customer.as_str())) {
            return Some(refused("customer_id", "stands in an earlier row".to_owned(), None));
        }
        let is_new = row.referral_code.as_ref().is_none_or(|code| self.codes.insert(short_digest(code)));
        let taken = ImportRejection::ReferralCodeTaken;
        (!is_new).then(|| refused("referral_code", taken.to_string(), Some(taken)))
    }

    fn compare_tier(&mut self, read: &WalletLine) {
        let (Some(tier), Some(policy)) = (&read.tier, &self.policy) else { return };
        let given = policy.tier(read.row.balance()).map(|rule| rule.tier.as_str());
        if given.is_none_or(|given| !given.eq_ignore_ascii_case(tier)) {
            *self.warnings.entry("tier_differs").or_default() += 1;
        }
    }

    fn refuse_account(&mut self, line: u64, refused: RefusedRow) -> Row {
        let RefusedRow { errors, code, customer, amount, figures } = refused;
        for (name, detail) in &errors {
            self.errors.add(|| format!("/lines/{line}/{name}"), detail);
        }
        let text = errors.iter().map(|(name, detail)| match code {
            Some(_) => detail.clone(),
            None => format!("{name}: {detail}"),
        });
        let detail: String = text.collect::<Vec<_>>().join("; ").chars().take(MAX_DETAIL).collect();
        self.asked.add(&format!("{line} invalid {detail}"));
        let code = code.map(|code| code.code().to_owned());
        self.refuse(line, detail.clone(), code.as_deref());
        // Another row may not name the same customer, whatever is wrong with this one.
        if let Some(customer) = &customer {
            self.seen.insert(short_digest(customer.as_str()));
        }
        self.count(Row::new(line, Wanted::Invalid(InvalidRow { customer, amount, detail, code, figures })))
    }
}

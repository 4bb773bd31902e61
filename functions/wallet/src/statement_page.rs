//! A wallet's statement as one page to print, in the reader's language.
//!
//! **Invariant:** a sum or movement that a language lacks does not compile.

use domain::currency::Currency;
use domain::language::Language;
use domain::ledger::account::Account;
use domain::ledger::entry::EntryType;
use domain::money::Money;
use domain::time::Date;
use domain::wallet::statement::Statement;
use edge::statement::Dates;
use edge::statement_page::{PageLine, StatementPage};
use std::collections::BTreeMap;

/// What a statement is made of.
pub(crate) struct Parts<'a> {
    pub(crate) account: &'a Account,
    pub(crate) currency: Currency,
    pub(crate) dates: Dates,
    pub(crate) statement: Statement<'a>,
    /// What expires soon, by date.
    pub(crate) expiring: BTreeMap<Date, Money>,
}

/// The heading and the names of the sums.
struct Words {
    title: &'static str,
    sums: [&'static str; 10],
}

const ENGLISH: Words = Words {
    title: "Wallet statement",
    sums: [
        "Credited",
        "Spent",
        "Refunded",
        "Expired",
        "Transferred in",
        "Transferred out",
        "Taken back",
        "Reinstated",
        "Corrections, added",
        "Corrections, taken",
    ],
};

const HINDI: Words = Words {
    title: "वॉलेट विवरण",
    sums: [
        "जमा",
        "खर्च",
        "वापसी",
        "समाप्त",
        "प्राप्त हस्तांतरण",
        "भेजा गया हस्तांतरण",
        "वापस लिया गया",
        "पुनः जमा",
        "सुधार, जोड़ा गया",
        "सुधार, घटाया गया",
    ],
};

/// Returns the word for what an entry of a wallet does.
fn movement(kind: EntryType, language: Language) -> &'static str {
    let (english, hindi) = match kind {
        EntryType::Credit => ("Credit", "जमा"),
        EntryType::Debit | EntryType::Capture => ("Payment", "भुगतान"),
        EntryType::Refund => ("Refund", "वापसी"),
        EntryType::Expiry => ("Expiry", "समाप्ति"),
        EntryType::TransferIn => ("Transfer received", "प्राप्त हस्तांतरण"),
        EntryType::TransferOut => ("Transfer sent", "भेजा गया हस्तांतरण"),
        EntryType::Clawback | EntryType::OwedCollected => ("Taken back", "वापस लिया गया"),
        EntryType::Adjustment => ("Reinstated", "पुनः जमा"),
        EntryType::Hold
        | EntryType::Release
        | EntryType::Earn
        | EntryType::Activation
        | EntryType::AdjustIn
        | EntryType::Burn
        | EntryType::Reversal
        | EntryType::AdjustOut => ("", ""),
    };
    match language {
        Language::English => english,
        Language::Hindi => hindi,
    }
}

/// Renders a statement.
pub(crate) fn page(parts: &Parts<'_>, language: Language) -> String {
    let words = match language {
        Language::English => &ENGLISH,
        Language::Hindi => &HINDI,
    };
    let Parts { account, currency, dates, statement, expiring } = parts;
    let totals = &statement.totals;
    let sums = [
        totals.credited,
        totals.spent,
        totals.refunded,
        totals.expired,
        totals.transferred_in,
        totals.transferred_out,
        totals.clawed_back,
        totals.reinstated,
        totals.adjusted_up,
        totals.adjusted_down,
    ];
    let lines = statement.lines.iter().map(|line| PageLine {
        date: line.entry.at.date(),
        movement: movement(line.entry.kind, language),
        reason: line.entry.reason.as_ref().map(domain::text::FreeText::as_str),
        amount: line.amount,
        balance: line.entry.balance_after.value(),
    });
    StatementPage {
        language,
        title: words.title,
        owner: account.id.customer().as_str(),
        dates: *dates,
        currency: *currency,
        opening: statement.opening.value(),
        closing: statement.closing.value(),
        sums: words.sums.into_iter().zip(sums).collect(),
        lines: lines.collect(),
        expiring: expiring.iter().map(|(date, amount)| (*date, *amount)).collect(),
    }
    .render()
}

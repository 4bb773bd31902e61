//! A statement as one page to print, in the reader's language.
//!
//! **Invariant:** the page runs nothing and loads nothing; every text of a customer is escaped.

use domain::currency::Currency;
use domain::language::{Language, written};
use domain::ledger::account::Account;
use domain::ledger::entry::EntryType;
use domain::money::Money;
use domain::time::Date;
use domain::wallet::statement::Statement;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a statement is made of.
pub(crate) struct Parts<'a> {
    pub(crate) account: &'a Account,
    pub(crate) currency: Currency,
    pub(crate) from: Date,
    pub(crate) to: Date,
    pub(crate) statement: Statement<'a>,
    /// What expires soon, by date.
    pub(crate) expiring: BTreeMap<Date, Money>,
}

/// The words of the page; a language that lacks one does not compile.
struct Words {
    title: &'static str,
    opening: &'static str,
    closing: &'static str,
    date: &'static str,
    movement: &'static str,
    reason: &'static str,
    amount: &'static str,
    balance: &'static str,
    sums: [&'static str; 10],
    expiring: &'static str,
    nothing: &'static str,
}

const ENGLISH: Words = Words {
    title: "Wallet statement",
    opening: "Opening balance",
    closing: "Closing balance",
    date: "Date",
    movement: "Movement",
    reason: "Reason",
    amount: "Amount",
    balance: "Balance",
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
    expiring: "Expires within 30 days",
    nothing: "Nothing has changed the balance.",
};

const HINDI: Words = Words {
    title: "वॉलेट विवरण",
    opening: "प्रारंभिक शेष",
    closing: "अंतिम शेष",
    date: "दिनांक",
    movement: "लेन-देन",
    reason: "कारण",
    amount: "राशि",
    balance: "शेष",
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
    expiring: "30 दिन में समाप्त",
    nothing: "शेष राशि में कोई बदलाव नहीं हुआ।",
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

/// Escapes a text for HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;color:#1a1a1a;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem;margin:0}table{border-collapse:collapse;width:100%;margin:1rem 0}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}p{margin:.2rem 0}\
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:table-header-group}}";

/// Renders the lines of a statement.
fn lines(parts: &Parts<'_>, words: &Words, language: Language) -> String {
    let Parts { currency, statement, .. } = parts;
    let signed = |amount: Decimal| {
        let sign = if amount.is_sign_negative() { "−" } else { "" };
        let amount = Money::try_new(amount.abs()).unwrap_or_default();
        format!("{sign}{}", written(amount, *currency))
    };
    if statement.lines.is_empty() {
        return format!("<p>{}</p>", words.nothing);
    }
    let mut html = format!(
        "<table><thead><tr><th>{}</th><th>{}</th><th>{}</th><th class=\"n\">{}</th><th class=\"n\">{}</th></tr></thead><tbody>",
        words.date, words.movement, words.reason, words.amount, words.balance
    );
    for line in &statement.lines {
        let entry = line.entry;
        let reason = entry.reason.as_ref().map(|reason| escaped(reason.as_str())).unwrap_or_default();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{reason}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            language.date(entry.at.date()),
            movement(entry.kind, language),
            signed(line.amount),
            written(entry.balance_after, *currency),
        );
    }
    html.push_str("</tbody></table>");
    html
}

/// Renders a statement.
pub(crate) fn page(parts: &Parts<'_>, language: Language) -> String {
    let words = match language {
        Language::English => &ENGLISH,
        Language::Hindi => &HINDI,
    };
    let Parts { account, currency, from, to, statement, expiring } = parts;
    let money = |amount: Money| written(amount, *currency);
    let mut html = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
         <h1>{title}</h1><p>{}</p><p>{} – {}</p>",
        language.as_str(),
        escaped(account.id.customer().as_str()),
        language.date(*from),
        language.date(*to),
        title = words.title,
    );
    let row = |name: &str, amount: String| format!("<tr><th>{name}</th><td class=\"n\">{amount}</td></tr>");
    html.push_str("<table>");
    html.push_str(&row(words.opening, money(statement.opening)));
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
    for (name, sum) in words.sums.iter().zip(sums).filter(|(_, sum)| !sum.is_zero()) {
        html.push_str(&row(name, money(sum)));
    }
    html.push_str(&row(words.closing, money(statement.closing)));
    html.push_str("</table>");
    html.push_str(&lines(parts, words, language));
    if !expiring.is_empty() {
        let _ = write!(html, "<p>{}</p><table>", words.expiring);
        for (date, amount) in expiring {
            html.push_str(&row(&language.date(*date), money(*amount)));
        }
        html.push_str("</table>");
    }
    html.push_str("</body></html>\n");
    html
}

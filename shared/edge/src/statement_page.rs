//! A statement as one page to print, in the reader's language.
//!
//! **Invariant:** the page runs nothing and loads nothing; every text of a caller is escaped.

use crate::statement::Dates;
use domain::currency::Currency;
use domain::language::{Language, written};
use domain::money::Money;
use domain::time::Date;
use rust_decimal::Decimal;
use std::fmt::Write;

/// A line of the page.
#[derive(Clone, Debug)]
pub struct PageLine<'a> {
    /// When it happened.
    pub date: Date,
    /// What it was, in the reader's language.
    pub movement: &'static str,
    /// The reason that its caller gave.
    pub reason: Option<&'a str>,
    /// Below zero if it has taken something.
    pub amount: Decimal,
    /// The balance afterwards.
    pub balance: Decimal,
}

/// What a page shows.
#[derive(Clone, Debug)]
pub struct StatementPage<'a> {
    /// The reader's language.
    pub language: Language,
    /// The heading.
    pub title: &'static str,
    /// Whose statement it is.
    pub owner: &'a str,
    /// Its dates.
    pub dates: Dates,
    /// The currency of all amounts.
    pub currency: Currency,
    /// The balance before the first line.
    pub opening: Decimal,
    /// The balance after the last line.
    pub closing: Decimal,
    /// Sums with their names.
    pub sums: Vec<(&'static str, Money)>,
    /// The lines, oldest first.
    pub lines: Vec<PageLine<'a>>,
    /// What expires soon, by date.
    pub expiring: Vec<(Date, Money)>,
}

/// The words of every page; a language that lacks one does not compile.
struct Words {
    opening: &'static str,
    closing: &'static str,
    date: &'static str,
    movement: &'static str,
    reason: &'static str,
    amount: &'static str,
    balance: &'static str,
    expiring: &'static str,
    nothing: &'static str,
}

const ENGLISH: Words = Words {
    opening: "Opening balance",
    closing: "Closing balance",
    date: "Date",
    movement: "Movement",
    reason: "Reason",
    amount: "Amount",
    balance: "Balance",
    expiring: "Expires within 30 days",
    nothing: "Nothing has changed the balance.",
};

const HINDI: Words = Words {
    opening: "प्रारंभिक शेष",
    closing: "अंतिम शेष",
    date: "दिनांक",
    movement: "लेन-देन",
    reason: "कारण",
    amount: "राशि",
    balance: "शेष",
    expiring: "30 दिन में समाप्त",
    nothing: "शेष राशि में कोई बदलाव नहीं हुआ।",
};

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

impl StatementPage<'_> {
    fn signed(&self, amount: Decimal) -> String {
        let sign = if amount.is_sign_negative() && !amount.is_zero() { "−" } else { "" };
        let amount = Money::try_new(amount.abs()).unwrap_or_default();
        format!("{sign}{}", written(amount, self.currency))
    }

    fn table(&self, words: &Words) -> String {
        if self.lines.is_empty() {
            return format!("<p>{}</p>", words.nothing);
        }
        let mut html = format!(
            "<table><thead><tr><th>{}</th><th>{}</th><th>{}</th><th class=\"n\">{}</th><th class=\"n\">{}</th></tr></thead><tbody>",
            words.date, words.movement, words.reason, words.amount, words.balance
        );
        for line in &self.lines {
            let _ = write!(
                html,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                self.language.date(line.date),
                line.movement,
                line.reason.map(escaped).unwrap_or_default(),
                self.signed(line.amount),
                self.signed(line.balance),
            );
        }
        html.push_str("</tbody></table>");
        html
    }

    /// Renders the page.
    pub fn render(&self) -> String {
        let words = match self.language {
            Language::English => &ENGLISH,
            Language::Hindi => &HINDI,
        };
        let mut html = format!(
            "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
             <h1>{title}</h1><p>{}</p><p>{} – {}</p>",
            self.language.as_str(),
            escaped(self.owner),
            self.language.date(self.dates.from),
            self.language.date(self.dates.to),
            title = self.title,
        );
        let row =
            |name: &str, amount: String| format!("<tr><th>{name}</th><td class=\"n\">{amount}</td></tr>");
        html.push_str("<table>");
        html.push_str(&row(words.opening, self.signed(self.opening)));
        for (name, sum) in self.sums.iter().filter(|(_, sum)| !sum.is_zero()) {
            html.push_str(&row(name, written(*sum, self.currency)));
        }
        html.push_str(&row(words.closing, self.signed(self.closing)));
        html.push_str("</table>");
        html.push_str(&self.table(words));
        if !self.expiring.is_empty() {
            let _ = write!(html, "<p>{}</p><table>", words.expiring);
            for (date, amount) in &self.expiring {
                html.push_str(&row(&self.language.date(*date), written(*amount, self.currency)));
            }
            html.push_str("</table>");
        }
        html.push_str("</body></html>\n");
        html
    }
}

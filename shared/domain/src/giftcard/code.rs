//! Redemption codes and cells of files, as people, word processors and spreadsheets write them.
//!
//! **Invariant:** a redemption code is identified by its folded form alone: upper case, without
//! spaces, dashes and invisible characters. Every digest of a code is made of a [`RedemptionCode`],
//! so no endpoint can forget to fold.
//! **Invariant:** a code is not printed.

use crate::parse::ParseError;
use std::fmt;

/// Length of a folded code, in characters.
const FOLDED_LENGTH: std::ops::RangeInclusive<usize> = 4..=64;

/// Maximum length of a code as written, in characters.
pub const MAX_WRITTEN_LENGTH: usize = 256;

/// Spaces, dashes and invisible characters of Unicode's first plane, as a class of a regular
/// expression.
macro_rules! separators {
    () => {
        concat!(
            r"[\u0009-\u000d\u0020\u00a0\-\u0085\u00ad\u034f\u058a\u05be\u061c\u115f\u1160\u1400\u1680\u17b4\u17b5\u1806\u180b-\u180f",
            r"\u2000-\u2015\u2028-\u202f\u2043\u2053\u205f-\u206f\u207b\u208b\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40",
            r"\u2e5d\u3000\u301c\u3030\u30a0\u3164\ufe00-\ufe0f\ufe31\ufe32\ufe58\ufe63\ufeff\uff0d\uffa0\ufff0-\ufff8]"
        )
    };
}

/// Pattern of a code as written (ECMA-262): 4 to 64 visible ASCII characters, with spaces, dashes
/// and invisible characters around and between them.
pub const CODE_PATTERN: &str = concat!("^(?:", separators!(), "*[!-,.-~]){4,64}", separators!(), "*$");

/// Pattern of a long number as a spreadsheet writes it (ECMA-262), however it is spaced: with a
/// fraction, or with a plus sign in its exponent. A dash in it counts like any other dash in a
/// code.
pub const SCIENTIFIC_PATTERN: &str = concat!(
    "^(?:",
    separators!(),
    "*[0-9])+(?:",
    separators!(),
    "*[.,](?:",
    separators!(),
    "*[0-9])+",
    separators!(),
    "*[eE](?:",
    separators!(),
    r"*\+)?|",
    separators!(),
    "*[eE]",
    separators!(),
    r"*\+)(?:",
    separators!(),
    "*[0-9])+",
    separators!(),
    "*$"
);

/// A redemption code in its folded form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedemptionCode(String);

impl fmt::Debug for RedemptionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedemptionCode(…)")
    }
}

impl RedemptionCode {
    /// Parses a code as a caller writes it.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError =
            ParseError("must be 4 to 64 printable ASCII characters, spaces and dashes aside");
        if text.chars().count() > MAX_WRITTEN_LENGTH {
            return Err(SHAPE);
        }
        let plain = plain(text);
        let seen = plain.chars().filter(|c| !matches!(c, ' ' | '-'));
        let folded: String = seen.map(|c| c.to_ascii_uppercase()).collect();
        // Checked on the folded form, so that all spellings of a code are accepted or none.
        if is_scientific(&folded) {
            return Err(ParseError("is a number in scientific notation, as a spreadsheet writes it"));
        }
        let visible = folded.chars().all(|c| c.is_ascii_graphic());
        if visible && FOLDED_LENGTH.contains(&folded.len()) { Ok(Self(folded)) } else { Err(SHAPE) }
    }

    /// Returns the folded form; only for digests.
    pub fn folded(&self) -> &str {
        &self.0
    }
}

/// Returns the text with plain spaces and dashes in place of all other kinds, without invisible
/// characters, and trimmed.
pub fn plain(text: &str) -> String {
    let plain = |c: char| match c {
        c if is_invisible(c) => None,
        c if c.is_whitespace() => Some(' '),
        c if is_dash(c) => Some('-'),
        c => Some(c),
    };
    text.chars().filter_map(plain).collect::<String>().trim().to_owned()
}

/// Returns true for a number in scientific notation, such as `6.03571E+15` or `4,68769E+17`, which
/// a spreadsheet makes of a long code.
pub fn is_scientific(plain: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((mantissa, exponent)) = plain.split_once(['E', 'e']) else { return false };
    let (whole, fraction) = mantissa.split_once(['.', ',']).map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let sign = exponent.strip_prefix(['+', '-']);
    let signed = sign.is_some() || fraction.is_some();
    signed && digits(whole) && fraction.is_none_or(digits) && digits(sign.unwrap_or(exponent))
}

/// Returns true for what a spreadsheet shows where a value is missing (`#N/A`, `#REF!`) or does not
/// fit (`####`).
pub fn is_error_value(plain: &str) -> bool {
    const ERRORS: [&str; 9] =
        ["#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"];
    let filled = plain.len() > 1 && plain.bytes().all(|b| b == b'#');
    filled || ERRORS.iter().any(|error| plain.eq_ignore_ascii_case(error))
}

/// Returns true for Unicode's dashes (property `Dash`) and the hyphen bullet.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{58a}' | '\u{5be}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{2053}'
                | '\u{207b}'
                | '\u{208b}'
                | '\u{2212}'
                | '\u{2e17}'
                | '\u{2e1a}'
                | '\u{2e3a}'
                | '\u{2e3b}'
                | '\u{2e40}'
                | '\u{2e5d}'
                | '\u{301c}'
                | '\u{3030}'
                | '\u{30a0}'
                | '\u{fe31}'
                | '\u{fe32}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{ff0d}'
                | '\u{10d6e}'
                | '\u{10ead}'
    )
}

/// Returns true for characters that Unicode displays as nothing (property
/// `Default_Ignorable_Code_Point`).
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

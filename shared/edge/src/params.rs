//! Reading query parameters, and the three that every list takes.
//!
//! **Invariant:** a parameter that nobody asked for, or that was sent twice, is an error.

use crate::problem::{FieldError, Problem};
use domain::parse::ParseError;
use form_urlencoded::parse;

/// The parameters of one request.
pub struct Params {
    pairs: Vec<(String, String)>,
    asked: Vec<&'static str>,
    errors: Vec<FieldError>,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub struct Window {
    /// How many, 1 to 100.
    pub limit: u16,
    /// How many to pass over first (from the cursor, if there is one), 0 to 10 000.
    pub skip: u16,
    /// Where to go on; sealed.
    pub cursor: Option<String>,
}

impl Params {
    /// Reads a query string.
    pub fn new(query: Option<&str>) -> Self {
        let pairs = parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs, asked: vec![], errors: vec![] }
    }

    /// A parameter that may be left out.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        self.asked.push(name);
        let (_, text) = self.pairs.iter().find(|(pair, _)| pair == name)?;
        let value = read(text);
        value.map_err(|error| self.offend(name, error.0)).ok()
    }

    /// The window that every list takes.
    pub fn window(&mut self) -> Window {
        let limit = self.optional("limit", whole(1, 100, "must be a whole number from 1 to 100"));
        let skip = self.optional("skip", whole(0, 10_000, "must be a whole number from 0 to 10000"));
        let cursor = self.optional("cursor", |text| Ok(text.to_owned()));
        Window { limit: limit.unwrap_or(50), skip: skip.unwrap_or(0), cursor }
    }

    fn offend(&mut self, name: &str, detail: &str) {
        let name: String = name.chars().take(100).collect();
        self.errors.push(FieldError { pointer: format!("/{name}"), detail: detail.to_owned() });
    }

    /// Tells every offending parameter.
    pub fn finish(mut self) -> Result<(), Problem> {
        let names: Vec<String> = self.pairs.iter().map(|(name, _)| name.clone()).collect();
        for (at, name) in names.iter().enumerate() {
            if !self.asked.contains(&name.as_str()) {
                self.offend(name, "is not a parameter of this request");
            } else if names.iter().take(at).any(|earlier| earlier == name) {
                self.offend(name, "is sent twice");
            }
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::fields(self.errors)) }
    }
}

/// A whole number within bounds; `detail` says which.
pub fn whole(min: u16, max: u16, detail: &'static str) -> impl Fn(&str) -> Result<u16, ParseError> {
    move |text| {
        let plain = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<u16>().ok().filter(|n| plain && (min..=max).contains(n));
        number.ok_or(ParseError(detail))
    }
}

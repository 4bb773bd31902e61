//! Reading query parameters, and the three that every list takes.
//!
//! **Invariant:** a parameter that nobody asked for, or that was sent twice, is an error.

use crate::input::{Limit, Skip, Text};
use crate::problem::{FieldError, Problem};
use domain::parse::ParseError;
use form_urlencoded::parse;
use serde_json::{Value, json};
use store::PageRange;

/// The parameters of one request.
pub struct Params {
    pairs: Vec<(String, String)>,
    looked_up: Vec<&'static str>,
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

impl Window {
    /// The part of the list behind the cursor.
    pub fn range(&self) -> PageRange {
        PageRange { skip: self.skip, limit: self.limit }
    }
}

impl Params {
    /// Reads a query string.
    pub fn new(query: Option<&str>) -> Self {
        let pairs = parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs, looked_up: vec![], errors: vec![] }
    }

    /// A parameter that may be left out.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        self.looked_up.push(name);
        let (_, text) = self.pairs.iter().find(|(pair, _)| pair == name)?;
        let value = read(text);
        value.map_err(|error| self.offend(name, error.0)).ok()
    }

    /// The window that every list takes.
    pub fn window(&mut self) -> Window {
        let WindowQuery { limit, skip, cursor } = WindowQuery::take(self);
        let (limit, skip) = (limit.map_or(50, |limit| limit.0), skip.map_or(0, |skip| skip.0));
        Window { limit, skip, cursor: cursor.map(|cursor| cursor.0) }
    }

    fn offend(&mut self, name: &str, detail: &str) {
        let name: String = name.chars().take(100).collect();
        self.errors.push(FieldError { pointer: format!("/{name}"), detail: detail.to_owned() });
    }

    /// Tells every offending parameter.
    pub fn finish(mut self) -> Result<(), Problem> {
        let names: Vec<String> = self.pairs.iter().map(|(name, _)| name.clone()).collect();
        for (at, name) in names.iter().enumerate() {
            if !self.looked_up.contains(&name.as_str()) {
                self.offend(name, "is not a parameter of this request");
            } else if names.iter().take(at).any(|earlier| earlier == name) {
                self.offend(name, "is sent twice");
            }
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::fields(self.errors)) }
    }
}

/// Where a list goes on: text that an answer gave.
#[derive(Clone, Debug)]
pub struct Cursor(String);

impl Text for Cursor {
    /// Whether it is one of this list is said when it is opened.
    fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{23,1024}$"})
    }
}

crate::query! {
    /// Which part of a list is wanted.
    pub struct WindowQuery {
        /// How many, 50 if left out.
        limit: Limit,
        /// How many to pass over first (from the cursor, if there is one).
        skip: Skip,
        /// `next_cursor` of the page before, for the same list and filters.
        cursor: Cursor,
    }
}

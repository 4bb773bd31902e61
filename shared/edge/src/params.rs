//! Reading query parameters, among them the three that every list accepts.
//!
//! **Invariant:** a parameter that the request does not define, or that was sent twice, is an error.

use crate::field_errors::FieldErrors;
use crate::input::{Limit, Skip, Text};
use crate::problem::Problem;
use domain::parse::ParseError;
use form_urlencoded::parse;
use serde_json::{Value, json};
use store::PageRange;

/// The query parameters of one request.
pub struct Params {
    pairs: Vec<(String, String)>,
    looked_up: Vec<&'static str>,
    errors: FieldErrors,
}

/// The requested part of a list.
#[derive(Clone, Debug)]
pub struct Window {
    /// Page size, 1 to 100.
    pub limit: u16,
    /// Elements to skip, counted from the cursor if one is set; 0 to 10 000.
    pub skip: u16,
    /// The cursor of a previous page, not yet verified.
    pub cursor: Option<String>,
}

impl Window {
    /// Returns the range after the cursor.
    pub fn range(&self) -> PageRange {
        PageRange { skip: self.skip, limit: self.limit }
    }
}

impl Params {
    /// Parses a query string.
    pub fn new(query: Option<&str>) -> Self {
        let pairs = parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs, looked_up: vec![], errors: FieldErrors::default() }
    }

    /// Reads an optional parameter.
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

    /// Reads the window parameters that every list accepts; `limit` defaults to 50, `skip` to 0.
    pub fn window(&mut self) -> Window {
        let WindowQuery { limit, skip, cursor } = WindowQuery::take(self);
        let (limit, skip) = (limit.map_or(50, |limit| limit.0), skip.map_or(0, |skip| skip.0));
        Window { limit, skip, cursor: cursor.map(|cursor| cursor.0) }
    }

    fn offend(&mut self, name: &str, detail: &str) {
        self.errors.add(|| pointer(name), detail);
    }

    /// Reports all invalid parameters: those recorded, unknown ones, and those sent twice.
    pub fn finish(self) -> Result<(), Problem> {
        let Self { pairs, looked_up, mut errors } = self;
        let names = pairs.iter().map(|(name, _)| name.as_str());
        errors.add_unread(names, &looked_up, pointer, "is not a parameter of this request");
        errors.finish()
    }
}

fn pointer(name: &str) -> String {
    format!("/{name}")
}

/// The text of a cursor, as an earlier response returned it.
#[derive(Clone, Debug)]
pub struct Cursor(String);

impl Text for Cursor {
    /// Accepts any text; opening the cursor verifies that it belongs to the list.
    fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{23,1024}$"})
    }
}

crate::query! {
    /// The requested part of a list.
    pub struct WindowQuery {
        /// Page size; 50 if omitted.
        limit: Limit,
        /// Elements to skip, counted from the cursor if one is set.
        skip: Skip,
        /// `next_cursor` of the previous page, for the same list and filters.
        cursor: Cursor,
    }
}

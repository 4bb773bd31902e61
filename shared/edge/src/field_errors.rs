//! The invalid fields of a request.
//!
//! **Invariant:** a problem lists at most the first 100 of them, and no name that a caller made up at
//! more than 80 characters, so that the response is not larger than the request.
//! **Invariant:** the work is linear in the number of names.

use crate::Problem;
use serde::Serialize;
use std::collections::HashSet;

/// One invalid field.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body, or the name of a parameter after a slash.
    #[schema(examples("/amount"))]
    pub pointer: String,
    /// What is wrong with the field.
    pub detail: String,
}

/// The number of invalid fields that a problem lists.
const MAX_LISTED_ERRORS: usize = 100;

/// The longest name of an unknown field that a problem repeats, in characters.
const MAX_NAME_CHARS: usize = 80;

/// The invalid fields of a request: the first 100, and the number of all.
#[derive(Clone, Debug, Default)]
pub struct FieldErrors {
    listed: Vec<FieldError>,
    count: usize,
}

impl FieldErrors {
    /// Adds an invalid field; `pointer` is only called if it is listed.
    pub fn add(&mut self, pointer: impl FnOnce() -> String, detail: &str) {
        self.count += 1;
        if self.listed.len() < MAX_LISTED_ERRORS {
            self.listed.push(FieldError { pointer: pointer(), detail: detail.to_owned() });
        }
    }

    /// Adds the invalid fields of a part of the request.
    pub fn append(&mut self, part: Self) {
        let left = MAX_LISTED_ERRORS.saturating_sub(self.listed.len());
        self.count += part.count;
        self.listed.extend(part.listed.into_iter().take(left));
    }

    /// Returns the number of invalid fields.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the invalid fields that are listed.
    pub fn listed(&self) -> &[FieldError] {
        &self.listed
    }

    /// Returns a problem if there are invalid fields.
    pub fn finish(self) -> Result<(), Problem> {
        if self.count == 0 { Ok(()) } else { Err(Problem::fields(self)) }
    }

    /// Adds what a request may not contain: names that were not read, and those sent twice. The work is
    /// linear in the number of names.
    pub fn add_unread<'n>(
        &mut self,
        names: impl Iterator<Item = &'n str>,
        read: &[&'static str],
        pointer: impl Fn(&str) -> String,
        unknown: &str,
    ) {
        let mut seen = HashSet::new();
        for name in names {
            if !read.contains(&name) {
                self.add(|| pointer(&shortened(name)), unknown);
            } else if !seen.insert(name) {
                self.add(|| pointer(name), "is sent twice");
            }
        }
    }
}

/// Cuts a name that a caller made up.
fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

//! Reading the fields of a JSON body, so that all invalid fields are reported at once.
//!
//! **Invariant:** a field that the request does not define, or that was sent twice, is an error.

use crate::field_errors::FieldErrors;
use crate::json::{Members, RawJson};
use crate::problem::{MissingField, Problem};
use domain::parse::ParseError;

/// The fields of one JSON object.
pub struct Fields<'a> {
    members: Vec<(String, RawJson<'a>)>,
    looked_up: Vec<&'static str>,
    /// The JSON pointer of the object; empty for the body.
    place: String,
    errors: FieldErrors,
}

impl<'a> Fields<'a> {
    /// Parses the body; an empty body has no fields.
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(body).map_err(|_| Problem::invalid("the body is not UTF-8"))?;
        let members = if text.is_empty() {
            vec![]
        } else {
            let object = serde_json::from_str::<Members<'a>>(text);
            object.map_err(|_| Problem::invalid("the body is not a JSON object"))?.0
        };
        Ok(Self::of_members(members, String::new()))
    }

    /// Reads the fields of an object inside a body; `place` is the JSON pointer of the object.
    pub fn within(raw: RawJson<'a>, place: String) -> Result<Self, Problem> {
        let object = serde_json::from_str::<Members<'a>>(raw.get());
        let members = object.map_err(|_| Problem::field(place.clone(), "must be an object"))?.0;
        Ok(Self::of_members(members, place))
    }

    fn of_members(members: Vec<(String, RawJson<'a>)>, place: String) -> Self {
        Self { members, looked_up: vec![], place, errors: FieldErrors::default() }
    }

    /// Records that a field is invalid.
    pub fn offend(&mut self, name: &str, detail: &str) {
        let place = &self.place;
        self.errors.add(|| pointer(place, name), detail);
    }

    /// True if a field was sent, and is not null.
    pub fn is_sent(&self, name: &str) -> bool {
        self.members.iter().any(|(member, raw)| member == name && raw.get() != "null")
    }

    /// Reads a required field; records an error if it is missing.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(RawJson<'_>) -> Result<T, ParseError>,
    ) -> Result<T, MissingField> {
        let before = self.errors.count();
        let value = self.optional(name, read);
        if value.is_none() && self.errors.count() == before {
            self.offend(name, "is required");
        }
        value.ok_or(MissingField)
    }

    /// Reads a field that may be omitted or null.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(RawJson<'_>) -> Result<T, ParseError>,
    ) -> Option<T> {
        self.looked_up.push(name);
        let (_, raw) = self.members.iter().find(|(member, _)| member == name)?;
        if raw.get() == "null" {
            return None;
        }
        let value = read(raw);
        value.map_err(|error| self.offend(name, error.0)).ok()
    }

    /// Reads a field that may be omitted (`None`) or null (`Some(None)`, which clears the stored value).
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(RawJson<'_>) -> Result<T, ParseError>,
    ) -> Option<Option<T>> {
        let is_null = self.members.iter().any(|(member, raw)| member == name && raw.get() == "null");
        let value = self.optional(name, read);
        if is_null { Some(None) } else { value.map(Some) }
    }

    /// Reports all invalid fields: those recorded, unknown ones, and those sent twice.
    pub fn finish(self) -> Result<(), Problem> {
        let Self { members, looked_up, place, mut errors } = self;
        let names = members.iter().map(|(name, _)| name.as_str());
        let at = |name: &str| pointer(&place, name);
        errors.add_unread(names, &looked_up, at, "is not a field of this request");
        errors.finish()
    }
}

/// Returns the JSON pointer of a field (RFC 6901).
fn pointer(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

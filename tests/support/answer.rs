//! An HTTP response, with methods that read and check it.

use axum::response::Response;
use http::HeaderMap;
use http_body_util::BodyExt;
use serde_json::Value;

/// A complete response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub body: String,
}

impl Answer {
    /// Reads a response to its end.
    pub async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Returns the body as JSON (numbers as `serde_json` reads them; use [`Answer::raw`] for exact digits).
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// Returns the field at a JSON pointer.
    #[track_caller]
    pub fn field(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_else(|| panic!("no {pointer} in {}", self.body))
    }

    /// Returns the string at a JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        self.field(pointer)
            .as_str()
            .unwrap_or_else(|| panic!("{pointer} is not a string in {}", self.body))
            .to_owned()
    }

    /// Returns the digits of a top-level number exactly as sent.
    #[track_caller]
    pub fn raw(&self, name: &str) -> String {
        let start =
            self.body.find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name}: {}", self.body));
        let rest = &self.body[start + name.len() + 3..];
        rest[..rest.find([',', '}']).unwrap()].to_owned()
    }

    /// Returns a header's value; None if it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns true if the response is marked as an idempotent replay.
    pub fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// Asserts the status and returns the response.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Asserts that the response is a problem with this status and code, and returns it.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.text("/code"), code, "{}", answer.body);
        assert!(answer.text("/type").ends_with(code));
        assert!(!answer.text("/instance").is_empty() && !answer.text("/title").is_empty());
        answer
    }

    /// Returns the JSON pointers of the errors in a validation problem.
    pub fn offending(&self) -> Vec<String> {
        let errors = self.field("/errors");
        errors.as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

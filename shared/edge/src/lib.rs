//! The only crate that knows HTTP and JWT claims: reads callers and requests, and renders responses.
//!
//! **Invariant:** raw text from callers is parsed here and in each function's `wire` module; later code
//! sees only typed values.
//! **Invariant:** every error becomes a problem in exactly one place ([`problem`]), and no internal text
//! is sent.

pub mod api_request;
pub mod app;
pub mod batch;
pub mod body;
pub mod budget;
pub mod claims;
mod configuration;
pub mod csv;
pub mod cursor;
pub mod delivery;
pub mod event;
pub mod field_errors;
pub mod fields;
pub mod input;
pub mod json;
pub mod lambda;
mod links;
pub mod movement;
pub mod openapi;
pub mod order;
pub mod page;
pub mod params;
pub mod paths;
pub mod problem;
pub mod raw;
mod rejections;
pub mod reply;
pub mod request;
pub mod routes;
pub mod scheduled;
pub mod schema;
pub mod seal;
pub mod secrets;
pub mod statement;
pub mod statement_page;
pub mod stock_file;
pub mod sweep;
pub mod telemetry;
pub mod topup;
pub mod values;
pub mod wiring;

pub use api_request::ApiRequest;
pub use app::{App, Clock, Services};
pub use problem::Problem;

//! Keeps web pages away from what is for developers alone: the control endpoints and the table.
//!
//! **Invariant:** a request is refused if it has an `Origin`, which browsers send for pages, or a
//! `Host` that is not this machine's loopback, which a page reaches by a DNS name of its own.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use edge::Problem;
use http::uri::Authority;
use http::{HeaderMap, StatusCode, header};
use std::net::IpAddr;

/// Returns true if the request may come from a program on this machine, not from a web page.
pub(crate) fn is_from_here(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let is_loopback = host.is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        let address = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        address || name.eq_ignore_ascii_case("localhost")
    });
    is_loopback && !headers.contains_key(header::ORIGIN)
}

/// Refuses requests that may come from a web page.
pub(crate) async fn from_here(request: Request, next: Next) -> Response {
    if is_from_here(request.headers()) {
        return next.run(request).await;
    }
    let detail = "this address answers programs on this machine, not web pages";
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response()
}

//! Errors as RFC 9457 problem documents.

use super::order::NoOrder;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What the caller is told.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
}

impl Problem {
    /// A problem of a named kind. `detail` names the field, the value and the limit.
    pub fn new(status: StatusCode, code: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: format!("urn:vending-station:{code}"), title, status: status.as_u16(), detail: detail.into() }
    }

    /// Something that doesn't exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// A request that can't be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request", detail)
    }

    /// A request that is understood and refused; asking again the same way is refused again.
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "Refused", detail)
    }

    /// The store does not work. The reason goes to the log, not to the caller.
    pub fn store(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "store");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store",
            "Store unavailable",
            "The books can't be read or written now. Ask again with the same key.",
        )
    }
}

impl From<crate::store::StoreError> for Problem {
    fn from(error: crate::store::StoreError) -> Self {
        Self::store(&error)
    }
}

impl From<NoOrder> for Problem {
    fn from(error: NoOrder) -> Self {
        match error {
            NoOrder::Bad(detail) => Self::bad_request(detail),
            NoOrder::Refused(detail) => Self::refused(detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

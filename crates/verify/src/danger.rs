//! What weakens verification, so that it can be found by its name.

use crate::request::Request;

/// A request that nothing proves: its source truly cannot sign.
///
/// It travels beside [`Verified`](crate::Verified), never as one, and stays marked for ever.
#[derive(Debug, Clone)]
pub struct Unsigned(Request);

impl Unsigned {
    /// Lets a request in that nobody vouches for.
    #[must_use]
    pub fn accept(request: Request) -> Self {
        Self(request)
    }

    /// The bytes, as received.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.0
    }

    /// The bytes, as received.
    #[must_use]
    pub fn into_request(self) -> Request {
        self.0
    }
}

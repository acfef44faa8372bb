//! Every plain HMAC scheme, by its [`Descriptor`].

mod key;
mod read;
mod sign;
mod time;
mod verifier;

#[cfg(test)]
mod tests;

pub(crate) use self::sign::{Material, sign};
pub use self::verifier::Verifier;
#[cfg(doc)]
use crate::descriptor::Descriptor;

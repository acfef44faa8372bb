//! What black-box tests stand on: the real binary, real sockets, raw bytes, real time.

pub mod house;
pub mod http;
pub mod secure;
pub mod wait;

pub use house::{House, hookhouse};
pub use http::{Answer, Connection, MOMENT, request, send};
pub use secure::{Outside, Secure, leaf};
pub use wait::{PATIENCE, eventually};

//! What black-box tests stand on: the real binary, real sockets, raw bytes, real time.

mod balancer;
pub mod canary;
pub mod house;
pub mod http;
pub mod secure;
mod traffic;
pub mod wait;

pub use balancer::Balancer;
pub use house::{House, hookhouse};
pub use http::{Answer, Connection, MOMENT, request, send};
pub use secure::{Outside, Secure, leaf};
pub use traffic::{Tally, Traffic};
pub use wait::{PATIENCE, eventually};

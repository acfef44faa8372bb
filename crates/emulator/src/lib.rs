//! Stand-ins for the two ends that a webhook gateway sits between: providers that send, and an application that
//! receives.
//!
//! * [`fixtures`]: the events, as the providers write them.
//! * [`sender`]: a provider that signs an event and sends it, or challenges an endpoint, and says what came back.
//! * [`receiver`]: an application that takes whatever comes and tells what it got.
//!
//! They serve `hookhouse dev --demo` and `hookhouse trigger`, and they are what the tests talk to. Times and random
//! numbers arrive as arguments.

pub mod fixtures;
pub mod receiver;
pub mod sender;

pub use fixtures::{Fixture, Rendered};
pub use receiver::Receiver;
pub use sender::Sender;

//! Stand-ins for the two ends that a webhook gateway sits between: providers that send, and an application that
//! receives.
//!
//! * [`fixtures`]: the events, as the providers write them.
//! * [`sender`]: a provider that signs an event and sends it, or challenges an endpoint, and says what came back.
//! * [`twilio`]: a Twilio that places calls and sends messages, and follows the TwiML that comes back.
//! * [`x`]: an X that registers webhooks, challenges them, sends what happens and replays it.
//! * [`receiver`]: an application that takes whatever comes and tells what it got.
//!
//! They serve `hookhouse dev --demo`, `hookhouse trigger` and `hookhouse emulate`, and they are what the tests talk to.
//! Times and random numbers arrive as arguments.

pub mod fixtures;
pub mod receiver;
pub mod sender;
pub mod twilio;
pub mod x;

pub use fixtures::{Fixture, Rendered};
pub use receiver::Receiver;
pub use sender::Sender;

//! Delivery.
pub mod destination;
pub use destination::{Destination, DestinationSigning, RetrySchedule};

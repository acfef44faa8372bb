//! What tests stand on: a clock that is set, a store in memory, a receiver that misbehaves, a Salesforce org, the rules
//! that every store keeps, spoiled inputs, and the real binary with real sockets.

pub mod blackbox;
pub mod certificate;
pub mod clock;
pub mod memory;
pub mod nats;
pub mod receiver;
pub mod salesforce;
pub mod spoiling;
pub mod store_contract;

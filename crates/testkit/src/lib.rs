//! What tests stand on: a clock that is set, a store in memory, a receiver that misbehaves, the rules that every store
//! keeps, and the real binary with real sockets.

pub mod blackbox;
pub mod clock;
pub mod memory;
pub mod receiver;
pub mod store_contract;

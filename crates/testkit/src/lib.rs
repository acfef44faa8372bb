//! 
pub mod blackbox;
pub mod memory;
pub mod receiver;
pub mod clock;
pub mod store_contract;

//! The whole thing from outside: the binary, its sockets, its files, and applications that it delivers to.

mod accounts;
mod activation;
mod api;
#[cfg(feature = "jetstream")]
mod cluster;
#[cfg(feature = "jetstream")]
mod copy;
mod core_dump;
mod db;
mod delivery;
mod dev;
mod differential;
mod doctor;
mod durability;
mod edit;
mod emulate;
#[cfg(feature = "jetstream")]
mod entrance;
mod explain;
#[cfg(feature = "jetstream")]
mod gateways;
mod guides;
mod listen;
mod nginx;
mod operate;
mod redact;
mod relay;
mod reload;
mod salesforce;
mod sendgrid;
mod slow;
mod tail;
mod telemetry;
mod tls;
mod websocket;
mod x;

//! The whole thing from outside: the binary, its sockets, its files, and applications that it delivers to.

mod accounts;
mod api;
mod delivery;
mod dev;
mod doctor;
mod durability;
mod emulate;
mod explain;
mod guides;
mod listen;
mod nginx;
mod operate;
mod relay;
mod salesforce;
mod sendgrid;
mod tail;
mod telemetry;
mod tls;
mod websocket;
mod x;

//! The whole thing from outside: the binary, its sockets, its files, and applications that it delivers to.

mod accounts;
mod delivery;
mod dev;
mod durability;
mod explain;
mod relay;
mod sendgrid;

//! The proof that nothing acknowledged is lost, and what else the goals of reliability promise, measured.
//!
//! ```text
//! Load ──events──▶ Server ──deliveries──▶ Application        Ledger: every event made, and what was said about it
//!   └──notes───▶ Ledger ◀──── Findings ────┘                 Findings: the ledger held against store and destination
//! ```
//!
//! A [`Campaign`](campaign::Campaign) is one store with everybody around it; [`kills`] and [`cuts`] put it through the same
//! thing again and again. The tests call them with small counts, `cargo xtask soak` with large ones.

pub mod application;
pub mod audit;
pub mod backlog;
pub mod campaign;
pub mod challenges;
pub mod change;
pub mod clocks;
pub mod corruption;
pub mod cuts;
pub mod elsewhere;
pub mod floods;
pub mod full;
pub mod goals;
pub mod http;
pub mod image;
pub mod io_errors;
pub mod kills;
pub mod latency;
pub mod ledger;
pub mod load;
pub mod machine;
pub mod needs;
pub mod process;
mod reached;
pub mod server;
pub mod slow;
pub mod steady;
pub mod table;
pub mod traffic;

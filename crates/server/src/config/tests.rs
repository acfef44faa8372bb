//! Whole files, and what is said of them.
//!
//! Every secret that these tests use has the word `canary` in it, and [`house::House::read`] looks for the word in
//! everything that could be printed.

mod api;
mod every_code;
mod house;
mod meaning;
mod one_run;
mod prints;
mod recovery;
mod relay;
mod running;
mod salesforce;
mod secrets;
mod templates;
mod tls;

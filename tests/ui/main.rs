//! The web UI in a real browser: Debian's Chromium, driven by Playwright.
//!
//! Rust prepares a server and what arrives there; a script of `scripts/` does what a person would do in the browser, and
//! says what it saw. Every script watches what must never happen: a script that ran out of a payload, a violation of the
//! Content-Security-Policy, an error of ours, a request to anywhere but the server.

mod access;
mod application;
mod browser;
mod hostile;
mod loops;
mod many;
mod plain;
mod server;

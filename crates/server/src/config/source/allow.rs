//! `allow_ips`: which addresses may call, and what happens to the others.

use ipnet::IpNet;
use serde::Deserialize;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::{Field, List};
use super::super::loader::Loader;
use super::super::model::AllowIps;

/// What the list is good for. Without a mode a named set is counted and a CIDR is enforced: the operator knows their
/// own networks, but nobody promises that a provider's published list is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Nothing.
    Off,
    /// Calls from elsewhere are counted.
    Monitor,
    /// Calls from elsewhere are refused.
    Enforce,
}

/// The lists.
pub(super) fn read(list: &Field<List<String>>, mode: &Field<Mode>, loader: &Loader<'_>) -> AllowIps {
    let (mut sets, mut networks): (Vec<IpNet>, Vec<IpNet>) = (Vec::new(), Vec::new());
    for given in list.elements() {
        if given.value.starts_with('@') {
            sets.extend(loader.named_networks(given));
        } else {
            networks.extend(loader.network(given));
        }
    }
    if let Some(given) = list.given()
        && given.value.is_empty()
    {
        loader.report.push(
            Diagnostic::error(
                Code::Value,
                &given.span,
                "`allow_ips` is empty: it would allow everybody or nobody",
            )
            .help("leave it out to allow everybody"),
        );
    }
    if let Some(given) = mode.given()
        && given.value != Mode::Off
        && list.is_missing()
    {
        loader.report.missing_key(
            &given.key,
            "allow_ips",
            "there is no list for `allow_ips_mode` to apply to",
            "`allow_ips = [\"192.0.2.0/24\"]`",
        );
    }
    let both = || sets.iter().chain(&networks).copied().collect();
    match mode.value() {
        Some(Mode::Off) => AllowIps::default(),
        Some(Mode::Monitor) => AllowIps { enforce: Vec::new(), monitor: both() },
        Some(Mode::Enforce) => AllowIps { enforce: both(), monitor: Vec::new() },
        None => {
            if let (Some(given), false, false) = (list.given(), sets.is_empty(), networks.is_empty()) {
                loader.report.push(
                    Diagnostic::warning(
                        Code::AllowIpsMixed,
                        &given.span,
                        "the networks are enforced, the named set is only counted: calls from the set alone are refused",
                    )
                    .help("say what you mean: `allow_ips_mode = \"enforce\"` or `\"monitor\"` for the whole list"),
                );
            }
            let monitor = if sets.is_empty() { Vec::new() } else { both() };
            AllowIps { monitor, enforce: networks }
        }
    }
}

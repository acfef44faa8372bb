//! A server that is changed while events come at a rate: another process takes over, the configuration becomes another one, the
//! secret is rotated. No request fails, nothing acknowledged is lost.

use std::path::Path;

use anyhow::ensure;

use crate::audit::Findings;
use crate::campaign::{Budget, Campaign};
use crate::http::signed_with;
use crate::server::{SECRET, Setup};
use crate::traffic::{Tally, Traffic};

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Another process takes over (`serve --take-over`).
    Process,
    /// The configuration becomes another one (`reload`). Every fourth file has a mistake, and changes nothing.
    Configuration,
    /// The secret becomes another one: first both count, then the senders change over, half of them earlier.
    Secret,
}

/// What was seen.
#[derive(Debug)]
pub struct Changed {
    /// Changes.
    pub rounds: u32,
    /// What the senders saw.
    pub tally: Tally,
    /// What the audit found.
    pub findings: Findings,
}

/// Requests of each sender between two changes.
const BETWEEN: u64 = 8;

/// Changes it again and again, under so many events a second.
///
/// # Errors
/// When the harness cannot do its work, or a change does not come to its end. Requests that failed, and what the audit found, are no
/// error.
pub fn run(binary: &Path, change: Change, rate: u32, budget: &Budget, seed: u64) -> anyhow::Result<Changed> {
    let mut campaign = Campaign::new(binary, None, seed)?;
    let mut secret = SECRET.to_owned();
    if change == Change::Secret {
        std::fs::write(campaign.folder().join(file(0)), &secret)?;
        campaign.server.configure(&with_secrets(&campaign, 0))?;
    }
    campaign.server.start()?;
    let ingress = campaign.server.ingress;
    let begin = || Traffic::start(ingress, &campaign.ledger, rate / 2, &secret);
    let (some, others) = (begin(), begin());
    some.go_on(BETWEEN)?;
    let mut rounds = 0;
    while budget.allows(rounds) && some.failed() + others.failed() == 0 {
        match change {
            Change::Process => {
                let status = campaign.server.take_over()?;
                ensure!(status.success(), "the former server ended with {status}");
            }
            Change::Configuration => reconfigure(&campaign, rounds)?,
            Change::Secret => {
                secret = format!("the consumer secret of the harness, {}", rounds + 2);
                std::fs::write(campaign.folder().join(file(rounds + 1)), &secret)?;
                campaign.server.configure(&with_secrets(&campaign, rounds + 1))?;
                reload(&campaign, 0)?;
                some.sign_with(&secret)?;
                others.go_on(BETWEEN)?;
                others.sign_with(&secret)?;
            }
        }
        some.go_on(BETWEEN)?;
        rounds += 1;
    }
    let tally = some.end()?.beside(others.end()?);
    let findings = campaign.settle()?;
    if change == Change::Secret && rounds > 1 {
        ensure!(is_refused(&campaign, SECRET)?, "a secret that was taken out still counts");
    }
    campaign.server.stop()?;
    Ok(Changed { rounds, tally, findings })
}

/// One configuration of four after the other: with another source, with a mistake, as it was, with another destination.
fn reconfigure(campaign: &Campaign, round: u32) -> anyhow::Result<()> {
    let mut setup = campaign.setup();
    let mut expected = 0;
    match round % 4 {
        0 => {
            setup.more = format!(
                "\n[source.extra]\nprovider = \"none\"\npath = \"/extra/{round}\"\ndeliver = [\"app\"]\n"
            );
        }
        1 => {
            (setup.more, expected) =
                ("\n[source.extra]\nprovider = \"nobody\"\npath = \"/extra\"\n".to_owned(), 3)
        }
        2 => {}
        _ => setup.delivery += &format!("timeout = \"{}s\"\n", 5 + round),
    }
    campaign.server.configure(&setup)?;
    reload(campaign, expected)
}

fn reload(campaign: &Campaign, expected: i32) -> anyhow::Result<()> {
    let (code, said) = campaign.server.reload()?;
    ensure!(code == Some(expected), "`hookhouse reload` ended with {code:?}, not with {expected}: {said}");
    Ok(())
}

/// The secret of a round, and the one before it.
fn with_secrets(campaign: &Campaign, round: u32) -> Setup {
    let mut secrets = format!("consumer_secret = {{ file = \"{}\" }}\n", file(round));
    if let Some(former) = round.checked_sub(1) {
        secrets += &format!("previous_secrets = [{{ file = \"{}\" }}]\n", file(former));
    }
    Setup { secrets: Some(secrets), ..campaign.setup() }
}

fn file(round: u32) -> String {
    format!("secret-{round}")
}

fn is_refused(campaign: &Campaign, secret: &str) -> anyhow::Result<bool> {
    let mut connection = crate::http::Connection::open(campaign.server.ingress)?;
    Ok(connection.exchange(&signed_with(secret, b"{\"late\":1}"))?.status == 403)
}

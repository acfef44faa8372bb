//! `hookhouse token`: who may use the admin API of a server.

use std::io::IsTerminal;
use std::path::Path;

use hookhouse_core::{Clock, SystemClock, Timestamp};
use hookhouse_server::Running;
use hookhouse_server::admin::view::{List, MadeToken, NewToken, TokenView};
use hookhouse_server::admin::{Scope, Token};
use http::Method;
use jiff::SignedDuration;

use crate::Global;
use crate::admin::{Client, block_on};
use crate::exit::Outcome;
use crate::locate;
use crate::output::Out;
use crate::terminal::inline;

/// List, make and revoke the tokens of the admin API
///
/// The token in the store's folder, admin.token, may do everything and is not among them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the tokens: what each may do, and when it was last used
    Ls,
    /// Make a token; its text is printed once, and nobody can see it again
    Create {
        /// What it is for
        name: String,
        /// What it may do: read, write (and read), admin (everything), metrics; again for each
        #[arg(long, required = true, value_name = "SCOPE")]
        scope: Vec<Scope>,
        /// When it ends: a time (RFC 3339) or a while from now (30d, 12h) [default: never]
        #[arg(long, value_name = "WHEN", value_parser = later)]
        expires: Option<Timestamp>,
    },
    /// Take a token away, at once, with the sessions that began with it
    Revoke {
        /// The token's id: `tok_…`
        id: String,
    },
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let client = Client::require(&place).await?;
        match command {
            Command::Ls => {
                let list: List<TokenView> = client.read("tokens").await?;
                let mut out = Out::new(global.output);
                for token in &list.data {
                    out.entry(token, summary)?;
                }
                Ok(out.finish()?)
            }
            Command::Create { name, scope, expires } => {
                let wanted = NewToken { name, scopes: scope, expires_at: expires };
                let made: MadeToken = client.ask(Method::POST, "tokens", Some(&wanted)).await?;
                anstream::eprintln!("{}", summary(&made.token));
                Ok(Out::one(global.output, &made, |made| made.secret.clone())?)
            }
            Command::Revoke { id } => {
                client.send(Method::DELETE, &format!("tokens/{}", plain(&id)), None).await?;
                anstream::eprintln!("{} opens nothing any more", inline(&id));
                Ok(())
            }
        }
    })
}

/// Shows the token of a new store to whoever sits there; a log, which others read, is told where it lies.
pub(crate) fn introduce(running: &Running, folder: &Path) {
    let Some(token) = &running.first_token else { return };
    let file = folder.join(Token::FILE);
    if std::io::stderr().is_terminal() {
        anstream::eprintln!(
            "\nThe token of the admin side, which is shown this once and lies in {}:\n\n    {token}\n",
            file.display()
        );
    } else {
        tracing::info!(event = "admin.first_token", file = %file.display(), "a token was made, which opens the admin side");
    }
}

fn summary(token: &TokenView) -> String {
    let scopes: Vec<_> = token.scopes.iter().map(ToString::to_string).collect();
    let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    format!(
        "{}  {:<20}  {:<16}  made {}  {}  {}",
        token.id,
        inline(&token.name),
        scopes.join(","),
        day(token.created_at),
        token.expires_at.map_or_else(|| "no end".to_owned(), |end| format!("ends {}", day(end))),
        token.last_used_at.map_or_else(|| "never used".to_owned(), |last| format!("last used {}", day(last))),
    )
}

/// An id as it may stand in a path: one that is none leads nowhere.
fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// A moment to come: RFC 3339, or so long from now.
fn later(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let wrong = || "give a time such as 2027-01-01T00:00:00Z, or a while from now such as 30d".to_owned();
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .and_then(|days| days.checked_mul(24));
    let while_ = match days {
        Some(hours) => SignedDuration::try_from_hours(hours).ok_or_else(wrong)?,
        None => text.parse().map_err(|_| wrong())?,
    };
    SystemClock.now().checked_add(while_).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_to_come_is_a_time_or_a_while() {
        assert_eq!(later("2027-01-01T00:00:00Z"), Ok("2027-01-01T00:00:00Z".parse().unwrap()));
        let now = SystemClock.now();
        assert!(later("30d").unwrap() > now && later("12h").unwrap() > now);
        for bad in ["", "soon", "d", "99999999999999999d"] {
            assert!(later(bad).is_err(), "{bad}");
        }
    }
}

//! The platform's keys, once, in the form in which they are needed.

use std::fmt::Write as _;

use hookhouse_emulator::x::{Platform, UserTokens, reveal};
use serde_json::{Value, json};

use crate::exit::Outcome;
use crate::output::{Format, line};

/// Prints them: assignments for an environment file with a configuration in comments, or one JSON object.
pub(super) fn print(platform: &Platform, format: Format) -> Outcome {
    let text = match format {
        Format::Human => assignments(platform)?,
        Format::Json => serde_json::to_string_pretty(&object(platform))?,
        Format::Jsonl => object(platform).to_string(),
    };
    Ok(line(&text)?)
}

fn assignments(platform: &Platform) -> Result<String, std::fmt::Error> {
    let app = platform.credentials();
    let mut out = String::new();
    writeln!(out, "# {} stands for https://api.x.com", platform.base_url())?;
    writeln!(out, "X_CONSUMER_KEY={}", app.consumer_key)?;
    writeln!(out, "X_CONSUMER_SECRET={}", reveal(&app.consumer_secret))?;
    writeln!(out, "X_CLIENT_SECRET={}", reveal(&app.client_secret))?;
    writeln!(out, "X_BEARER={}", reveal(&app.bearer))?;
    for tokens in platform.tokens() {
        let name = tokens.handle.to_ascii_uppercase();
        writeln!(out, "# @{}, user {}", tokens.handle, tokens.user)?;
        writeln!(out, "X_{name}_ACCESS_TOKEN={}", reveal(&tokens.access_token))?;
        writeln!(out, "X_{name}_ACCESS_TOKEN_SECRET={}", reveal(&tokens.access_token_secret))?;
        writeln!(out, "X_{name}_OAUTH2_TOKEN={}", reveal(&tokens.oauth2))?;
    }
    out.push_str(CONFIGURATION);
    Ok(out)
}

/// What goes into `hookhouse.toml` beside them.
const CONFIGURATION: &str = r#"# [source.x]
# provider             = "x"
# path                 = "/webhooks/twitter"
# consumer_secret      = { env = "X_CONSUMER_SECRET" }
# oauth2_client_secret = { env = "X_CLIENT_SECRET" }
# api                  = { bearer = { env = "X_BEARER" } }
"#;

fn object(platform: &Platform) -> Value {
    let app = platform.credentials();
    let user = |tokens: &UserTokens| {
        json!({
            "id": tokens.user,
            "handle": tokens.handle,
            "access_token": reveal(&tokens.access_token),
            "access_token_secret": reveal(&tokens.access_token_secret),
            "oauth2_token": reveal(&tokens.oauth2),
        })
    };
    json!({
        "base_url": platform.base_url(),
        "consumer_key": app.consumer_key,
        "consumer_secret": reveal(&app.consumer_secret),
        "client_secret": reveal(&app.client_secret),
        "bearer": reveal(&app.bearer),
        "users": platform.tokens().iter().map(user).collect::<Vec<_>>(),
    })
}

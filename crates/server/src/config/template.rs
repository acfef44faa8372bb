//! The file that `hookhouse init` writes: what is needed is set, what can be set is a comment.

use std::fmt::Write;

use hookhouse_core::SourceName;
use hookhouse_verify::catalogue;

/// Where providers call, while no domain is known.
const DOMAIN: &str = "hooks.example.com";

/// A commented `hookhouse.toml` with a source for each provider. It passes `hookhouse check` once the variables it names
/// are set; a provider that nobody knows is left for `check` to tell.
#[must_use]
pub fn template(providers: &[&str], domain: Option<&str>) -> String {
    let mut text = String::new();
    server(&mut text, providers, domain);
    text += ADMIN_AND_STORE;
    let mut written: Vec<&str> = Vec::new();
    for provider in providers {
        if !written.contains(provider) {
            written.push(provider);
            source(&mut text, provider);
        }
    }
    text += DESTINATION;
    text
}

fn server(text: &mut String, providers: &[&str], domain: Option<&str>) {
    let (scheme, host) =
        domain.and_then(|domain| domain.split_once("://")).unwrap_or(("https", domain.unwrap_or(DOMAIN)));
    let host = host.trim_end_matches('/');
    *text += "\
# Hookhouse. `hookhouse check` says what is wrong with this file, `hookhouse serve` runs it.
# Relative paths start at this file's folder. Secrets never stand here: they come from the environment
# ({ env = \"NAME\" }), from a file ({ file = \"path\" }) or from systemd ({ credential = \"name\" }).

[server]
listen = [\"127.0.0.1:8080\"]                # behind a proxy that ends TLS; without one, 0.0.0.0:443 and `tls`
# tls = { acme = { contact = \"mailto:ops@example.com\" } }     # or { cert = \"fullchain.pem\", key = \"privkey.pem\" }
";
    let (mark, remark) = match domain {
        Some(_) => ("", ""),
        None if providers.contains(&"twilio") => ("", ": change this"),
        None => ("# ", ""),
    };
    let url = quote(&format!("{scheme}://{host}"));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{mark}public_url = {url}  # what providers call{remark}; signed by some of them");
    let host = quote(host);
    let _ = writeln!(text, "# hosts = [{host}]            # refuse requests for any other host");
    *text += "# limits = { connections = 20000, per_address = 1000 }\n";
    *text +=
        "# [listener.http]                           # further listeners: address, tls, proxy_protocol\n";
    *text += "# address = \"0.0.0.0:80\"\n";
}

const ADMIN_AND_STORE: &str = "
[admin]
listen = \"127.0.0.1:4040\"                  # loopback only: it shows every event
# allowed_hosts = [\"localhost\"]

[store]
path = \".hookhouse\"                        # for a service: /var/lib/hookhouse
# reserve = \"32MB\"                         # with less free space, requests get 503 and nothing is half written
# retention = { age = \"30d\", size = \"20GB\" }   # or \"off\"; never removes what a destination still waits for
# encrypt = { key = { env = \"HOOKHOUSE_STORE_KEY\" } }   # `hookhouse db key` makes one; the store is worth nothing without it
";

const DESTINATION: &str = "
# [destination.app]
# url = \"http://127.0.0.1:3000/hooks\"
# allow_loopback = true                     # an application on this machine
# timeout = \"10s\"
# concurrency = 16
# retry = { schedule = [\"5s\", \"30s\", \"2m\", \"10m\", \"1h\", \"6h\", \"24h\"], jitter = 0.2 }
# sign = { standard_webhooks = { env = \"APP_SIGNING_SECRET\" } }
";

fn source(text: &mut String, provider: &str) {
    let name = match provider {
        "none" => "inbox",
        "hmac" => "billing",
        provider => provider,
    };
    if name.parse::<SourceName>().is_err() {
        return;
    }
    let path = if provider == "x" { "twitter" } else { name };
    let _ = write!(text, "\n[source.{name}]\nprovider = {}\npath = \"/webhooks/{path}\"\n", quote(provider));
    let variable = name.to_ascii_uppercase().replace('-', "_");
    match provider {
        "x" => {
            *text += "\
consumer_secret = { env = \"X_CONSUMER_SECRET\" }
# oauth2_client_secret = { env = \"X_CLIENT_SECRET\" }
# previous_secrets = [{ file = \"secrets/x.old\", until = \"2030-01-01T00:00:00Z\" }]
# crc = { signature = \"if-present\", rate = \"off\", shape = \"any\", key = \"consumer\" }
# allow_ips = [\"@x\"]                        # counted; allow_ips_mode = \"enforce\" refuses the others
";
        }
        "twilio" => {
            *text += "\
auth_token = { env = \"TWILIO_AUTH_TOKEN\" }
# public_url = \"https://hooks.example.com:8443\"   # where this source was told another one than [server]
# answer = { status = 200, content_type = \"text/xml\", body = \"<Response/>\" }
";
        }
        "sendgrid" => {
            *text += "\
public_key = { env = \"SENDGRID_PUBLIC_KEY\" }   # base64, from the Event Webhook's security settings
";
        }
        "hmac" => {
            *text += "\
secret = { env = \"BILLING_SECRET\" }
hmac = { header = \"X-Signature\", digest = \"sha256\", encoding = \"hex\", message = [\"body\"] }
";
        }
        "none" => *text += "# nothing is verified here: anybody can write to it\n",
        provider => {
            let row = catalogue::find(provider);
            let field = row.map_or("secret", |row| row.secret_field);
            let _ = writeln!(text, "{field} = {{ env = \"{variable}_SECRET\" }}");
            if row.and_then(|row| row.challenge).is_some_and(|challenge| challenge.is_confirmed()) {
                let _ = writeln!(text, "verify_token = {{ env = \"{variable}_VERIFY_TOKEN\" }}");
            }
        }
    }
    *text += "\
# max_body = \"1MiB\"
# dedupe = { window = \"7d\" }
# deliver = [\"app\"]                         # events are kept in any case
# redact = { headers = [\"x-api-key\"], json = [\"/user/email\"] }   # taken out before anything is stored
";
}

/// A TOML string.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(char);
            }
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

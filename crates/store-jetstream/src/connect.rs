//! The connection to the cluster.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, ServerAddr};

use crate::options::{Credentials, OldestServer, OpenError, Options};

/// Messages that wait to be sent; more make their senders wait.
const CAPACITY: usize = 4096;

/// Connects, and checks that the servers are what the store needs.
pub(crate) async fn connect(options: &Options) -> Result<Client, OpenError> {
    let read =
        |text: &String| text.parse::<ServerAddr>().map_err(|_| OpenError::Address(without_secret(text)));
    let servers = options.servers.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let text = |secret: &hookhouse_core::Secret| {
        String::from_utf8(secret.expose().to_vec())
            .map_err(|_| OpenError::Credentials("they are not text".to_owned()))
    };
    let mut connecting = ConnectOptions::new();
    connecting = match &options.credentials {
        Credentials::None => connecting,
        Credentials::Token(token) => connecting.token(text(token)?),
        Credentials::Password { user, password } => {
            connecting.user_and_password(user.clone(), text(password)?)
        }
        Credentials::NKey(seed) => connecting.nkey(text(seed)?.trim().to_owned()),
        Credentials::File(contents) => connecting
            .credentials(&text(contents)?)
            .map_err(|_| OpenError::Credentials("they are not those of a credentials file".to_owned()))?,
    };
    connecting = connecting
        .name("hookhouse")
        .require_tls(options.tls.required)
        .client_capacity(CAPACITY)
        .subscription_capacity(CAPACITY)
        .connection_timeout(options.patience)
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|tries| Duration::from_millis(50 << tries.min(5)));
    if let Some(ca) = &options.tls.ca {
        connecting = connecting.add_root_certificates(ca.clone());
    }
    if let Some((cert, key)) = &options.tls.identity {
        connecting = connecting.add_client_certificate(cert.clone(), key.clone());
    }
    let client = connecting.connect(servers).await.map_err(|error| {
        let why = chain(&error);
        // What a server says that does not encrypt is no record of TLS.
        let is_plain = options.tls.required && why.contains("InvalidContentType");
        OpenError::Connect(if is_plain { format!("it does not speak TLS, and must: {why}") } else { why })
    })?;
    let info = client.server_info();
    if !OldestServer::is_met_by(&info.version) {
        return Err(OpenError::Version { found: info.version });
    }
    let max_payload = u64::try_from(info.max_payload).unwrap_or(u64::MAX);
    if max_payload < options.largest_event {
        return Err(OpenError::Payload { max_payload, needed: options.largest_event });
    }
    Ok(client)
}

/// An address as it may be shown: what stands before an `@` may be a password.
fn without_secret(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://…@{host}")
        }
        None => text.to_owned(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_secret("nats://me:hush@host:4222"), "nats://…@host:4222");
        assert_eq!(without_secret("nats://host:4222"), "nats://host:4222");
    }
}

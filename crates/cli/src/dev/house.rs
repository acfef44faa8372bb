//! The configuration that `dev` lives in: what a file would say, without a file.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{DestinationName, SourceName};
use hookhouse_delivery::{Destination, Kind, RetrySchedule};
use hookhouse_server::config::{
    AdminConfig, AllowIps, Answer, Config, Limits, Origins, ServerConfig, Source, SourceSigner, StoreConfig,
};
use hookhouse_verify::sign::Signer;
use hookhouse_verify::twilio::{self, PublicUrl};
use hookhouse_verify::{Key, Verifier, x};

use super::secrets::Secrets;
use super::stand_in::StandIn;
use crate::exit::{Code, Failure};

/// What the configuration is made of.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) ingress: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) public_url: Option<&'a str>,
    pub(crate) forward_to: Option<&'a str>,
    pub(crate) secrets: &'a Secrets,
    /// Where X's API is, for a source that nobody else calls.
    pub(crate) x: Option<&'a StandIn>,
}

/// The configuration.
pub(crate) fn config(plan: &Plan<'_>) -> Result<Config, Failure> {
    let destinations = plan.forward_to.map(destination).transpose()?.into_iter().collect::<Vec<_>>();
    let public_url = plan.public_url.map(url).transpose()?;
    // The two names that people on this machine call it by, when no tunnel is in front.
    let port = plan.ingress.port();
    let urls = match &public_url {
        Some(public) => vec![public.clone()],
        None => vec![url(&format!("http://127.0.0.1:{port}"))?, url(&format!("http://localhost:{port}"))?],
    };
    let deliver: Vec<_> = destinations.iter().map(|destination| destination.name.clone()).collect();
    let endpoint = |name: &str, path: &str, provider: &str, verifier| Endpoint {
        name: name.to_owned(),
        path: path.to_owned(),
        provider: provider.to_owned(),
        verifier,
    };
    let sources = [
        endpoint("x", "/webhooks/twitter", "x", x_verifier(plan)?),
        endpoint("x-root", "/webhooks", "x", x_verifier(plan)?),
        endpoint("twilio", "/webhooks/twilio", "twilio", twilio_verifier(plan, urls.clone())?),
        endpoint("inbox", "/webhooks/inbox", "none", Verifier::Unsigned),
    ];
    let sources = sources
        .into_iter()
        .map(|endpoint| endpoint.source(plan, deliver.clone(), urls.first().cloned()))
        .collect::<Result<_, _>>()?;
    Ok(Config {
        server: ServerConfig {
            listen: vec![plan.ingress.into()],
            public_url,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            tls: None,
            limits: Limits::default(),
        },
        listeners: Vec::new(),
        admin: AdminConfig { listen: plan.admin.into(), allowed_hosts: Vec::new(), open: true },
        store: StoreConfig {
            encryption: hookhouse_server::store::Encryption::default(),
            seal: hookhouse_server::store::Encryption::default(),
            path: plan.folder.to_owned(),
            cluster: None,
            reserve: 32_000_000,
            retention_age: Some(Duration::from_secs(30 * 24 * 3600)),
            retention_size: Some(1_000_000_000),
        },
        sources,
        destinations,
        origins: Origins::default(),
    })
}

struct Endpoint {
    name: String,
    path: String,
    provider: String,
    verifier: Verifier,
}

impl Endpoint {
    fn source(
        self,
        plan: &Plan<'_>,
        deliver: Vec<DestinationName>,
        public_url: Option<PublicUrl>,
    ) -> Result<Source, Failure> {
        let name: SourceName = self.name.parse()?;
        // The second path is the same webhook under another name; one of them is registered.
        let stand_in = plan.x.filter(|_| self.name == "x");
        let api = stand_in.map(|x| x.api(&plan.secrets.x.secret)).transpose()?;
        let secret = match self.provider.as_str() {
            "x" => Some(&plan.secrets.x.secret),
            "twilio" => Some(&plan.secrets.twilio.secret),
            _ => None,
        };
        let signer = Signer::for_provider(&self.provider)
            .zip(secret)
            .map(|(signer, secret)| SourceSigner { signer, secret: secret.clone() });
        let methods: &[&str] = match self.provider.as_str() {
            "x" => &["GET", "POST"],
            "none" => &["GET", "POST", "PUT", "PATCH", "DELETE"],
            _ => &["POST"],
        };
        Ok(Source {
            name,
            path: self.path,
            methods: methods.iter().map(ToString::to_string).collect(),
            answer: if self.provider == "twilio" { Answer::twiml() } else { Answer::empty() },
            provider: self.provider,
            verifier: self.verifier,
            signer,
            public_url,
            max_body: 1024 * 1024,
            dedupe_window: Duration::from_secs(7 * 24 * 3600),
            deliver,
            allow_ips: AllowIps::default(),
            addresses: Arc::default(),
            redaction: None,
            challenge_limit: None,
            unproven_limit: None,
            api,
            heal: false,
            login: None,
            relay: None,
        })
    }
}

fn x_verifier(plan: &Plan<'_>) -> Result<Verifier, Failure> {
    let key = Key::new("consumer_secret", plan.secrets.x.secret.clone());
    let settings = x::Settings { consumer: vec![key], oauth2: Vec::new(), crc: x::CrcPolicy::default() };
    Ok(Verifier::X(x::Verifier::new(settings)?))
}

fn twilio_verifier(plan: &Plan<'_>, urls: Vec<PublicUrl>) -> Result<Verifier, Failure> {
    let key = Key::new("auth_token", plan.secrets.twilio.secret.clone());
    let settings = twilio::Settings { urls, tokens: vec![key], ..Default::default() };
    Ok(Verifier::Twilio(twilio::Verifier::new(settings)?))
}

fn url(text: &str) -> Result<PublicUrl, Failure> {
    PublicUrl::parse(text).map_err(|error| Failure::with_code(error, Code::Usage))
}

/// The developer's application: loopback is the usual place, and retries are quick.
fn destination(url: &str) -> Result<Destination, Failure> {
    let uri: http::Uri = url.parse().map_err(|error| {
        Failure::new(
            Code::Usage,
            format!("--forward-to wants a URL such as http://localhost:3000/hooks: {error}"),
        )
    })?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
        return Err(Failure::new(
            Code::Usage,
            format!("--forward-to wants a URL such as http://localhost:3000/hooks, not `{url}`"),
        ));
    }
    hookhouse_delivery::guard::check_host(&uri, true)
        .map_err(|error| Failure::with_code(error, Code::Usage))?;
    Ok(Destination {
        name: "app".parse()?,
        kind: Kind::Http,
        url: uri,
        allow_loopback: true,
        timeout: Duration::from_secs(10),
        concurrency: 16,
        retry: RetrySchedule { pauses: [1, 2, 5, 10, 30, 60].map(Duration::from_secs).to_vec(), jitter: 0.2 },
        sign: None,
    })
}

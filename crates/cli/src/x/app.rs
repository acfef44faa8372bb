//! The app at X that a source stands for: its credentials, its URL, its webhook.

use std::sync::Arc;

use anyhow::anyhow;
use hookhouse_core::{SourceName, SystemClock};
use hookhouse_server::Runtime;
use hookhouse_server::config::{Config, Source, XApi};
use hookhouse_verify::sign::Signer;
use hookhouse_x::calls::webhooks::{self, Webhook};
use hookhouse_x::probe::{CrcProber, ProbeKey};
use hookhouse_x::register::RegisterError;
use hookhouse_x::rules::{self, Caller};
use hookhouse_x::{Call, Class, Client, Error, Preview, Transport, WebhookId};

use crate::Global;
use crate::exit::{Code, Failure};
use crate::locate;
use crate::output::{Format, Out};

/// What every command of X's takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The X source whose `api` is used, where several have one
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<SourceName>,
    #[command(flatten)]
    pub(crate) dry: Dry,
}

/// Whether anything is sent.
#[derive(Debug, clap::Args)]
pub(crate) struct Dry {
    /// Print the requests, with their secrets masked, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// One app.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) client: Client,
    pub(crate) source: Source,
    /// Where the server of the configuration listens, if it was ever started.
    runtime: Option<Runtime>,
    transport: Transport,
    dry_run: bool,
    format: Format,
}

impl App {
    /// The app of the source that is named, or of the only one that has credentials.
    pub(crate) fn open(name: Option<&SourceName>, dry: &Dry, global: &Global) -> Result<Self, Failure> {
        let (config, runtime) = locate::house(global)?;
        let source = choose(config, name)?;
        Self::of(source, runtime, dry, global)
    }

    /// The apps of all sources that have credentials, or of the one that is named.
    pub(crate) fn open_all(
        name: Option<&SourceName>,
        dry: &Dry,
        global: &Global,
    ) -> Result<Vec<Self>, Failure> {
        if name.is_some() {
            return Ok(vec![Self::open(name, dry, global)?]);
        }
        let (config, runtime) = locate::house(global)?;
        let sources: Vec<_> = config.sources.into_iter().filter(|source| source.api.is_some()).collect();
        if sources.is_empty() {
            return Err(no_api());
        }
        sources.into_iter().map(|source| Self::of(source, runtime.clone(), dry, global)).collect()
    }

    fn of(source: Source, runtime: Option<Runtime>, dry: &Dry, global: &Global) -> Result<Self, Failure> {
        let XApi { credentials, base } = source.api.clone().ok_or_else(no_api)?;
        let transport = Transport::system();
        Ok(Self {
            client: Client::new(base, credentials, transport.clone(), Arc::new(SystemClock)),
            source,
            runtime,
            transport,
            dry_run: dry.dry_run,
            format: global.output,
        })
    }

    /// Makes a call; in a dry run shows it, and there is no answer.
    pub(crate) async fn send<T>(&self, call: &Call<T>) -> Result<Option<T>, Failure> {
        if self.dry_run {
            self.show(call)?;
            return Ok(None);
        }
        self.client.send(call).await.map(Some).map_err(|error| refused(&error))
    }

    /// Shows what a call would send.
    pub(crate) fn show<T>(&self, call: &Call<T>) -> Result<(), Failure> {
        let requests = self.client.preview(call).map_err(|error| refused(&error))?;
        let mut out = Out::new(self.format);
        for request in &requests {
            out.entry(request, describe)?;
        }
        Ok(out.finish()?)
    }

    pub(crate) fn is_dry(&self) -> bool {
        self.dry_run
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Who calls the source's URL.
    pub(crate) fn caller(&self) -> Caller {
        if self.client.base().is_stand_in() { Caller::StandIn } else { Caller::X }
    }

    /// What X calls, or is to call.
    pub(crate) fn url(&self) -> Result<String, Failure> {
        if let Some(public) = &self.source.public_url {
            return Ok(format!("{public}{}", self.source.path));
        }
        let ingress = self.runtime.as_ref().and_then(Runtime::plain);
        match ingress.filter(|_| self.caller() == Caller::StandIn) {
            Some(address) => Ok(format!("http://127.0.0.1:{}{}", address.port(), self.source.path)),
            None => Err(Failure::new(
                Code::Configuration,
                format!(
                    "what X calls is not known: set `public_url = \"https://hooks.example.com\"` on `[server]` or on source `{}`",
                    self.source.name
                ),
            )),
        }
    }

    /// Challenges the URL as X would, with the source's own secret.
    pub(crate) fn prober(&self) -> Result<CrcProber, Failure> {
        let signer = self.source.signer.as_ref().ok_or_else(|| {
            Failure::new(Code::Configuration, format!("source `{}` has no secret", self.source.name))
        })?;
        let key =
            ProbeKey { secret: signer.secret.clone(), oauth2: matches!(signer.signer, Signer::XOauth2) };
        Ok(CrcProber::new(self.transport.clone(), key, Arc::new(SystemClock)))
    }

    /// The webhooks of the app; needed to find one, so a dry run cannot go on without.
    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>, Failure> {
        if self.dry_run {
            return Err(Failure::new(
                Code::Usage,
                "a dry run sends nothing, so it cannot find the webhook of the source: name its id",
            ));
        }
        self.client.send(&webhooks::list()).await.map_err(|error| refused(&error))
    }

    /// The webhook that was named, or the one with the source's URL.
    pub(crate) async fn webhook(&self, named: Option<WebhookId>) -> Result<WebhookId, Failure> {
        if let Some(id) = named {
            return Ok(id);
        }
        let url = self.url()?;
        let found = self.webhooks().await?.into_iter().find(|webhook| rules::same(&webhook.url, &url));
        found.map(|webhook| webhook.id).ok_or_else(|| {
            Failure::new(
                Code::NotFound,
                format!(
                    "X has no webhook for {url}: `hookhouse x webhooks register {}` registers it",
                    self.source.name
                ),
            )
        })
    }

    /// Whether a webhook is the source's own.
    pub(crate) fn is_own(&self, webhook: &Webhook) -> bool {
        self.url().is_ok_and(|url| rules::same(&webhook.url, &url))
    }
}

fn choose(config: Config, name: Option<&SourceName>) -> Result<Source, Failure> {
    if let Some(name) = name {
        let source = config
            .sources
            .into_iter()
            .find(|source| source.name == *name)
            .ok_or_else(|| Failure::new(Code::NotFound, format!("there is no source `{name}`")))?;
        return match (&source.api, source.provider.as_str()) {
            (Some(_), _) => Ok(source),
            (None, "x") => {
                Err(Failure::new(Code::Configuration, format!("source `{name}` has no `api`: {HOW_TO}")))
            }
            (None, other) => {
                Err(Failure::new(Code::Usage, format!("source `{name}` is of provider `{other}`, not of X")))
            }
        };
    }
    let mut able = config.sources.into_iter().filter(|source| source.api.is_some());
    match (able.next(), able.next()) {
        (Some(source), None) => Ok(source),
        (Some(one), Some(other)) => Err(Failure::new(
            Code::Usage,
            format!(
                "sources `{}` and `{}` both have an `api`: say which with --source",
                one.name, other.name
            ),
        )),
        (None, _) => Err(no_api()),
    }
}

fn no_api() -> Failure {
    Failure::new(Code::Configuration, format!("no X source has an `api`: {HOW_TO}"))
}

const HOW_TO: &str = "give it credentials, `api = { bearer = { env = \"X_BEARER\" } }` or \
`api = { consumer_key = { env = \"X_CONSUMER_KEY\" } }`";

/// What X, or the way to it, said no to.
pub(crate) fn refused(error: &Error) -> Failure {
    let code = match error.class() {
        Class::Auth => Code::Auth,
        Class::NotFound => Code::NotFound,
        Class::Unreachable => Code::Unreachable,
        Class::Refused if matches!(error, Error::CrcFailed { .. }) => Code::Refused,
        Class::RateLimited | Class::Refused => Code::Failure,
    };
    Failure::with_code(
        anyhow!("{}\n  what to do: {}", crate::output::plain(&error.line()), error.advice()),
        code,
    )
}

/// Why a webhook is not registered, or not valid.
pub(crate) fn not_registered(error: &RegisterError) -> Failure {
    let code = match error {
        RegisterError::X(error) => return refused(error),
        RegisterError::Url(_) => Code::Configuration,
        _ => Code::Refused,
    };
    let because = match error {
        RegisterError::Probe(fault) => format!(": {}", fault.line()),
        _ => String::new(),
    };
    let words = crate::output::plain(&format!("{error}{because}"));
    Failure::with_code(anyhow!("{words}\n  what to do: {}", error.advice()), code)
}

/// A request as it would go out.
fn describe(request: &Preview) -> String {
    let mut text = format!("{} {}", request.method, request.url);
    for (name, value) in &request.headers {
        text += &format!("\n{name}: {value}");
    }
    if let Some(body) = &request.body {
        text += &format!("\n\n{body}");
    }
    text + "\n"
}

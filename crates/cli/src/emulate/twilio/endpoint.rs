//! Whom `hookhouse emulate twilio` calls, and as whom.

use std::path::PathBuf;

use hookhouse_core::Secret;
use hookhouse_delivery::connect;
use hookhouse_emulator::twilio::{Credentials, LoginScheme, Scheme, Twilio, WebhookUrl};
use hookhouse_verify::sign::Signer;
use hookhouse_verify::twilio::Algorithm;
use http::Method;

use crate::Global;
use crate::exit::{Code, Failure};
use crate::locate;
use crate::offline::{self, SecretFrom, secret_in_file, secret_in_variable};

/// Whom to call, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct Endpoint {
    /// The URL as it would stand at Twilio, with user information and a fragment if it has them
    #[arg(value_name = "URL")]
    url: String,
    /// The method
    #[arg(long, short = 'X', default_value = "POST", value_parser = ["GET", "POST"])]
    method: String,
    /// The fallback URL, which is asked with ErrorCode and ErrorUrl where the first one fails
    #[arg(long, value_name = "URL")]
    fallback: Option<String>,
    /// The URL that is told when the call is over, or a reply delivered
    #[arg(long, value_name = "URL")]
    status_callback: Option<String>,
    /// The number that calls or texts
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// The number that is called or texted
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// The account
    #[arg(long, value_name = "SID", env = "TWILIO_ACCOUNT_SID")]
    account_sid: Option<String>,
    #[command(flatten)]
    secret: SecretFrom,
    /// The secret is that of the SharedKey with this id
    #[arg(long, value_name = "ID", conflicts_with = "unsigned")]
    shared_key: Option<String>,
    /// The algorithm of the SharedKey
    #[arg(
        long,
        value_enum,
        default_value = "hmac-sha256",
        requires = "shared_key",
        value_name = "ALGORITHM"
    )]
    algorithm: SharedKeyAlgorithm,
    /// Sign nothing
    #[arg(long)]
    unsigned: bool,
    /// The user name to log in with, instead of the URL's
    #[arg(long, value_name = "NAME", requires = "password")]
    user: Option<String>,
    #[command(flatten)]
    password: PasswordFrom,
    /// A challenge that can be answered; again for each [default: all of them]
    #[arg(long = "login", value_enum, value_name = "SCHEME")]
    logins: Vec<Login>,
    /// Connect to this host:port without TLS instead of the URL's host, as a proxy in front of the server would
    #[arg(long, value_name = "HOST:PORT")]
    via: Option<String>,
}

/// Where the password is: never on the command line, unless it stands in the URL.
#[derive(Debug, clap::Args)]
#[group(id = "password", multiple = false, requires = "user")]
struct PasswordFrom {
    /// The environment variable that holds the password of --user
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    /// The file that holds the password of --user; one newline at its end does not count
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SharedKeyAlgorithm {
    HmacSha1,
    HmacSha256,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Login {
    DigestSha256,
    DigestMd5,
    Basic,
}

impl Endpoint {
    pub(super) fn url(&self) -> Result<WebhookUrl, Failure> {
        url("URL", &self.url)
    }

    pub(super) fn fallback(&self) -> Result<Option<WebhookUrl>, Failure> {
        self.fallback.as_deref().map(|text| url("--fallback", text)).transpose()
    }

    pub(super) fn status_callback(&self) -> Result<Option<WebhookUrl>, Failure> {
        self.status_callback.as_deref().map(|text| url("--status-callback", text)).transpose()
    }

    pub(super) fn method(&self) -> Method {
        if self.method == "GET" { Method::GET } else { Method::POST }
    }

    /// The Twilio that the arguments describe.
    pub(super) fn twilio(&self, global: &Global) -> Result<Twilio, Failure> {
        let mut twilio = Twilio::new(connect::tls(connect::system_roots()));
        if let Some((signer, secret)) = self.signing(global)? {
            twilio = twilio.signed_by(signer, secret);
        }
        if let Some(credentials) = self.credentials()? {
            twilio = twilio.logging_in(credentials);
        }
        if !self.logins.is_empty() {
            let logins: Vec<_> = self.logins.iter().map(|login| login.scheme()).collect();
            twilio = twilio.knowing(&logins);
        }
        if let Some(sid) = &self.account_sid {
            twilio = twilio.account(sid);
        }
        if let Some(number) = &self.from {
            twilio = twilio.from(number);
        }
        if let Some(number) = &self.to {
            twilio = twilio.to(number);
        }
        if let Some(address) = &self.via {
            twilio = twilio.via(address);
        }
        Ok(twilio)
    }

    /// How to sign, and with what: what the command line says, then the usual variable, then what the server here uses.
    fn signing(&self, global: &Global) -> Result<Option<(Signer, Secret)>, Failure> {
        if self.unsigned {
            return Ok(None);
        }
        let usual = offline::usual_variables(PROVIDER).iter().any(|name| std::env::var_os(name).is_some());
        if self.secret.is_given() || usual || self.shared_key.is_some() {
            let algorithm = match (&self.shared_key, self.algorithm) {
                (Some(_), SharedKeyAlgorithm::HmacSha256) => Algorithm::HmacSha256,
                _ => Algorithm::HmacSha1,
            };
            let signer = Signer::Twilio { algorithm, shared_key: self.shared_key.clone() };
            return Ok(Some((signer, self.secret.read(PROVIDER)?)));
        }
        let nowhere = "there is no auth token: set TWILIO_AUTH_TOKEN, name it with --secret-env or --secret-file, run this where \
                       hookhouse.toml or `hookhouse dev` is, or sign nothing with --unsigned";
        let Ok((config, _)) = locate::house(global) else { return Err(Failure::new(Code::Usage, nowhere)) };
        let uri: http::Uri = self.url()?.to_string().parse()?;
        let sources = || config.sources.iter().filter(|source| source.provider == PROVIDER);
        let source = sources().find(|source| source.path == uri.path()).or_else(|| sources().next());
        let signing = source.and_then(|source| source.signer.as_ref());
        let signing = signing.ok_or_else(|| Failure::new(Code::Usage, nowhere))?;
        Ok(Some((signing.signer.clone(), signing.secret.clone())))
    }

    fn credentials(&self) -> Result<Option<Credentials>, Failure> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password {
            PasswordFrom { password_file: Some(file), .. } => secret_in_file(file)?,
            PasswordFrom { password_env: Some(name), .. } => secret_in_variable(name)
                .ok_or_else(|| Failure::new(Code::Usage, format!("{name} is not set")))??,
            PasswordFrom { .. } => return Err(Failure::new(Code::Usage, "--user wants a password")),
        };
        Credentials::new(user, password).map(Some).map_err(|error| Failure::with_code(error, Code::Usage))
    }
}

impl Login {
    fn scheme(self) -> LoginScheme {
        match self {
            Self::DigestSha256 => LoginScheme::DigestSha256,
            Self::DigestMd5 => LoginScheme::DigestMd5,
            Self::Basic => LoginScheme::Basic,
        }
    }
}

const PROVIDER: &str = "twilio";

/// Reads a URL. What is wrong with it is said without it: a password may be in it.
fn url(what: &str, text: &str) -> Result<WebhookUrl, Failure> {
    let wrong = |why: &str| Failure::new(Code::Usage, format!("{what}: {why}"));
    let url = WebhookUrl::parse(text).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        wrong(&format!("{error}{cause}"))
    })?;
    match url.scheme() {
        Scheme::Http | Scheme::Https => Ok(url),
        Scheme::Ws | Scheme::Wss => {
            Err(wrong("Twilio asks http:// and https:// URLs, and opens streams only where TwiML says so"))
        }
    }
}

//! The X platform that `dev` brings along: with it the whole loop runs on a laptop without an account.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use hookhouse_core::Secret;
use hookhouse_emulator::x::{Credentials, Options, Platform, StartError, reveal};
use hookhouse_server::config::XApi;
use hookhouse_server::runtime::write_private;
use hookhouse_x::credentials::{self, Access, Consumer};
use serde::{Deserialize, Serialize};

use crate::exit::{Code, Failure};

/// The file in the data folder.
const FILE: &str = "x-stand-in.json";

/// Where the stand-in is, and the keys of its app and of one of its users: what the other commands need.
#[derive(Serialize, Deserialize)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    /// In whose name the commands act.
    pub(crate) user: String,
    consumer_key: String,
    bearer: String,
    access_token: String,
    access_token_secret: String,
}

/// Keys are not shown.
impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("address", &self.address).finish_non_exhaustive()
    }
}

impl StandIn {
    /// Starts a stand-in on the port, or on the next free one after it. Its app has the consumer secret that `dev`
    /// verifies with.
    pub(crate) async fn start(
        folder: &Path,
        port: u16,
        secret: &Secret,
    ) -> Result<(Platform, Self), Failure> {
        let mut port = port;
        let platform = loop {
            let mut credentials = Credentials::made_up(&mut rand::rng());
            credentials.consumer_secret = secret.clone();
            let options = Options {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                credentials: Some(credentials),
                seed: rand::random(),
                allow_http: true,
                ..Options::default()
            };
            match Platform::start(options).await {
                Ok(platform) => break platform,
                Err(StartError::Bind { .. }) if port < u16::MAX => port += 1,
                Err(error) => return Err(Failure::with_code(error, Code::Failure)),
            }
        };
        let user = platform
            .tokens()
            .into_iter()
            .next()
            .ok_or_else(|| Failure::new(Code::Failure, "the stand-in of X has no users"))?;
        let app = platform.credentials();
        let stand_in = Self {
            address: platform.local_addr(),
            user: user.handle,
            consumer_key: app.consumer_key.clone(),
            bearer: reveal(&app.bearer).to_owned(),
            access_token: reveal(&user.access_token).to_owned(),
            access_token_secret: reveal(&user.access_token_secret).to_owned(),
        };
        write_private(&folder.join(FILE), &serde_json::to_string_pretty(&stand_in)?)?;
        Ok((platform, stand_in))
    }

    /// What the last `dev` of this folder left. It may be gone by now: whoever calls it is told.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(FILE)).ok()?).ok()
    }

    /// How its API is called.
    pub(crate) fn api(&self, consumer_secret: &Secret) -> Result<XApi, Failure> {
        let secret = |text: &str| {
            Secret::new(text.to_owned()).map_err(|error| Failure::with_code(error, Code::Failure))
        };
        let credentials = credentials::Credentials {
            bearer: Some(secret(&self.bearer)?),
            consumer: Some(Consumer { key: secret(&self.consumer_key)?, secret: consumer_secret.clone() }),
            access: Some(Access {
                token: secret(&self.access_token)?,
                secret: secret(&self.access_token_secret)?,
            }),
            user_token: None,
        };
        let base = format!("http://{}", self.address);
        let base = base.parse().map_err(|error| Failure::with_code(error, Code::Failure))?;
        Ok(XApi { credentials, base })
    }
}

//! The secrets of `dev`: the environment's, or ones made up once and kept.

use std::path::Path;

use data_encoding::HEXLOWER;
use hookhouse_core::Secret;
use hookhouse_server::runtime::write_private;
use serde::{Deserialize, Serialize};

use crate::exit::{Code, Failure};
use crate::offline::usual_variables;

/// The file in the data folder.
const FILE: &str = "dev-secrets.json";

/// One secret per provider.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) x: Kept,
    pub(crate) twilio: Kept,
}

/// A secret, and where it is from.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) secret: Secret,
    /// `CONSUMER_SECRET`; `None` for one that was made up.
    variable: Option<&'static str>,
    /// The text of a made-up one, which is there to be shown.
    text: Option<String>,
}

/// What the file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct File {
    consumer_secret: String,
    twilio_auth_token: String,
}

impl Secrets {
    /// Reads the environment and the folder; makes up what is in neither.
    pub(crate) fn keep(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join(FILE);
        let kept = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(
                    Code::Configuration,
                    format!("{} is damaged: {error}; remove it for new secrets", file.display()),
                )
            })?,
            Err(_) => {
                let made_up =
                    |prefix: &str| format!("{prefix}{}", HEXLOWER.encode(&rand::random::<[u8; 16]>()));
                let new =
                    File { consumer_secret: made_up("dev_x_"), twilio_auth_token: made_up("dev_twilio_") };
                private_folder(folder)?;
                write_private(&file, &serde_json::to_string_pretty(&new)?)?;
                new
            }
        };
        let secrets = Self {
            x: Kept::find(usual_variables("x"), kept.consumer_secret)?,
            twilio: Kept::find(usual_variables("twilio"), kept.twilio_auth_token)?,
        };
        if secrets.x.secret.expose() == secrets.twilio.secret.expose() {
            return Err(Failure::new(
                Code::Configuration,
                "CONSUMER_SECRET and TWILIO_AUTH_TOKEN are the same: whoever can ask for an X challenge could then sign for \
                 Twilio. Use two secrets",
            ));
        }
        Ok(secrets)
    }

    /// What to tell the developer.
    pub(crate) fn describe(&self) -> Vec<String> {
        [
            ("X consumer secret", &self.x, "CONSUMER_SECRET"),
            ("Twilio auth token", &self.twilio, "TWILIO_AUTH_TOKEN"),
        ]
        .into_iter()
        .map(|(what, kept, variable)| match (&kept.variable, &kept.text) {
            (Some(variable), _) => format!("{what} from {variable}"),
            (None, Some(text)) => format!("{what} {text} (made up; set {variable} for your own)"),
            (None, None) => what.to_owned(),
        })
        .collect()
    }
}

impl Kept {
    fn find(variables: &[&'static str], made_up: String) -> Result<Self, Failure> {
        for variable in variables {
            if let Some(value) = std::env::var_os(variable) {
                let bytes = std::os::unix::ffi::OsStringExt::into_vec(value);
                let secret = Secret::new(bytes)
                    .map_err(|_| Failure::new(Code::Configuration, format!("{variable} is set and empty")))?;
                return Ok(Self { secret, variable: Some(variable), text: None });
            }
        }
        let secret = Secret::new(made_up.as_bytes())
            .map_err(|error| Failure::with_code(error, Code::Configuration))?;
        Ok(Self { secret, variable: None, text: Some(made_up) })
    }
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

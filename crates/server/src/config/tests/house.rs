//! A folder with secrets in it, an environment, and files that are read there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use hookhouse_testkit::certificate::{Authority, Certified, Wanted};
use jiff::civil::date;
use tempfile::TempDir;

use super::super::{Config, Diagnostics, Environment, Loaded, Running, parse_for};

/// Enough for a file to be read without complaint.
pub(super) const SOURCE: &str = "[source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n";

/// Variables that are set.
const VARIABLES: &[(&str, &str)] = &[
    ("X_CONSUMER_SECRET", "canary-x-consumer-secret"),
    ("X_CLIENT_SECRET", "canary-x-client-secret"),
    ("TWILIO_AUTH_TOKEN", "canary-twilio-auth-token"),
    ("BILLING_SECRET", "canary-billing-secret"),
    ("APP_SIGNING_SECRET", "canary-app-signing-secret"),
    ("APP_WHSEC", "whsec_not base64: canary"),
    ("OTHER_SECRET", "canary-another-secret"),
    ("SHORT", "canary"),
    ("EMPTY", ""),
    ("PADDED", " canary-with-a-blank-before"),
    ("HEX", "63616e617279 canary is not hex"),
];

/// Files that are there, with their modes.
const FILES: &[(&str, &str, u32)] = &[
    ("x.old", "canary-former-secret\n", 0o600),
    ("x.same", "canary-x-consumer-secret\r\n", 0o600),
    ("open", "canary-open-to-everybody", 0o644),
    ("short", "canary\n", 0o600),
    ("newline", "\n", 0o600),
    ("credentials/x", "canary-of-the-service-manager\n", 0o400),
];

/// Variables that are not the process's.
pub(super) struct Variables<'a>(pub(super) Vec<(&'a str, &'a str)>);

impl Environment for Variables<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }
}

pub(super) struct House {
    folder: TempDir,
    credentials: String,
}

/// Certificates that are there, for `hooks.example.com`; one authority and one set of keys for all tests.
fn certificates(folder: &std::path::Path) {
    static ISSUED: LazyLock<[(&str, Certified); 4]> = LazyLock::new(|| {
        let (authority, names) = (Authority::new(), &["hooks.example.com"][..]);
        let good = authority.issue(&Wanted::good(names));
        let expired = Wanted { from: date(2020, 1, 1), to: date(2020, 3, 31), ..Wanted::good(names) };
        let other = authority.issue(&Wanted::rsa(names));
        let disordered = Certified { chain: good.chain.clone() + &good.chain, key: good.key.clone() };
        [
            ("good", good),
            ("expired", Authority::new().issue(&expired)),
            ("rsa", other.clone()),
            ("disordered", disordered),
        ]
    });
    fs::create_dir_all(folder.join("tls")).unwrap();
    let file = |name: &str| folder.join("tls").join(name);
    for (name, certified) in ISSUED.iter() {
        certified.write(&file(&format!("{name}.pem")), &file(&format!("{name}.key")));
        if *name == "rsa" {
            certified.write(&file("other.pem"), &file("other.key"));
        }
    }
}

impl House {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("credentials")).unwrap();
        for (name, content, mode) in FILES {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
        }
        certificates(folder.path());
        let credentials = folder.path().join("credentials").display().to_string();
        Self { folder, credentials }
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Reads a file, and makes sure that nothing about it shows a secret.
    pub(super) fn read(&self, source: &str) -> Result<Loaded, Diagnostics> {
        self.read_as(None, source)
    }

    /// The same, for a server that runs.
    pub(super) fn read_for(&self, running: &Running, source: &str) -> Result<Loaded, Diagnostics> {
        self.read_as(Some(running), source)
    }

    fn read_as(&self, running: Option<&Running>, source: &str) -> Result<Loaded, Diagnostics> {
        let mut variables = VARIABLES.to_vec();
        variables.push(("CREDENTIALS_DIRECTORY", &self.credentials));
        let read = parse_for(running, source, "hookhouse.toml", self.folder.path(), &Variables(variables));
        let found = match &read {
            Ok(loaded) => &loaded.warnings,
            Err(found) => found,
        };
        let json = serde_json::to_string(found).unwrap();
        for shown in [found.render(false), found.render(true), found.to_string(), json, format!("{read:?}")] {
            assert!(!shown.to_lowercase().contains("canary"), "{shown}");
        }
        read
    }

    /// What is said of a file: its mistakes, or else its warnings.
    pub(super) fn said(&self, source: &str) -> Diagnostics {
        self.read(source).map_or_else(|mistakes| mistakes, |loaded| loaded.warnings)
    }

    /// The same, rendered, without the name of the folder.
    pub(super) fn rendered(&self, source: &str) -> String {
        self.said(source).render(false).replace(&self.folder.path().display().to_string(), "FOLDER")
    }

    /// Codes and messages alone.
    pub(super) fn messages(&self, source: &str) -> Vec<String> {
        self.said(source)
            .iter()
            .map(|found| format!("{}: {}", found.code, found.message))
            .map(|line| line.replace(&self.folder.path().display().to_string(), "FOLDER"))
            .collect()
    }

    /// A file that nothing is to be said of.
    pub(super) fn config(&self, source: &str) -> Config {
        match self.read(source) {
            Ok(loaded) => {
                assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
                loaded.config
            }
            Err(mistakes) => panic!("{mistakes}"),
        }
    }
}

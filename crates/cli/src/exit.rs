//! How a command ends: every failure has one of the documented exit codes.
//!
//! What the user can fix and what is our fault are different codes, and the code never depends on the words.

use std::fmt;
use std::process::ExitCode;

/// The exit codes, as `hookhouse --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Something failed that is not one of the others.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The configuration has errors.
    Configuration = 3,
    /// There is no such thing.
    NotFound = 4,
    /// The server did not accept our token.
    Auth = 5,
    /// No server answers.
    Unreachable = 6,
    /// The verification, or the doctor, says no.
    Refused = 7,
    /// Some of it worked.
    Partial = 8,
    /// What was waited for did not come.
    TimedOut = 9,
}

/// The end of a command that did not work out.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// `None` where everything was said already.
    error: Option<anyhow::Error>,
}

/// What every command answers.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    /// Ends with a code and a message.
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, error: Some(anyhow::anyhow!("{message}")) }
    }

    /// Ends with a code; what there is to say was said.
    pub(crate) fn silent(code: Code) -> Self {
        Self { code, error: None }
    }

    /// Gives an error another code than 1.
    pub(crate) fn with_code(error: impl Into<anyhow::Error>, code: Code) -> Self {
        Self { code, error: Some(error.into()) }
    }

    /// How it ends.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Says it on stderr, with its causes, once.
    pub(crate) fn report(self) -> ExitCode {
        if let Some(error) = self.error {
            anstream::eprintln!("{ERROR}error:{ERROR:#} {error}");
            for cause in error.chain().skip(1) {
                anstream::eprintln!("  because: {cause}");
            }
        }
        ExitCode::from(self.code as u8)
    }
}

/// What went wrong with its causes, in a line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{error:#}"),
            None => f.write_str("it was said above"),
        }
    }
}

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: Code::Failure, error: Some(error.into()) }
    }
}

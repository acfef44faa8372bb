//! One thing that is wrong with a configuration, and its stable code.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// Bytes of the file, from and up to.
pub(super) type Span = Range<usize>;

/// Something wrong, or something worth knowing.
///
/// Serialised it is what `check -o json` prints: code, severity, message, line, column and help. Neither form holds a
/// secret: messages name variables, files and keys, never what is in them.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostic {
    /// What kind of mistake it is.
    pub code: Code,
    /// Whether the configuration can be used all the same.
    pub severity: Severity,
    /// What is wrong, in words.
    pub message: String,
    /// The line of the caret, from 1; `None` where the file itself could not be read.
    pub line: Option<usize>,
    /// The column of the caret in characters, from 1.
    pub column: Option<usize>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Why it is so.
    #[serde(skip)]
    pub(super) note: Option<String>,
    /// What the caret stands under.
    #[serde(skip)]
    pub(super) span: Option<Span>,
    /// What is written beside the caret.
    #[serde(skip)]
    pub(super) label: Option<String>,
    /// Other places that have to do with it.
    #[serde(skip)]
    pub(super) related: Vec<(Span, String)>,
}

/// Whether a configuration can be used in spite of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

impl Diagnostic {
    /// A mistake at a place of the file.
    pub(super) fn error(code: Code, span: &Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            line: None,
            column: None,
            help: None,
            note: None,
            span: Some(span.clone()),
            label: None,
            related: Vec::new(),
        }
    }

    /// Something worth knowing at a place of the file.
    pub(super) fn warning(code: Code, span: &Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// A mistake that has no place: there is no text to point into.
    pub(super) fn without_place(code: Code, message: impl Into<String>) -> Self {
        Self { span: None, ..Self::error(code, &(0..0), message) }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(super) fn related(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.related.push((span.clone(), label.into()));
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The help, where there is any.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The kind of a diagnostic, as a stable word for scripts and for the manual.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The admin listener would be reachable from elsewhere.
    AdminPublic = "config.admin_public",
    /// An address list that does less than it seems to.
    AllowIpsMixed = "config.allow_ips_mixed",
    /// A certificate or key that cannot be used.
    Certificate = "config.certificate",
    /// A certificate that may not lead senders to a root.
    CertificateChain = "config.certificate_chain",
    /// A certificate whose time is over, or to come.
    CertificateExpired = "config.certificate_expired",
    /// No certificate for a name that senders call.
    CertificateName = "config.certificate_name",
    /// Not a network, or one with host bits set.
    Cidr = "config.cidr",
    /// A destination that must not be dialled.
    DestinationDenied = "config.destination_denied",
    /// A secret stands in the file itself.
    LiteralSecret = "config.literal_secret",
    /// Something that must be there is not.
    MissingKey = "config.missing_key",
    /// A variable, file or credential that a secret is to come from is not there.
    MissingSecret = "config.missing_secret",
    /// A setting that a running server cannot change.
    NeedsRestart = "config.needs_restart",
    /// A documented key whose feature this version does not have.
    NotBuilt = "config.not_built",
    /// Two sources have one path.
    PathOverlap = "config.path_overlap",
    /// A secret's file can be read by others.
    SecretPermissions = "config.secret_permissions",
    /// What answers challenges shares its secret with another scheme.
    SecretReuse = "config.secret_reuse",
    /// A secret begins or ends with white space.
    SecretWhiteSpace = "config.secret_white_space",
    /// Not TOML.
    Syntax = "config.syntax",
    /// A value of the wrong type.
    Type = "config.type",
    /// A reference to a destination that is not configured.
    UnknownDestination = "config.unknown_destination",
    /// A key that nothing reads.
    UnknownKey = "config.unknown_key",
    /// A provider that nobody knows.
    UnknownProvider = "config.unknown_provider",
    /// A file that cannot be read.
    UnreadableFile = "config.unreadable_file",
    /// A destination that no source delivers to.
    UnusedDestination = "config.unused_destination",
    /// A value of the right type that makes no sense.
    Value = "config.value",
    /// A secret that is empty or too short.
    WeakSecret = "config.weak_secret",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

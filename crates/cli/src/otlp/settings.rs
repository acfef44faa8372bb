//! Where the collector is: the standard environment variables.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::fmt;

use http::{HeaderName, HeaderValue, Uri};

use crate::admin::Line;
use crate::exit::{Code, Failure};

/// Where spans go, and as whose.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(super) line: Line,
    pub(super) path: String,
    /// Such as a key of the collector's.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Names and values of what is traced.
    pub(super) resource: Vec<(String, String)>,
}

impl Settings {
    /// `None` where no collector is named, or tracing is turned off.
    pub(crate) fn from_environment() -> Result<Option<Self>, Failure> {
        Self::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .map_err(|why| Failure::new(Code::Configuration, why))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        // What is said of traces alone goes first.
        let of = |name: &str| {
            let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")];
            names.into_iter().find_map(|name| Some((variable(&name)?, name)))
        };
        let Some((url, name)) = of("ENDPOINT") else { return Ok(None) };
        if let Some((protocol, name)) = of("PROTOCOL")
            && protocol != "http/json"
        {
            return Err(format!(
                "{name} is `{protocol}`: spans are sent as `http/json`, which collectors take too"
            ));
        }
        let uri: Uri = url.parse().map_err(|_| format!("{name} is not a URL"))?;
        let line = Line::of(&uri).map_err(|why| format!("{name}: {why}"))?;
        let own = uri.path().trim_end_matches('/');
        let path = match (name.contains("TRACES"), own) {
            (true, "") => "/".to_owned(),
            (true, _) => uri.path().to_owned(),
            (false, own) => format!("{own}/v1/traces"),
        };
        let headers = match of("HEADERS") {
            Some((text, name)) => {
                headers(&text).ok_or_else(|| format!("{name} wants `name=value,name=value`"))?
            }
            None => Vec::new(),
        };
        let mut resource = vec![
            ("service.name".to_owned(), "hookhouse".to_owned()),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let text = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let more = pairs(&text).ok_or("OTEL_RESOURCE_ATTRIBUTES wants `name=value,name=value`")?;
        let named = variable("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name));
        for (name, value) in more.into_iter().chain(named) {
            resource.retain(|(known, _)| *known != name);
            resource.push((name, value));
        }
        Ok(Some(Self { line, path, headers, resource }))
    }
}

fn headers(text: &str) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let header = |(name, value): (String, String)| {
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    };
    pairs(text)?.into_iter().map(header).collect()
}

/// `name=value,name=value`, values percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_owned(), decoded(value.trim())?))
        })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Without the headers: a key may be among them.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("line", &self.line).field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        Settings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_standard_variables_are_read() {
        assert!(read(&[]).unwrap().is_none());
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp/");
        assert!(read(&[base, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
        let settings = read(&[
            base,
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%3D, x-team = ops"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod,service.name=other"),
            ("OTEL_SERVICE_NAME", "hooks"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!(
            (settings.path.as_str(), settings.line.authority()),
            ("/otlp/v1/traces", "collector:4318")
        );
        let headers: Vec<_> = settings.headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(headers, [("api-key", &"a b=".parse().unwrap()), ("x-team", &"ops".parse().unwrap())]);
        assert!(settings.resource.contains(&("service.name".to_owned(), "hooks".to_owned())));
        assert_eq!(settings.resource.iter().filter(|(name, _)| name == "service.name").count(), 1);
        assert!(!format!("{settings:?}").contains("a b="));
        let exact =
            read(&[base, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/x")]).unwrap().unwrap();
        assert_eq!((exact.path.as_str(), exact.line.authority()), ("/x", "other"));
    }

    #[test]
    fn what_cannot_be_meant_is_an_error() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for (variables, why) in [
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")][..], "http://"),
            (&[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "http/json"),
            (&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "no pair")], "name=value"),
            (&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz")], "name=value"),
            (&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c")], "name=value"),
        ] {
            let error = read(variables).map(drop).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}

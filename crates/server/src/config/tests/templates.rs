//! What `init` writes passes `check`.

use super::super::{providers, template};
use super::house::{House, Variables};

#[test]
fn the_usual_file() {
    insta::assert_snapshot!(template(&["x", "twilio"], Some("hooks.example.org")));
}

/// A value for a variable: a key that is one, where only that will do.
fn value(name: &str, at: usize) -> String {
    match name {
        "SENDGRID_PUBLIC_KEY" => "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==".to_owned(),
        "HOOKHOUSE_STORE_KEY" => "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        _ => format!("canary-of-{name}-{at}-0123456789"),
    }
}

/// With the variables that it names set, nothing is to be said of it.
#[test]
fn every_template_reads_cleanly() {
    let house = House::new();
    let all = providers();
    let single = all.iter().map(std::slice::from_ref);
    for providers in single.chain([all.as_slice(), &["x", "x"]]) {
        for domain in [None, Some("hooks.example.org"), Some("https://hooks.example.org/")] {
            let text = template(providers, domain);
            let mut variables: Vec<(&str, String)> = Vec::new();
            for (at, mark) in text.match_indices("env = \"") {
                let name = text[at + mark.len()..].split('"').next().unwrap();
                variables.push((name, value(name, at)));
            }
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let read = super::super::parse(&text, "hookhouse.toml", &house.path(""), &Variables(variables));
            let loaded = read.unwrap_or_else(|mistakes| panic!("{mistakes}"));
            assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
            assert!(!loaded.config.sources.is_empty());
        }
    }
}

/// What is a comment in the template is right as well.
#[test]
fn the_comments_of_a_template_read_cleanly_too() {
    let house = House::new();
    let text = template(&providers(), Some("hooks.example.org"));
    let open: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code)
                if code.starts_with('[')
                    || code.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
            {
                code
            }
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(open.contains("\nallow_loopback = true") && open.contains("\nprevious_secrets"), "{open}");
    assert!(open.contains("\nencrypt = ") && open.contains("\nredact = "), "{open}");
    std::fs::create_dir(house.path("secrets")).unwrap();
    let old = house.write("secrets/x.old", "canary-former-secret-of-x");
    std::fs::set_permissions(old, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut names: Vec<_> = open
        .match_indices("env = \"")
        .map(|(at, mark)| open[at + mark.len()..].split('"').next().unwrap())
        .collect();
    names.sort_unstable();
    names.dedup();
    let values: Vec<_> = names.iter().map(|name| value(name, 0)).collect();
    let variables: Vec<_> = names.iter().copied().zip(values.iter().map(String::as_str)).collect();
    let read = super::super::parse(&open, "hookhouse.toml", &house.path(""), &Variables(variables));
    let loaded = read.unwrap_or_else(|mistakes| panic!("{mistakes}\n{open}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert_eq!(loaded.config.destinations.len(), 1);
}

#[test]
fn a_domain_cannot_break_out_of_its_string() {
    let text = template(&["none"], Some("a\"\nlisten = []\\"));
    assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
    let text = template(&["no\nsuch]"], None);
    assert!(!text.contains("such"), "{text}");
}

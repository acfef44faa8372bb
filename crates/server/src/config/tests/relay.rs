//! `relay`: its times.

use std::time::Duration;

use super::super::Code;
use super::house::{House, SOURCE};

fn file(relay: &str) -> String {
    format!("{SOURCE}relay = {{ to = \"app\"{relay} }}\n[destination.app]\nurl = \"http://10.0.0.1\"\n")
}

#[test]
fn times_are_read_or_have_their_defaults() {
    for (relay, deadline, idle) in [
        ("", Duration::from_secs(10), Duration::from_mins(5)),
        (", deadline = \"60s\", idle = \"24h\"", Duration::from_secs(60), Duration::from_hours(24)),
        (", deadline = \"1ms\", idle = \"1ms\"", Duration::from_millis(1), Duration::from_millis(1)),
    ] {
        let config = House::new().read(&file(relay)).unwrap().config;
        let settings = config.sources[0].relay.as_ref().unwrap();
        assert_eq!((settings.deadline, settings.idle), (deadline, idle), "{relay}");
    }
}

#[test]
fn times_that_nobody_waits_for_are_refused() {
    for (relay, key) in [
        (", deadline = \"0s\"", "`deadline`"),
        (", deadline = \"61s\"", "`deadline`"),
        (", idle = \"0s\"", "`idle`"),
        (", idle = \"25h\"", "`idle`"),
    ] {
        let found = House::new().read(&file(relay)).unwrap_err();
        let said: Vec<_> = found.iter().map(|found| (found.code, found.message.starts_with(key))).collect();
        assert_eq!(said, [(Code::Value, true)], "{relay}: {found}");
    }
}

//! What a running server cannot change.

use super::super::{Code, Running};
use super::house::{House, SOURCE};

#[test]
fn what_wants_a_restart_is_refused_at_its_key() {
    let house = House::new();
    let before = format!("[store]\npath = \"events\"\n{SOURCE}");
    let running = Running::of(&house.config(&before));
    assert!(house.read_for(&running, &before).is_ok());
    assert!(house.read_for(&running, &before.replace("/inbox", "/moved")).is_ok());
    let said = |text: &str| {
        let found = house.read_for(&running, text).unwrap_err();
        assert!(found.iter().all(|found| found.code == Code::NeedsRestart), "{found}");
        found.iter().map(|found| (found.message.clone(), found.line)).collect::<Vec<_>>()
    };
    let text = |key: &str| format!("`{key}` cannot change while the server runs");
    assert_eq!(said(SOURCE), [(text("store.path"), None)], "what is not there has no place");
    let after = format!(
        "[store]\npath = \"events\"\nreserve = \"64MB\"\nretention = {{ age = \"1d\" }}\n\
         [admin]\nlisten = \"127.0.0.1:4041\"\n{SOURCE}"
    );
    let keys = [("store.reserve", 3), ("store.retention", 4), ("admin.listen", 6)];
    assert_eq!(said(&after), keys.map(|(key, line)| (text(key), Some(line))));
}

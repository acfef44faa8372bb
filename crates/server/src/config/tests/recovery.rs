//! Text that is no TOML: the mistake itself, and what is wrong with the rest.

use proptest::prelude::*;

use super::super::{Code, ProcessEnv, load, store_folder};
use super::house::{House, SOURCE};
use super::meaning::WHOLE;

#[test]
fn each_mistake_of_syntax_is_reported_once_and_the_rest_is_read() {
    let texts = [
        "[server]\npublic_url = https://hooks.example.com\nhots = 1\n",
        "[server]\npublic_url =\nhots = 1\n",
        "[server]\npublic_url\nhots = 1\n",
        "[server]\npublic_url = \"https://hooks.example.com\nhots = 1\n",
        "[server]\nlisten = [\"127.0.0.1:8080\"\nhosts = [\"a\", \"b c\"]\nhots = 1\n",
        "[server]\nlisten = [\n  \"127.0.0.1:8080\",\n  \"127.0.0.2:8080\"\nhots = 1\n",
        "[server]\nlisten = [\"127.0.0.1:8080\" \"127.0.0.1\" ]\nhots = 1\n",
        "[server]\nlimits = { connections = 1\nhots = 1\n\n[admin]\nhots = 2\n",
        "[server]\npublic_url = \"\"\"https://hooks.example.com\nhots = 1\n",
        "[server\nlisten = 1\nhots = 1\n[admin]\nhots = 2\n",
        "[server]\nhots = 1\nhots = 2\n[server]\nhots = 3\n",
        "[server]\nhosts = [\"a\"] listen = 1\nhots = 1\n",
    ];
    let house = House::new();
    let shown: Vec<_> = texts.iter().map(|text| house.rendered(&format!("{text}\n{SOURCE}"))).collect();
    insta::assert_snapshot!(shown.join("\n\n──────\n\n"));
}

#[test]
fn what_a_broken_text_lacks_is_not_called_missing() {
    let house = House::new();
    // Half a header hides a destination, half a line a path.
    let said = house.messages(
        "[source.a]\nprovider = \"none\"\npath\ndeliver = [\"app\"]\n\n[destination.app\nurl = 1\n",
    );
    assert!(said.iter().all(|message| message.starts_with("config.syntax")), "{said:#?}");
    assert_eq!(said.len(), 2, "{said:#?}");
}

#[test]
fn garbage_is_refused_without_a_flood() {
    let house = House::new();
    for text in [
        "\0\u{1}\u{2}",
        "=\n".repeat(10_000).as_str(),
        "[[[[[[\n".repeat(500).as_str(),
        "a = [\n".repeat(500).as_str(),
        &format!("{}b = 1\n", "a.".repeat(10_000)),
        &format!("[source.a]\npath = {}{}\n", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        let said = house.said(text);
        assert!(said.has_errors());
        assert!(said.len() <= 100, "{}", said.len());
    }
}

#[test]
fn an_empty_file_has_nothing_to_serve() {
    insta::assert_snapshot!(House::new().rendered(""), @r#"
    error[config.missing_key]: there is no `[source.NAME]`, so there is nothing to serve
     │
     ╰ help: `hookhouse init` writes a file to begin with
    "#);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let house = House::new();
    let code = |path: std::path::PathBuf| {
        load(&path, &ProcessEnv).unwrap_err().list().iter().map(|found| found.code).collect::<Vec<_>>()
    };
    assert_eq!(code(house.path("none.toml")), [Code::UnreadableFile]);
    assert_eq!(code(house.path("credentials")), [Code::UnreadableFile]);
    assert_eq!(code(house.write("latin1.toml", b"[server]\n# caf\xe9\n")), [Code::Syntax]);
    assert_eq!(code(house.write("large.toml", " ".repeat(5 << 20))), [Code::UnreadableFile]);
}

#[test]
fn the_store_is_found_whatever_else_is_wrong() {
    let house = House::new();
    let file = house.write("a.toml", "[store]\npath = \"data\"\n[source.a]\nprovider = \"x\"\n[stroe]\n");
    assert_eq!(store_folder(&file).unwrap(), house.path("data"));
    assert_eq!(store_folder(&house.write("b.toml", SOURCE)).unwrap(), house.path(".hookhouse"));
    let said = store_folder(&house.write("c.toml", "[store]\npath = 3\n")).unwrap_err();
    assert_eq!(said.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::Type]);
    assert!(store_folder(&house.write("d.toml", "[store\npath = \"data\"\n")).is_err());
}

/// What a slip of the finger puts into a file.
const SLIPS: &[&str] =
    &["", "[", "]", "\"", "'", "{", "}", "=", ",", "\n", "\r\n", "#", ".", "\"\"\"", "\\", "é", "\u{202e}"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_slip_anywhere_is_an_error_in_its_place_or_none(
        slips in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(SLIPS), 0_usize..4), 1..5),
    ) {
        let house = House::new();
        let mut text: Vec<char> = WHOLE.chars().collect();
        for (at, slip, gone) in slips {
            let at = at.index(text.len());
            let end = (at + gone).min(text.len());
            text.splice(at..end, slip.chars());
        }
        let text: String = text.into_iter().collect();
        let read = house.read(&text);
        let lines = text.split('\n').count();
        match &read {
            Ok(loaded) => prop_assert!(!loaded.warnings.has_errors()),
            Err(mistakes) => {
                prop_assert!(mistakes.has_errors());
                for found in mistakes {
                    prop_assert!(found.line.is_none_or(|line| (1..=lines).contains(&line)), "{}", mistakes);
                }
            }
        }
    }
}

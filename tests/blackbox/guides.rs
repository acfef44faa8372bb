//! What the pages tell people to write and to type is there; every page is listed, and no link leads nowhere.
#![expect(clippy::unwrap_used, reason = "a page that cannot be read has failed its test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookhouse_testkit::blackbox::hookhouse;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|path| path.join("docs").is_dir())
        .unwrap()
        .into()
}

/// The pages under `docs`, and those beside it.
fn pages() -> Vec<PathBuf> {
    let mut pages =
        vec![root().join("README.md"), root().join("ARCHITECTURE.md"), root().join("CHANGELOG.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The page on providers has a row for each, and one for each challenge.
#[test]
fn every_provider_of_the_catalogue_is_in_the_guide() {
    let page = std::fs::read_to_string(root().join("docs/guides/providers.md")).unwrap();
    let rows = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.starts_with("| `") && !line.starts_with("| `provider`"));
        rows.map(|line| line.split('|').take(3).collect::<Vec<_>>().join("|")).collect()
    };
    let (schemes, challenges) = page.split_once("## Challenges").unwrap();
    let known: Vec<_> = hookhouse_verify::catalogue::rows()
        .iter()
        .map(|row| format!("| `{}` | `{}` ", row.provider, row.descriptor.signature.header))
        .collect();
    assert_eq!(rows(schemes), known);
    let asking: Vec<_> = hookhouse_verify::catalogue::rows()
        .iter()
        .filter(|row| row.challenge.is_some())
        .map(|row| format!("| `{}` ", row.provider))
        .collect();
    let asked: Vec<_> =
        rows(challenges).iter().map(|row| row.split('|').take(2).collect::<Vec<_>>().join("|")).collect();
    assert_eq!(asked, asking);
}

fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    page.split(begin.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The links of a page, without what stands in blocks.
fn links(page: &str) -> Vec<&str> {
    let prose = page.split("```").step_by(2);
    let links = prose.flat_map(|text| text.split("](").skip(1)).map(|rest| rest.split(')').next().unwrap());
    links.filter(|link| !link.contains("://")).collect()
}

/// The anchor of a heading, as renderers of Markdown make it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn check(text: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hookhouse.toml"), text).unwrap();
    let output = hookhouse()
        .current_dir(folder.path())
        .args(["check", "-o", "json"])
        .env("X_CONSUMER_SECRET", "consumer-secret-of-this-test-0001")
        .env("X_CONSUMER_SECRET_OLD", "consumer-secret-of-this-test-0000")
        .env("X_BEARER", "bearer-of-this-test-0001")
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_configuration_of_the_guide_to_x_is_right() {
    let guide = std::fs::read_to_string(root().join("docs/guides/x.md")).unwrap();
    let (whole, parts): (Vec<_>, Vec<_>) =
        blocks(&guide, "toml").into_iter().partition(|block| block.contains("[server]"));
    let [whole] = whole.as_slice() else { panic!("{whole:?}") };
    let report = check(whole);
    assert_eq!((&report["ok"], &report["warnings"]), (&true.into(), &serde_json::json!([])), "{report}");
    assert_eq!(parts.len(), 2, "{parts:?}");
    for part in parts {
        // A part takes the place of the line with its key, or stands beside the others.
        let given = |line: &&str| {
            let key = line.split('=').next().unwrap().trim();
            part.lines().all(|new| new.split('=').next().unwrap().trim() != key)
        };
        let rest: Vec<_> = whole.lines().filter(given).collect();
        let text = rest.join("\n").replace("[source.x-prod]", &format!("[source.x-prod]\n{part}"));
        let report = check(&text);
        assert_eq!(report["ok"], true, "{report}\n{text}");
    }
}

/// What stands behind `hookhouse`, with nothing but variables before it.
fn ours(command: &str) -> Option<&str> {
    let (word, rest) = command.trim_start().split_once(' ')?;
    match word {
        "hookhouse" => Some(rest),
        variable if variable.contains('=') => ours(rest),
        _ => None,
    }
}

/// `--help` after a command's own words: what is not there, a command or a flag, is an error before it.
#[test]
fn every_command_on_the_pages_is_there() {
    let mut seen = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for line in blocks(&text, "console").into_iter().flat_map(str::lines) {
            let Some(line) = line.strip_prefix("$ ") else { continue };
            for command in line.split(" && ") {
                let Some(rest) = ours(command) else { continue };
                let output = Command::new("sh")
                    .args(["-c", &format!("set -- {rest}\nexec \"$0\" \"$@\" --help")])
                    .arg(hookhouse().get_program())
                    .output()
                    .unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{}: {command}\n{said}", page.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn every_page_is_listed_and_no_link_is_dead() {
    let docs = root().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<_> = links(&summary).into_iter().map(|link| docs.join(link)).collect();
    let missing: Vec<_> = pages()
        .into_iter()
        .filter(|page| page.starts_with(&docs) && !page.ends_with("SUMMARY.md") && !listed.contains(page))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.parent().unwrap_or(Path::new("."));
            let target = if file.is_empty() { page.clone() } else { folder.join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !fragment.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
                assert!(headings.any(|anchor| anchor == fragment), "{}: {link}", page.display());
            }
        }
    }
}

//! schemathesis asks everything that the document allows, and much that it does not: no answer is a server's error, and
//! none is another than the document says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookhouse_testkit::blackbox::{House, request, send};
use serde_json::Value;

use super::{HOUSE, json, receive, root, settled};

/// A program of the virtual environment that `cargo xtask test` makes of `tests/sdk/requirements.txt`.
fn installed(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let folder = test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps").join("sdk/python");
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sdk/requirements.txt");
    assert!(
        std::fs::read(folder.join("installed")).ok() == std::fs::read(list).ok(),
        "the packages of tests/sdk/requirements.txt are not installed: run `cargo xtask test`, which installs them"
    );
    folder.join("bin").join(program)
}

/// Ids that lead somewhere, beside those that it makes up.
fn identifiers(house: &House) -> String {
    let first = |path: &str, key: &str| {
        let list = json(house, ("GET", path), "");
        list["data"][0][key].as_str().expect("there is one").to_owned()
    };
    let replay = json(house, ("POST", "replays"), r#"{"rate":1}"#);
    let mut file = String::from("[generation]\ndatabase = \"none\"\n");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    for (path, name, value) in [
        ("/events/", "id", first("events", "id")),
        ("/refusals/", "id", first("refusals", "request_id")),
        ("/deliveries/", "id", first("deliveries", "id")),
        ("/sources/", "name", first("sources", "name")),
        ("/destinations/", "name", first("destinations", "destination")),
        ("/replays/", "id", text(&replay["id"])),
    ] {
        writeln!(
            file,
            "[[operations]]\ninclude-path-regex = \"^/api/v1{path}\"\nparameters = {{ \"path.{name}\" = [{value:?}, \"nobody\"] }}"
        )
        .expect("a string takes everything");
    }
    // A page has the same path.
    for check in ["unsupported_method", "allow_header_conformance"] {
        writeln!(file, "[[operations]]\ninclude-path = \"/login\"\nchecks.{check}.enabled = false")
            .expect("a string takes everything");
    }
    file
}

#[test]
fn no_answer_is_undocumented_and_none_is_the_servers_error() {
    let house = House::start(HOUSE, &[]);
    receive(&house, (0..3).map(|n| format!("{{\"n\":{n}}}")));
    let nowhere = send(house.ingress, &request("POST", "/nowhere", &[], b"x"));
    assert_eq!(nowhere.status, 404);
    settled(&house, 3);

    let config = house.folder().join("schemathesis.toml");
    std::fs::write(&config, identifiers(&house)).expect("the folder is ours");
    let mut command = Command::new(installed("schemathesis"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("PYTHONUTF8", "1").current_dir(house.folder());
    command.arg("--config-file").arg(&config).arg("run");
    command.arg(format!("http://{}/api/v1/openapi.json", house.admin));
    command.args(["--header", &format!("Authorization: Bearer {}", root(&house))]);
    // A stream has no end, which it would wait for.
    command.args(["--exclude-path", "/api/v1/stream"]);
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "4040"]);
    // What fits the document may make no sense all the same: a destination that is not there, a name that no name is.
    command.args(["--exclude-checks", "positive_data_acceptance", "--warnings", "off"]);
    command.args(["--continue-on-failure", "--request-timeout", "30", "--generation-database", "none"]);
    let output = command.output().expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    // What failed, without the bodies that it sent: one may be a megabyte.
    let lines: Vec<String> = printed.lines().map(|line| line.chars().take(300).collect()).collect();
    assert!(output.status.success(), "{}\n{}", lines.join("\n"), String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("Fuzzing"), "{}", lines.join("\n"));
}

/// Whoever may read the document learns nothing else by it: it needs no token, and has no secret.
#[test]
fn the_document_is_open_and_says_what_is_built() {
    let house = House::start(HOUSE, &[]);
    let ask = request("GET", "/api/v1/openapi.json", &[("Host", "localhost")], b"");
    let answer = send(house.admin, &ask);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    for path in
        document["paths"].as_object().expect("an object").keys().filter(|path| path.starts_with("/api/v1/"))
    {
        let ask = request("GET", &path.replace(['{', '}'], ""), &[("Host", "localhost")], b"");
        let status = send(house.admin, &ask).status;
        assert!([401, 405].contains(&status), "{path}: {status}");
    }
}

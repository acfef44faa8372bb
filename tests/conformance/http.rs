//! Heads that hyper lets through and we do not.

use crate::x::{PATH, SECRET};
use crate::{Case, Driver, nothing_stored};
use hookhouse_testkit::blackbox::{Answer, House};
use hookhouse_testkit::blackbox::{request, send};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("H14", h14),
    ("H15", h15),
    ("H16", h16),
    ("H17", h17),
    ("H18", h18),
    ("H19", h19),
    ("H20", h20),
    ("H21", h21),
    ("H22", h22),
];

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0"]
hosts = ["hooks.example.com"]

[source.x]
provider = "x"
path = "/webhooks/twitter"
consumer_secret = { env = "SECRET" }

[source.hook]
provider = "x"
path = "/hook"
consumer_secret = { env = "SECRET" }
"#;

fn house() -> House {
    House::start(CONFIG, &[("SECRET", SECRET)])
}

fn raw(house: &House, bytes: &[u8]) -> Answer {
    send(house.ingress, bytes)
}

fn get(house: &House, target: &str, headers: &[(&str, &str)]) -> Answer {
    raw(house, &request("GET", target, headers, b""))
}

fn h14(case: &Case) {
    let house = house();
    for head in [
        "",
        "Host: hooks.example.com\r\nHost: hooks.example.com\r\n",
        "Host: a/b c\r\n",
        "Host: u:p@hooks.example.com\r\n",
    ] {
        let bytes = format!("GET {PATH}?crc_token=foo HTTP/1.1\r\n{head}\r\n");
        case.refused(&raw(&house, bytes.as_bytes()));
    }
    case.recorded(&house, 4);
}

fn h15(case: &Case) {
    let house = house();
    case.refused(&get(&house, &format!("http://evil.example{PATH}?crc_token=foo"), &[]));
    case.recorded(&house, 1);
    let same = get(&house, &format!("http://hooks.example.com{PATH}?crc_token=foo"), &[]);
    assert_eq!(same.status, 200, "an absolute form for the same host is a request like any other");
}

fn h16(case: &Case) {
    let house = house();
    case.refused(&get(&house, &format!("{PATH}?crc_token=foo"), &[("Host", "evil.example")]));
    case.recorded(&house, 1);
    for known in ["hooks.example.com", "HOOKS.example.com:8443"] {
        assert_eq!(get(&house, &format!("{PATH}?crc_token=foo"), &[("Host", known)]).status, 200);
    }
}

fn h17(case: &Case) {
    let house = house();
    let long = "M".repeat(40);
    for method in ["TRACE", "get", long.as_str()] {
        case.refused(&raw(&house, &request(method, PATH, &[], b"")));
    }
    case.refused(&raw(
        &house,
        b"CONNECT hooks.example.com:443 HTTP/1.1\r\nHost: hooks.example.com:443\r\n\r\n",
    ));
    case.recorded(&house, 4);
}

fn h18(case: &Case) {
    let house = house();
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = raw(&house, &request(method, PATH, &[], b""));
        case.refused(&answer);
        assert_eq!(answer.header("allow"), Some("GET, POST"));
    }
    let head = raw(&house, &request("HEAD", PATH, &[], b""));
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, POST")));
    case.recorded(&house, 4);
}

fn h19(case: &Case) {
    let house = house();
    let targets: [&[u8]; 5] = [b"*", b"/webhooks/tw\xc3\xa9", b"/a%zz", b"/a%2", b"/a%"];
    for target in targets {
        let bytes = [b"GET ", target, b" HTTP/1.1\r\nHost: hooks.example.com\r\n\r\n"].concat();
        case.refused(&raw(&house, &bytes));
    }
    case.recorded(&house, targets.len());
    // A NUL is refused by the parser itself.
    let nul = raw(&house, b"GET /a\0 HTTP/1.1\r\nHost: hooks.example.com\r\n\r\n");
    case.answered(&nul);
}

fn h20(case: &Case) {
    let house = house();
    let targets = ["//hook", "/./hook", "/x/../hook", "/%68ook", "/hook/", "/hook%2f"];
    for target in targets {
        case.refused(&get(&house, &format!("{target}?crc_token=foo"), &[]));
    }
    case.recorded(&house, targets.len());
    assert_eq!(get(&house, "/hook?crc_token=foo", &[]).status, 200);
}

fn h21(case: &Case) {
    let house = house();
    let fits = format!("{PATH}?crc_token=foo&x={}", "a".repeat(8 * 1024 - PATH.len() - 17));
    assert_eq!(fits.len(), 8 * 1024);
    assert_eq!(get(&house, &fits, &[]).status, 200);
    case.refused(&get(&house, &format!("{fits}a"), &[]));
    case.recorded(&house, 1);
}

fn h22(case: &Case) {
    let house = house();
    let target = format!("{PATH}?crc_token=foo");
    // `Host` is the 64th.
    let names: Vec<_> = (0..64).map(|n| format!("x-{n}")).collect();
    let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert_eq!(get(&house, &target, &fields[..63]).status, 200);
    case.refused(&get(&house, &target, &fields));
    let big = "v".repeat(33 * 1024);
    case.refused(&get(&house, &target, &[("x-big", &big)]));
    case.recorded(&house, 2);
    // What does not even fit the parser's buffer gets the same status.
    let huge = "v".repeat(100 * 1024);
    case.answered(&get(&house, &target, &[("x-huge", &huge)]));
    nothing_stored(&house);
}

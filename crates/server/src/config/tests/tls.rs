//! `tls` and `[listener.NAME]`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::super::Code;
use super::house::{House, SOURCE};
use crate::tls::{Challenge, Tls};

fn server(lines: &str) -> String {
    format!("[server]\n{lines}\n{SOURCE}")
}

#[test]
fn one_pair_or_several_side_by_side() {
    let house = House::new();
    let files = |lines: &str| match house.config(&server(lines)).server.tls {
        Some(Tls::Files(files)) => files.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(files("tls = { cert = \"tls/good.pem\", key = \"tls/good.key\" }"), 1);
    let both =
        "tls = { cert = [\"tls/good.pem\", \"tls/rsa.pem\"], key = [\"tls/good.key\", \"tls/rsa.key\"] }";
    assert_eq!(files(both), 2);
    assert_eq!(files(&format!("public_url = \"https://hooks.example.com\"\n{both}")), 2);
}

#[test]
fn an_order_is_for_the_names_of_the_server() {
    let house = House::new();
    let acme = |lines: &str| match house.config(&server(lines)).server.tls {
        Some(Tls::Acme(acme)) => acme,
        other => panic!("{other:?}"),
    };
    let plain = acme("hosts = [\"Hooks.example.com\", \"localhost\", \"10.0.0.1\"]\ntls = { acme = {} }");
    assert_eq!((plain.names, plain.contact, plain.ca), (vec!["hooks.example.com".to_owned()], None, None));
    assert_eq!(plain.challenge, Challenge::TlsAlpn01);
    assert_eq!(plain.directory, "https://acme-v02.api.letsencrypt.org/directory");

    std::fs::write(house.path("ca.pem"), std::fs::read(house.path("tls/good.pem")).unwrap()).unwrap();
    let full = acme(
        "public_url = \"https://a.example.com:8443/x\"\nhosts = [\"b.example.com\"]\n\
         tls = { acme = { contact = \"mailto:ops@example.com\", directory = \"https://ca.example.com/dir\", \
         ca = \"ca.pem\", challenge = \"http-01\" } }\n[listener.http]\naddress = \"0.0.0.0:80\"",
    );
    assert_eq!(full.names, ["b.example.com", "a.example.com"]);
    assert_eq!(
        (full.challenge, full.contact.as_deref()),
        (Challenge::Http01, Some("mailto:ops@example.com"))
    );
    assert_eq!(full.ca, Some(house.path("ca.pem")));
}

#[test]
fn further_listeners_have_settings_of_their_own() {
    let house = House::new();
    let config = house.config(&server(
        "listen = [\"0.0.0.0:443\"]\ntrusted_proxies = [\"10.0.0.0/8\"]\nproxy_protocol = true\n\
         tls = { cert = \"tls/good.pem\", key = \"tls/good.key\" }\n\
         [listener.http]\naddress = \"0.0.0.0:80\"\n\
         [listener.inside]\naddress = \"127.0.0.1:8443\"\nproxy_protocol = true\n\
         tls = { cert = \"tls/rsa.pem\", key = \"tls/rsa.key\" }",
    ));
    let endpoints: Vec<_> = config
        .endpoints()
        .iter()
        .map(|endpoint| (endpoint.address.to_string(), endpoint.tls.is_some(), endpoint.proxy_protocol))
        .collect();
    let expected =
        [("0.0.0.0:443", true, true), ("0.0.0.0:80", false, false), ("127.0.0.1:8443", true, true)];
    assert_eq!(endpoints, expected.map(|(address, tls, proxy)| (address.to_owned(), tls, proxy)));
}

#[test]
fn every_mistake_about_tls_has_its_caret() {
    let house = House::new();
    house.write("tls/text", "hello");
    house.write(
        "tls/locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    house.write("tls/broken.pem", "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n");
    for file in ["text", "locked.key", "broken.pem"] {
        std::fs::set_permissions(house.path(&format!("tls/{file}")), Permissions::from_mode(0o600)).unwrap();
    }
    let acme = "hosts = [\"hooks.example.com\"]\ntls = { acme = ";
    let files = [
        "tls = true".to_owned(),
        "tls = {}".to_owned(),
        "tls = { cert = \"tls/good.pem\" }".to_owned(),
        "tls = { cert = \"tls/good.pem\", key = \"tls/good.key\", acme = {} }".to_owned(),
        "tls = { certificate = \"tls/good.pem\", key = \"tls/good.key\" }".to_owned(),
        "tls = { cert = [\"tls/good.pem\", \"tls/rsa.pem\"], key = \"tls/good.key\" }".to_owned(),
        "tls = { cert = [], key = [] }".to_owned(),
        "tls = { cert = 5, key = \"tls/good.key\" }".to_owned(),
        "tls = { cert = [\"tls/good.pem\", true], key = [\"tls/good.key\", \"tls/rsa.key\"] }".to_owned(),
        "tls = { cert = \"tls/none.pem\", key = \"tls/good.key\" }".to_owned(),
        "tls = { cert = \"tls\", key = \"tls/good.key\" }".to_owned(),
        "tls = { cert = \"tls/text\", key = \"tls/good.key\" }".to_owned(),
        "tls = { cert = \"tls/broken.pem\", key = \"tls/good.key\" }".to_owned(),
        "tls = { cert = \"tls/good.key\", key = \"tls/good.pem\" }".to_owned(),
        "tls = { cert = \"tls/good.pem\", key = \"tls/none.key\" }".to_owned(),
        "tls = { cert = \"tls/good.pem\", key = \"tls/text\" }".to_owned(),
        "tls = { cert = \"tls/good.pem\", key = \"tls/locked.key\" }".to_owned(),
        "tls = { cert = \"tls/good.pem\", key = \"tls/rsa.key\" }".to_owned(),
        "tls = { acme = {} }".to_owned(),
        "hosts = [\"localhost\"]\ntls = { acme = {} }".to_owned(),
        format!("{acme}{{ contact = \"ops@example.com\" }} }}"),
        format!("{acme}{{ directory = \"http://ca.example.com/\" }} }}"),
        format!("{acme}{{ ca = \"none.pem\" }} }}"),
        format!("{acme}{{ ca = \"tls/text\" }} }}"),
        format!("{acme}{{ challenge = \"dns-01\" }} }}"),
        format!("{acme}{{ challenge = \"http-01\" }} }}"),
        format!(
            "{acme}{{}} }}\n[listener.other]\naddress = \"0.0.0.0:8443\"\ntls = {{ acme = {{ challenge = \"http-01\" }} }}\n[listener.http]\naddress = \"0.0.0.0:80\""
        ),
        "[listener.http]\nlisten = \"0.0.0.0:80\"".to_owned(),
        "[listener.http]\naddress = \"0.0.0.0:80\"\nlimits = 1".to_owned(),
        "[listener.\"no such name\"]\naddress = \"0.0.0.0:80\"".to_owned(),
        "[listener.http]\naddress = \"127.0.0.1:8080\"".to_owned(),
        "[listener.a]\naddress = \"0.0.0.0:80\"\n[listener.b]\naddress = \"0.0.0.0:80\"".to_owned(),
        "[listener.http]\naddress = \"0.0.0.0:80\"\nproxy_protocol = true".to_owned(),
        "[listener.http]\naddress = \"127.0.0.1:4041\"\n[admin]\nlisten = \"127.0.0.1:4041\"".to_owned(),
    ];
    let shown: Vec<_> = files.iter().map(|lines| house.rendered(&server(lines))).collect();
    for (shown, lines) in shown.iter().zip(&files) {
        assert!(shown.contains("error["), "{lines}\n{shown}");
    }
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn a_key_that_others_can_read_is_a_warning() {
    let house = House::new();
    std::fs::set_permissions(house.path("tls/good.key"), Permissions::from_mode(0o644)).unwrap();
    let said = house.said(&server("tls = { cert = \"tls/good.pem\", key = \"tls/good.key\" }"));
    assert_eq!(said.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::SecretPermissions]);
}

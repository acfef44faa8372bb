//! Requests and the verdicts on them: the conformance cases of logins, by id, and what they leave open.

use hookhouse_core::{Secret, Timestamp};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;

use super::algorithm::Algorithm;
use super::parameters::Parameters;
use super::{Credentials, DigestCredentials, Kind, LoggedIn, Login, LoginRefused, NonceKey};

const USER: &str = "twilio";
const PASSWORD: &str = "correct horse battery staple";
const TARGET: &str = "/webhooks/twilio/voice?a=%2F&b";
const FIVE_MINUTES: SignedDuration = SignedDuration::from_mins(5);

fn now() -> Timestamp {
    "2026-08-30T12:00:00Z".parse().unwrap()
}

fn credentials() -> Credentials {
    Credentials::new(USER, Secret::new(PASSWORD).unwrap()).unwrap()
}

fn login(basic: bool, digest: bool, md5: bool) -> Login {
    let digest = digest.then(|| DigestCredentials { credentials: credentials(), md5 });
    let basic = basic.then(credentials);
    let key = NonceKey::new([7; 32]);
    Login::new("calls".parse().unwrap(), basic.as_ref(), digest.as_ref(), key).unwrap()
}

fn check(login: &Login, authorization: &[&[u8]], now: Timestamp) -> Result<LoggedIn, LoginRefused> {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
    }
    login.check("POST", TARGET, &headers, now)
}

fn refused(login: &Login, authorization: &[u8]) -> LoginRefused {
    check(login, &[authorization], now()).unwrap_err()
}

fn basic(pair: &[u8]) -> Vec<u8> {
    format!("Basic {}", data_encoding::BASE64.encode(pair)).into_bytes()
}

fn challenges(refused: &LoginRefused) -> Vec<&str> {
    refused.challenges().iter().map(|value| value.to_str().unwrap()).collect()
}

/// What a sender makes of a challenge. Each field can be got wrong; the response fits what is said.
#[derive(Clone)]
struct Sender {
    algorithm: Algorithm,
    user: String,
    password: String,
    realm: String,
    nonce: String,
    method: String,
    uri: String,
    nc: u32,
}

impl Sender {
    /// One that was challenged at `at`.
    fn challenged(login: &Login, algorithm: Algorithm, at: Timestamp) -> Self {
        let refused = check(login, &[], at).unwrap_err();
        let wanted = format!("algorithm={}", algorithm.name());
        let challenge =
            challenges(&refused).into_iter().find(|challenge| challenge.contains(&wanted)).unwrap();
        let parameters = Parameters::parse(challenge.strip_prefix("Digest ").unwrap().as_bytes()).unwrap();
        let text = |name| String::from_utf8(parameters.find(name).unwrap().to_vec()).unwrap();
        assert_eq!(text("qop"), "auth");
        Self {
            algorithm,
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            realm: text("realm"),
            nonce: text("nonce"),
            method: "POST".to_owned(),
            uri: TARGET.to_owned(),
            nc: 1,
        }
    }

    fn header(&self) -> Vec<u8> {
        let Self { algorithm, user, password, realm, nonce, method, uri, nc } = self;
        let (nc, cnonce) = (format!("{nc:08x}"), "0a4f113b");
        let ha1 = algorithm.hash(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()]);
        let ha2 = algorithm.hash(&[method.as_bytes(), uri.as_bytes()]);
        let parts = [&**ha1, nonce, &nc, cnonce, "auth", &**ha2].map(str::as_bytes);
        let response = algorithm.hash(&parts);
        format!(
            r#"Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", cnonce="{cnonce}", nc={nc}, qop=auth, response="{}", algorithm={}"#,
            *response,
            algorithm.name()
        )
        .into_bytes()
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }
}

#[test]
fn nothing_asked_for_is_no_login() {
    assert!(Login::new("calls".parse().unwrap(), None, None, NonceKey::new([7; 32])).is_none());
}

#[test]
fn the_first_request_is_challenged_and_not_failed() {
    let refused = check(&login(true, true, true), &[], now()).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Challenge, "auth.challenge"));
    let nonce = challenges(&refused)[0].split('"').nth(5).unwrap().to_owned();
    assert_eq!(
        challenges(&refused),
        [
            format!(r#"Digest realm="calls", qop="auth", algorithm=SHA-256, nonce="{nonce}", charset=UTF-8"#),
            format!(r#"Digest realm="calls", qop="auth", algorithm=MD5, nonce="{nonce}", charset=UTF-8"#),
            r#"Basic realm="calls", charset="UTF-8""#.to_owned(),
        ]
    );
}

#[test]
fn only_what_is_configured_is_offered_and_taken() {
    let sender = |login: &Login| Sender::challenged(login, Algorithm::Sha256, now());
    let right = basic(format!("{USER}:{PASSWORD}").as_bytes());

    let only = login(true, false, false);
    let refused_there = refused(&only, &sender(&login(false, true, false)).header());
    assert_eq!((refused_there.kind(), refused_there.code()), (Kind::Failed, "auth.failed"));
    assert_eq!(challenges(&refused_there), [r#"Basic realm="calls", charset="UTF-8""#]);
    let logged_in = check(&only, &[&right], now()).unwrap();
    assert_eq!(logged_in, LoggedIn { user: USER.to_owned(), scheme: "basic", spending: None });

    let only = login(false, true, false);
    let refused_there = refused(&only, &right);
    assert_eq!(refused_there.code(), "auth.failed");
    assert_eq!(challenges(&refused_there).len(), 1);
    let logged_in = check(&only, &[&sender(&only).header()], now()).unwrap();
    assert_eq!(logged_in, LoggedIn { user: USER.to_owned(), scheme: "digest-sha256", spending: None });

    assert_eq!(refused(&login(true, true, true), b"Bearer abc").code(), "auth.failed");
}

#[test]
fn digest_lets_in_with_each_algorithm_and_one_nonce_for_many_requests() {
    let login = login(true, true, true);
    for (algorithm, scheme) in [(Algorithm::Sha256, "digest-sha256"), (Algorithm::Md5, "digest-md5")] {
        let sender = Sender::challenged(&login, algorithm, now());
        for nc in [1, 3, 2, 4] {
            let header = sender.with(|s| s.nc = nc).header();
            assert_eq!(check(&login, &[&header], now() + FIVE_MINUTES).unwrap().scheme, scheme);
        }
    }
}

#[test]
fn digest_without_an_algorithm_is_md5() {
    let login = login(false, true, true);
    let sender = Sender::challenged(&login, Algorithm::Md5, now());
    let header = String::from_utf8(sender.header()).unwrap().replace(", algorithm=MD5", "");
    assert_eq!(check(&login, &[header.as_bytes()], now()).unwrap().scheme, "digest-md5");
}

#[test]
fn a_user_name_beyond_ascii_comes_in_both_spellings() {
    let credentials = Credentials::new("J\u{e4}s\u{f8}n Doe", Secret::new(PASSWORD).unwrap()).unwrap();
    let digest = DigestCredentials { credentials, md5: false };
    let login = Login::new("calls".parse().unwrap(), None, Some(&digest), NonceKey::new([7; 32])).unwrap();
    let sender = Sender::challenged(&login, Algorithm::Sha256, now())
        .with(|s| s.user = "J\u{e4}s\u{f8}n Doe".to_owned());
    let plain = String::from_utf8(sender.header()).unwrap();
    assert_eq!(check(&login, &[plain.as_bytes()], now()).unwrap().user, "J\u{e4}s\u{f8}n Doe");
    let extended = String::from_utf8(sender.with(|s| s.nc = 2).header())
        .unwrap()
        .replace("username=\"J\u{e4}s\u{f8}n Doe\"", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
    assert!(check(&login, &[extended.as_bytes()], now()).is_ok());
}

#[test]
fn a01_basic_without_or_with_wrong_credentials() {
    let login = login(true, true, true);
    let none = check(&login, &[], now()).unwrap_err();
    assert_eq!((none.kind(), none.code()), (Kind::Challenge, "auth.challenge"));
    for pair in [
        format!("other:{PASSWORD}"),
        format!("{USER}:wrong"),
        format!("{USER}:"),
        format!(":{PASSWORD}"),
        ":".to_owned(),
        format!("{USER}:{PASSWORD} "),
        format!("{USER}:{}", &PASSWORD[1..]),
        format!("{}:{PASSWORD}", USER.to_uppercase()),
    ] {
        let refused = refused(&login, &basic(pair.as_bytes()));
        assert_eq!((refused.kind(), refused.code()), (Kind::Failed, "auth.failed"), "{pair}");
        let offered = challenges(&refused);
        assert!(
            offered[0].starts_with("Digest ") && offered[0].contains("SHA-256"),
            "Digest first, the strongest"
        );
        assert!(offered[2].starts_with("Basic "));
        assert!(
            offered
                .iter()
                .all(|challenge| challenge.contains(r#"realm="calls""#) && !challenge.contains("stale"))
        );
    }
}

#[test]
fn a02_basic_that_cannot_be_read() {
    let login = login(true, true, true);
    for header in [
        b"Basic !!!!".to_vec(),
        b"Basic dHdpbGlvOng".to_vec(),
        b"Basic".to_vec(),
        b"Basic dHdp bGlvOng=".to_vec(),
        basic(b"no colon"),
        basic(b""),
        basic(b"twilio:a\0b"),
        basic(b"twilio\n:b"),
        basic(b"twilio:\x7f"),
        basic(&[b"twilio:".as_slice(), &[b'x'; 9 * 1024]].concat()),
        basic(b"twilio:caf\xe9"),
    ] {
        let refused = refused(&login, &header);
        assert_eq!((refused.kind(), refused.code()), (Kind::Malformed, "auth.malformed"), "{header:?}");
        assert_eq!(challenges(&refused).len(), 3);
    }
}

#[test]
fn a03_digest_that_is_wrong_in_one_thing() {
    let login = login(true, true, true);
    let sender = Sender::challenged(&login, Algorithm::Sha256, now());
    let foreign = {
        // One of another key, such as that of the process before this one.
        let digest = DigestCredentials { credentials: credentials(), md5: true };
        let other =
            Login::new("calls".parse().unwrap(), None, Some(&digest), NonceKey::new([8; 32])).unwrap();
        Sender::challenged(&other, Algorithm::Sha256, now()).nonce
    };
    for (wrong, code) in [
        (sender.with(|s| s.user = "other".to_owned()), "auth.failed"),
        (sender.with(|s| s.password = "wrong".to_owned()), "auth.failed"),
        (sender.with(|s| s.method = "GET".to_owned()), "auth.failed"),
        (sender.with(|s| s.uri = "/webhooks/twilio/voice?a=/&b".to_owned()), "auth.digest_uri"),
        (sender.with(|s| s.uri = "/webhooks/twilio/voice".to_owned()), "auth.digest_uri"),
        (sender.with(|s| s.realm = "billing".to_owned()), "auth.digest_realm"),
        (sender.with(|s| s.nonce = format!("B{}", &s.nonce[1..])), "auth.digest_nonce"),
        (sender.with(|s| s.nonce = foreign.clone()), "auth.digest_nonce"),
        (sender.with(|s| s.nonce = "x".to_owned()), "auth.digest_nonce"),
    ] {
        let refused = refused(&login, &wrong.header());
        assert_eq!((refused.kind(), refused.code()), (Kind::Failed, code), "{refused}");
        assert_eq!(challenges(&refused).len(), 3);
    }
    assert!(check(&login, &[&sender.header()], now()).is_ok(), "no failure spent the count");
    let replayed = refused(&login, &sender.header());
    assert_eq!((replayed.kind(), replayed.code()), (Kind::Failed, "auth.digest_replay"));

    let strict = self::login(true, true, false);
    let md5 = Sender::challenged(&login, Algorithm::Md5, now());
    let refused_md5 = refused(&strict, &md5.header());
    assert_eq!((refused_md5.kind(), refused_md5.code()), (Kind::Failed, "auth.digest_algorithm"));
    assert!(!challenges(&refused_md5).iter().any(|challenge| challenge.contains("MD5")));
}

#[test]
fn digest_in_a_form_that_was_not_offered() {
    let login = login(false, true, true);
    let header = String::from_utf8(Sender::challenged(&login, Algorithm::Sha256, now()).header()).unwrap();
    for (from, to, code) in [
        ("qop=auth", "qop=auth-int", "auth.digest_qop"),
        (", qop=auth", "", "auth.digest_qop"),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess", "auth.digest_algorithm"),
        ("algorithm=SHA-256", "algorithm=SHA-512-256", "auth.digest_algorithm"),
        ("algorithm=SHA-256", "algorithm=SHA-256, userhash=true", "auth.digest_userhash"),
        ("algorithm=SHA-256", "algorithm=MD5", "auth.malformed"),
        ("nc=00000001", "nc=00000000", "auth.malformed"),
        ("qop=auth", "qop=auth, qop=auth", "auth.malformed"),
        ("qop=auth", "qop=\"auth", "auth.malformed"),
        ("Digest ", "Digest x ", "auth.malformed"),
    ] {
        assert_eq!(refused(&login, header.replacen(from, to, 1).as_bytes()).code(), code, "{to}");
    }
    let upper = header.split("response=\"").nth(1).unwrap()[..64].to_owned();
    let upper = header.replace(&upper, &upper.to_uppercase());
    assert_eq!(refused(&login, upper.as_bytes()).code(), "auth.failed", "a response has one spelling");
    assert!(check(&login, &[header.as_bytes()], now()).is_ok());
}

#[test]
fn a04_digest_with_a_nonce_that_ended() {
    let login = login(true, true, true);
    let late = now() + FIVE_MINUTES + SignedDuration::from_millis(1);
    let sender = Sender::challenged(&login, Algorithm::Sha256, now());
    let refused = check(&login, &[&sender.header()], late).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Challenge, "auth.digest_stale"));
    let offered = challenges(&refused);
    assert!(offered[0].ends_with("stale=true") && offered[1].ends_with("stale=true"));
    assert!(!offered[2].contains("stale") && !offered[0].contains(&sender.nonce));

    let wrong =
        check(&login, &[&sender.with(|s| s.password = "wrong".to_owned()).header()], late).unwrap_err();
    assert_eq!((wrong.kind(), wrong.code()), (Kind::Failed, "auth.failed"));
    assert!(!challenges(&wrong)[0].contains("stale"), "who does not know the password is not told to go on");
}

#[test]
fn who_knows_the_password_is_told_to_ask_again() {
    let login = login(false, true, true);
    let sender = Sender::challenged(&login, Algorithm::Sha256, now());
    assert!(check(&login, &[&sender.header()], now()).is_ok());
    let stale = |sender: &Sender| challenges(&refused(&login, &sender.header()))[0].ends_with("stale=true");
    let foreign = sender.with(|s| s.nonce = "of another process".to_owned());
    assert!(stale(&sender), "a repeat");
    assert!(stale(&foreign));
    assert!(!stale(&foreign.with(|s| s.password = "wrong".to_owned())));
    assert!(!stale(&foreign.with(|s| s.user = "other".to_owned())));
    assert!(check(&login, &[&Sender::challenged(&login, Algorithm::Sha256, now()).header()], now()).is_ok());
}

#[test]
fn gateways_that_share_a_key_take_each_others_nonces_and_name_the_same_spending() {
    let gateways = [login(false, true, false), login(false, true, false)];
    assert!(gateways.iter().all(Login::is_alone));
    for gateway in &gateways {
        gateway.share(NonceKey::of_source(&[9; 32], &"calls".parse().unwrap()));
    }
    assert!(!gateways.iter().any(Login::is_alone));
    let sender = Sender::challenged(&gateways[0], Algorithm::Sha256, now());
    let spendings = gateways.each_ref().map(|gateway| {
        check(gateway, &[&sender.header()], now()).unwrap().spending.expect("something is to be spent")
    });
    assert_eq!(spendings[0], spendings[1], "whoever comes second finds it spent");
    assert_eq!(refused(&gateways[0], &sender.header()).code(), "auth.digest_replay");
    let other = sender.with(|sender| sender.nc = 2);
    let next = check(&gateways[0], &[&other.header()], now()).unwrap().spending.unwrap();
    assert_ne!(next, spendings[0]);
    assert_ne!(Sender::challenged(&gateways[1], Algorithm::Sha256, now()).nonce, sender.nonce);

    // A clock that was ahead when it made a nonce would have it live longer than its uses are remembered.
    let ahead = now() + FIVE_MINUTES + SignedDuration::from_millis(1);
    let early = Sender::challenged(&gateways[0], Algorithm::Sha256, ahead);
    assert_eq!(refused(&gateways[1], &early.header()).code(), "auth.digest_stale");
    let refusal = gateways[0].spent(now());
    assert_eq!((refusal.kind(), challenges(&refusal)[0].ends_with("stale=true")), (Kind::Failed, true));

    let stranger = login(false, true, false);
    stranger.share(NonceKey::of_source(&[9; 32], &"texts".parse().unwrap()));
    assert_eq!(refused(&stranger, &sender.header()).code(), "auth.digest_nonce", "each source has its own");
}

#[test]
fn a05_two_authorization_headers() {
    let login = login(true, true, true);
    let right = basic(format!("{USER}:{PASSWORD}").as_bytes());
    let digest = Sender::challenged(&login, Algorithm::Sha256, now()).header();
    for pair in [[&right, &right], [&right, &digest], [&digest, &b"x".to_vec()]] {
        let refused = check(&login, &pair.map(Vec::as_slice), now()).unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (Kind::Ambiguous, "auth.ambiguous"));
        assert!(refused.challenges().is_empty());
    }
    assert!(check(&login, &[&digest], now()).is_ok(), "and nothing was spent");
}

#[test]
fn nothing_shows_a_secret() {
    let login = login(true, true, true);
    let sender = Sender::challenged(&login, Algorithm::Md5, now());
    let ha1 =
        |algorithm: Algorithm| algorithm.hash(&[USER, "calls", PASSWORD].map(str::as_bytes)).to_string();
    let sha256 = Algorithm::Sha256.hash(&[PASSWORD.as_bytes()]).to_string();
    let secrets =
        [PASSWORD.to_owned(), "hush".to_owned(), ha1(Algorithm::Md5), ha1(Algorithm::Sha256), sha256];
    let refusals = [
        refused(&login, &basic(b"hush:hush")),
        refused(&login, &basic(b"hush")),
        refused(&login, &sender.with(|s| s.password = "hush".to_owned()).header()),
        refused(&login, &sender.with(|s| s.realm = "hush".to_owned()).header()),
    ];
    let shown = format!("{login:?} {refusals:?} {} {}", refusals[0], refusals[1]);
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret}");
    }
}

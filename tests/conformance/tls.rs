//! The handshake, and certificates that change.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hookhouse_testkit::blackbox::{Connection, House, Outside, PATIENCE, eventually, leaf, request};
use hookhouse_testkit::certificate::{Authority, Certified, Wanted, in_days};
use tempfile::TempDir;

use crate::{Case, Driver};

pub(crate) const DRIVERS: &[(&str, Driver)] =
    &[("K01", k01), ("K02", k02), ("K03", k03), ("K04", k04), ("K05", k05), ("K06", k06), ("L02", l02)];

const NAME: &str = "hooks.example.com";

/// A server with certificates of our own, and where they lie.
struct Secured {
    house: House,
    folder: TempDir,
    authority: Authority,
    ecdsa: Certified,
}

impl Secured {
    fn start() -> Self {
        let (folder, authority) = (tempfile::tempdir().expect("a temporary folder"), Authority::new());
        let (ecdsa, rsa) = (authority.issue(&Wanted::good(&[NAME])), authority.issue(&Wanted::rsa(&[NAME])));
        let file = |name: &str| folder.path().join(name);
        ecdsa.write(&file("ecdsa.pem"), &file("ecdsa.key"));
        rsa.write(&file("rsa.pem"), &file("rsa.key"));
        let list = |kind: &str| ["ecdsa", "rsa"].map(|name| file(&format!("{name}.{kind}")));
        let config = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nhosts = [\"{NAME}\"]\ntls = {{ cert = {:?}, key = {:?} }}\n\
             [source.inbox]\nprovider = \"none\"\npath = \"/inbox\"\n",
            list("pem"),
            list("key")
        );
        let house = House::start(&config, &[]);
        Self { house, folder, authority, ecdsa }
    }

    fn address(&self) -> SocketAddr {
        self.house.ingress
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another pair where the ECDSA one is, each file in one step.
    fn replace(&self, certified: &Certified) {
        let (cert, key) = (self.file("new.pem"), self.file("new.key"));
        certified.write(&cert, &key);
        std::fs::rename(key, self.file("ecdsa.key")).expect("the folder is ours");
        std::fs::rename(cert, self.file("ecdsa.pem")).expect("the folder is ours");
    }

    /// Asks the server to look at once.
    fn hang_up(&self) {
        let told = Command::new("kill").args(["-HUP", &self.house.pid().to_string()]).status().expect("kill");
        assert!(told.success());
    }

    /// How many lines of the log are of the case.
    fn lines(&self, case: &Case) -> usize {
        let event = format!("\"event\":\"{}\"", case.code());
        self.house.log().iter().filter(|line| line.contains(&event)).count()
    }

    fn said(&self, case: &Case, count: usize) {
        eventually("the line in the log", || (self.lines(case) >= count).then_some(()));
    }
}

/// A ClientHello of TLS 1.2 or older, as bytes: what no library of today would send.
fn hello(version: u16, suites: &[u16], compressions: &[u8]) -> Vec<u8> {
    let with_length =
        |bytes: Vec<u8>| [u16::try_from(bytes.len()).expect("short").to_be_bytes().to_vec(), bytes].concat();
    let extension = |kind: u16, bytes: Vec<u8>| [kind.to_be_bytes().to_vec(), with_length(bytes)].concat();
    let numbers =
        |numbers: &[u16]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
    let name = with_length([vec![0], with_length(NAME.as_bytes().to_vec())].concat());
    let extensions = [
        extension(0, name),
        // P-256 and P-384, uncompressed; RSA and ECDSA with SHA-256, RSA with SHA-1.
        extension(10, with_length(numbers(&[23, 24]))),
        extension(11, vec![1, 0]),
        extension(13, with_length(numbers(&[0x0401, 0x0403, 0x0201]))),
    ]
    .concat();
    let body = [
        version.to_be_bytes().to_vec(),
        vec![7; 32],
        vec![0],
        with_length(numbers(suites)),
        vec![u8::try_from(compressions.len()).expect("short")],
        compressions.to_vec(),
        with_length(extensions),
    ]
    .concat();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    let message = [vec![1], length[1..].to_vec(), body].concat();
    [vec![22], version.min(0x0301).to_be_bytes().to_vec(), with_length(message)].concat()
}

/// What comes back to bytes: the type of the record, and what is in it.
fn answer(address: SocketAddr, hello: &[u8]) -> (u8, Vec<u8>) {
    let mut socket = TcpStream::connect(address).expect("accepted");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket has timeouts");
    socket.write_all(hello).expect("the server reads");
    let mut head = [0; 5];
    socket.read_exact(&mut head).expect("a record");
    let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    socket.read_exact(&mut record).expect("the whole record");
    (head[0], record)
}

/// A fatal alert with one of these descriptions (RFC 5246 section 7.2).
fn is_alert((kind, record): (u8, Vec<u8>), descriptions: &[u8]) {
    assert_eq!((kind, record.len(), record[0]), (21, 2, 2), "a fatal alert: {record:?}");
    assert!(descriptions.contains(&record[1]), "{record:?}");
}

const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;

/// `ECDHE-RSA-AES128-GCM-SHA256`: one of the two of X's list that are spoken.
const SPOKEN: u16 = 0xc02f;

fn k01(case: &Case) {
    let secured = Secured::start();
    assert_eq!(answer(secured.address(), &hello(0x0303, &[SPOKEN], &[0])).0, 22, "TLS 1.2 goes on");
    for version in [0x0300, 0x0301, 0x0302] {
        let answer = answer(secured.address(), &hello(version, &[SPOKEN, 0xc013, 0x002f], &[0]));
        is_alert(answer, &[HANDSHAKE_FAILURE, PROTOCOL_VERSION]);
    }
    secured.said(case, 3);
}

fn k02(case: &Case) {
    let secured = Secured::start();
    let refused = [
        0xc027, 0xc013, 0xc028, 0xc014, // ECDHE with CBC
        0x009c, 0x003c, 0x002f, 0x009d, 0x003d, 0x0035, // keys exchanged by RSA
        0xc012, 0x000a, // 3DES
    ];
    for suite in refused {
        is_alert(answer(secured.address(), &hello(0x0303, &[suite], &[0])), &[HANDSHAKE_FAILURE]);
    }
    for spoken in [SPOKEN, 0xc030] {
        assert_eq!(answer(secured.address(), &hello(0x0303, &[spoken], &[0])).0, 22, "{spoken:x}");
    }
    secured.said(case, refused.len());
    assert!(secured.house.log().iter().any(|line| line.contains("\"reason\":\"no_cipher\"")));
}

fn k03(case: &Case) {
    let secured = Secured::start();
    // An address is asked for without a name.
    for name in ["elsewhere.example.net", "127.0.0.1"] {
        let secure = Outside::credulous().connect(secured.address(), name).expect("the handshake succeeds");
        assert_eq!(secure.certificate(), leaf(&secured.ecdsa.chain), "{name}");
    }
    secured.said(case, 1);
    let refused =
        Outside::trusting(&secured.authority.pem()).connect(secured.address(), "elsewhere.example.net");
    assert!(refused.is_err(), "the client sees that the certificate is another's");
}

fn k04(case: &Case) {
    let secured = Secured::start();
    let outside = Outside::trusting(&secured.authority.pem());
    let ask = request("POST", "/inbox", &[], b"x");
    let mut in_flight = outside.connect(secured.address(), NAME).expect("the handshake succeeds");
    assert_eq!(in_flight.exchange(&ask).expect("an answer").status, 200);

    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (failed, seen) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // A session of its own each time: a resumed one shows no certificate.
                while !stop.load(Ordering::Relaxed) {
                    let outside = Outside::trusting(&secured.authority.pem());
                    match outside.connect(secured.address(), NAME) {
                        Ok(secure) => {
                            let mut seen = seen.lock().expect("nobody panics with it");
                            let certificate = secure.certificate();
                            if !seen.contains(&certificate) {
                                seen.push(certificate);
                            }
                        }
                        Err(error) => failed.lock().expect("nobody panics with it").push(error.to_string()),
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=8 {
            let before = count.load(Ordering::Relaxed);
            eventually("handshakes", || (count.load(Ordering::Relaxed) > before + 50).then_some(()));
            secured.replace(&secured.authority.issue(&Wanted::good(&[NAME])));
            secured.hang_up();
            // Two lines each time, one for each certificate.
            secured.said(case, 2 * round);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(*failed.lock().expect("nobody panics with it"), Vec::<String>::new());
    assert!(count.load(Ordering::Relaxed) > 400);
    let seen = seen.lock().expect("nobody panics with it").len();
    assert!(seen > 4, "{seen} certificates were seen");
    assert_eq!(in_flight.exchange(&ask).expect("the connection goes on").status, 200);
}

fn k05(case: &Case) {
    let secured = Secured::start();
    let outside = Outside::trusting(&secured.authority.pem());
    let issue = |wanted: &Wanted<'_>| secured.authority.issue(wanted);
    let expired = issue(&Wanted { from: in_days(-30), to: in_days(-1), ..Wanted::good(&[NAME]) });
    let mismatch = Certified { key: issue(&Wanted::good(&[NAME])).key, ..issue(&Wanted::good(&[NAME])) };
    let garbage = Certified { chain: "hello".to_owned(), ..issue(&Wanted::good(&[NAME])) };
    let wrong_name = issue(&Wanted::good(&["elsewhere.example.com"]));
    // Both pairs are for the name, so that both must lose it for the name to be lost.
    let rsa = issue(&Wanted::rsa(&["elsewhere.example.com"]));
    let kept = |count: usize| {
        secured.said(case, count);
        let secure = outside.connect(secured.address(), NAME).expect("the handshake succeeds");
        assert_eq!(secure.certificate(), leaf(&secured.ecdsa.chain));
        let problem = &secured.house.api("status")["tls"][0]["problem"];
        assert!(problem.is_string(), "{problem}");
    };
    for (count, bad) in [&expired, &mismatch, &garbage].into_iter().enumerate() {
        secured.replace(bad);
        kept(count + 1);
    }
    std::fs::remove_file(secured.file("ecdsa.pem")).expect("the folder is ours");
    kept(4);
    rsa.write(&secured.file("rsa.pem"), &secured.file("rsa.key"));
    secured.replace(&wrong_name);
    kept(5);
    let good = issue(&Wanted::good(&[NAME]));
    secured.replace(&good);
    eventually("the good one", || {
        let secure = outside.connect(secured.address(), NAME).ok()?;
        (secure.certificate() == leaf(&good.chain)).then_some(())
    });
    assert!(secured.house.api("status")["tls"][0]["problem"].is_null());
}

fn k06(_: &Case) {
    let secured = Secured::start();
    let address = secured.address();
    // Compression: not chosen where it is offered, and nothing is said where nothing else is.
    let (kind, record) = answer(address, &hello(0x0303, &[SPOKEN], &[1, 0]));
    let session = usize::from(record[38]);
    assert_eq!((kind, record[39 + session + 2]), (22, 0), "no compression");
    assert_eq!(answer(address, &hello(0x0303, &[SPOKEN], &[1])).0, 21, "an alert");

    // Early data: whoever comes back is not offered any.
    let outside = Outside::trusting(&secured.authority.pem());
    let ask = request("POST", "/inbox", &[], b"x");
    let mut first = outside.connect(address, NAME).expect("the handshake succeeds");
    assert_eq!(first.exchange(&ask).expect("an answer").status, 200);
    let second = outside.connect(address, NAME).expect("the handshake succeeds");
    assert_eq!(second.handshake(), rustls::HandshakeKind::Resumed, "there was a session to come back to");
    assert!(!second.takes_early_data());

    // A second handshake on the connection would show the certificate once more; what there is is the end.
    let said = renegotiate(address, &secured.file("ecdsa.pem"));
    let (before, after) = said.split_once("RENEGOTIATING").expect("it was told to");
    assert!(before.contains("verify return:1"), "{said}");
    assert!(!after.contains("verify return") && after.contains("error:"), "{said}");
}

/// What OpenSSL's client says when it is told to renegotiate.
fn renegotiate(address: SocketAddr, authority: &Path) -> String {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-tls1_2", "-servername", NAME, "-connect", &address.to_string(), "-CAfile"]);
    let mut client = client
        .arg(authority)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed (`cargo xtask test` does so on Debian)");
    // It reads commands once the handshake is done, one for each read.
    let mut stdin = client.stdin.take().expect("stdin is piped");
    stdin.write_all(b"R\n").expect("it reads");
    let output = client.wait_with_output().expect("it ends");
    drop(stdin);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn l02(case: &Case) {
    let secured = Secured::start();
    let mut silent = Connection::open(secured.address()).expect("accepted");
    let mut half = Connection::open(secured.address()).expect("accepted");
    let hello = hello(0x0303, &[SPOKEN], &[0]);
    half.write(&hello[..hello.len() / 2]).expect("the server reads");
    assert!(silent.is_closed_silently());
    assert!(half.is_closed_silently());
    secured.said(case, 1);
}

//! Which certificate is shown, and when another takes its place.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, SystemClock, Timestamp};
use hookhouse_testkit::certificate::{Authority, Certified, Wanted, in_days};
use rustls::SignatureScheme;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::sync::watch::Sender;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::front::{Front, PATIENCE, room};
use super::keyring::{Keyring, check_swap, choose};
use super::pair::{Pair, PairError};
use super::settings::KeyFiles;
use super::watch::{Fingerprint, Watch, load};

const EVERY_SCHEME: &[SignatureScheme] =
    &[SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256];
const RSA: &[SignatureScheme] = &[SignatureScheme::RSA_PSS_SHA256];

fn pair(certified: &Certified) -> Pair {
    Pair::parse(certified.chain.as_bytes(), certified.key.as_bytes()).unwrap()
}

fn pairs(wanted: &[Wanted<'_>]) -> Vec<Pair> {
    let authority = Authority::new();
    wanted.iter().map(|wanted| pair(&authority.issue(wanted))).collect()
}

#[test]
fn a_client_gets_the_certificate_for_its_name_and_its_kind_of_key() {
    let all = pairs(&[
        Wanted::rsa(&["hooks.example.com"]),
        Wanted::good(&["hooks.example.com"]),
        Wanted::good(&["*.example.org"]),
    ]);
    let shown = |name: Option<&str>, schemes| {
        let chosen = choose(&all, name, schemes).unwrap();
        all.iter().position(|pair| pair.facts == chosen.facts && pair.is_rsa() == chosen.is_rsa()).unwrap()
    };
    assert_eq!(shown(Some("hooks.example.com"), EVERY_SCHEME), 1, "ECDSA is preferred");
    assert_eq!(shown(Some("hooks.example.com"), RSA), 0);
    assert_eq!(shown(Some("a.example.org"), EVERY_SCHEME), 2);
    assert_eq!(shown(Some("a.example.org"), RSA), 2, "nothing fits, which the handshake finds out");
    for name in [None, Some("a.b.example.org"), Some("example.net")] {
        assert_eq!((shown(name, EVERY_SCHEME), shown(name, RSA)), (1, 0), "{name:?}");
    }
    assert!(choose(&[], Some("hooks.example.com"), EVERY_SCHEME).is_none());
}

#[test]
fn a_certificate_that_is_worse_than_the_one_in_use_is_not_taken() {
    let now = SystemClock.now();
    let names = &["hooks.example.com", "other.example.com"][..];
    let old = pairs(&[Wanted::good(names)]);
    let said = |wanted: Wanted<'_>, configured: &[&str]| {
        let configured: Vec<_> = configured.iter().map(|name| (*name).to_owned()).collect();
        check_swap(&old, &pairs(&[wanted]), &configured, now).err().unwrap_or_default()
    };
    assert_eq!(said(Wanted::rsa(names), &["hooks.example.com"]), "");
    assert_eq!(said(Wanted::good(&["*.example.com"]), &["hooks.example.com"]), "");
    assert_eq!(
        said(Wanted::good(&names[1..]), &[]),
        "",
        "one of its names is enough where none is configured"
    );
    assert_eq!(said(Wanted::good(&names[..1]), &["hooks.example.com", "elsewhere.example.net"]), "");
    let lost = said(Wanted::good(&names[1..]), &["hooks.example.com"]);
    assert!(lost.contains("not for `hooks.example.com`"), "{lost}");
    let alien = said(Wanted::good(&["example.net"]), &[]);
    assert!(alien.contains("none of the names"), "{alien}");
    let expired = said(Wanted { from: in_days(-9), to: in_days(-1), ..Wanted::good(names) }, &[]);
    assert!(expired.contains("expired"), "{expired}");
    let early = said(Wanted { from: in_days(2), ..Wanted::good(names) }, &[]);
    assert!(early.contains("not yet"), "{early}");
    assert_eq!(check_swap(&[], &old, &["elsewhere.example.net".to_owned()], now), Ok(()), "the first one");
}

#[test]
fn a_key_in_every_usual_form_is_read_and_another_is_refused() {
    let authority = Authority::new();
    let (one, other) = (Wanted::good(&["a.example.com"]), Wanted::rsa(&["a.example.com"]));
    let (one, other) = (authority.issue(&one), authority.issue(&other));
    assert!(pair(&other).is_rsa() && !pair(&one).is_rsa());
    let both = format!("{}{}", one.key, one.chain);
    assert!(Pair::parse(both.as_bytes(), both.as_bytes()).is_ok(), "one file for both");
    let why = Pair::parse(one.chain.as_bytes(), other.key.as_bytes()).unwrap_err();
    assert!(matches!(why, PairError::Mismatch) && why.is_about_key(), "{why}");
    assert!(!format!("{:?} {why}", pair(&one)).contains("PRIVATE"));
}

#[tokio::test(start_paused = true)]
async fn handshakes_are_bounded_in_number_and_time() {
    let keyring = Keyring::new(pairs(&[Wanted::good(&["hooks.example.com"])]));
    let front = Front::new(keyring, None, Arc::new(Semaphore::new(1))).unwrap();
    let peer = "203.0.113.7".parse().unwrap();
    let ((slow, _one), (late, _other)) = (tokio::io::duplex(64), tokio::io::duplex(64));
    let begun = Instant::now();
    let silent = async {
        assert!(front.accept(slow, peer).await.is_none());
        begun.elapsed()
    };
    let one_too_many = async {
        assert!(front.accept(late, peer).await.is_none());
        begun.elapsed()
    };
    let (silent, one_too_many) = tokio::join!(silent, one_too_many);
    assert_eq!(one_too_many, Duration::ZERO);
    assert!(silent >= PATIENCE);
    assert_eq!([1, 2, 4, 20_000].map(|most| room(most).available_permits()), [1, 2, 3, 15_000]);
}

/// Files in a folder, watched, with a clock that stands still and time that flies.
struct Watched {
    folder: TempDir,
    keyring: Arc<Keyring>,
    reload: Sender<u64>,
    soft: CancellationToken,
}

impl Watched {
    fn begin(first: &Certified) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (version, now) = (folder.path().join("1"), folder.path().join("now"));
        fs::create_dir(&version).unwrap();
        first.write(&version.join("cert.pem"), &version.join("key.pem"));
        symlink(&version, &now).unwrap();
        let files = vec![KeyFiles { cert: now.join("cert.pem"), key: now.join("key.pem") }];
        let loaded = Fingerprint::of(&files);
        let keyring = Keyring::new(load(&files).unwrap());
        let watch = Watch {
            files,
            keyring: Arc::clone(&keyring),
            wanted: vec!["hooks.example.com".to_owned()],
            clock: Arc::new(SystemClock),
        };
        let (reload, soft) = (Sender::default(), CancellationToken::new());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        drop(tokio::spawn(watch.run(loaded, reload.subscribe(), soft.clone())));
        Self { folder, keyring, reload, soft }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Turns the link to another version, in one step, as certbot and Kubernetes do.
    fn turn(&self, to: &str) {
        let link = self.path().join("link");
        symlink(self.path().join(to), &link).unwrap();
        fs::rename(link, self.path().join("now")).unwrap();
    }

    fn version(&self, name: &str, certified: &Certified) {
        let folder = self.path().join(name);
        fs::create_dir(&folder).unwrap();
        certified.write(&folder.join("cert.pem"), &folder.join("key.pem"));
    }

    fn shown(&self) -> Timestamp {
        self.keyring.pairs()[0].facts.not_after
    }

    async fn looks(&self, count: u32) {
        // A look is made in a thread, for which paused time waits.
        tokio::time::sleep(Duration::from_millis(1_001) * count).await;
    }
}

fn until(day: i64) -> Certified {
    Authority::new().issue(&Wanted { to: in_days(day), ..Wanted::good(&["hooks.example.com"]) })
}

fn ends(certified: &Certified) -> Timestamp {
    pair(certified).facts.not_after
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_turned_leads_to_the_new_certificate() {
    let (old, new) = (until(10), until(80));
    let watched = Watched::begin(&old);
    watched.looks(3).await;
    assert_eq!(watched.shown(), ends(&old));
    watched.version("2", &new);
    watched.turn("2");
    watched.looks(3).await;
    assert_eq!(watched.shown(), ends(&new));
    watched.soft.cancel();
}

#[tokio::test(start_paused = true)]
async fn files_written_one_after_the_other_are_used_once_they_fit() {
    let (old, new) = (until(10), until(80));
    let watched = Watched::begin(&old);
    let file = |name: &str| watched.path().join("1").join(name);
    fs::write(file("cert.pem"), &new.chain).unwrap();
    watched.looks(4).await;
    assert_eq!(watched.shown(), ends(&old));
    let problem = watched.keyring.problem().unwrap();
    assert!(problem.contains("key.pem") && problem.contains("not the certificate's"), "{problem}");
    fs::write(file("key.pem"), &new.key).unwrap();
    watched.looks(3).await;
    assert_eq!((watched.shown(), watched.keyring.problem()), (ends(&new), None));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_kept_out_until_it_is_right_or_somebody_asks_again() {
    let old = until(10);
    let watched = Watched::begin(&old);
    fs::remove_file(watched.path().join("1/key.pem")).unwrap();
    watched.looks(4).await;
    assert!(watched.keyring.problem().unwrap().contains("cannot be read"));
    watched.version("2", &until(-1));
    watched.turn("2");
    watched.looks(4).await;
    assert!(watched.keyring.problem().unwrap().contains("expired"));
    watched.version("3", &until(80));
    watched.turn("3");
    watched.reload.send_modify(|count| *count += 1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((watched.shown(), watched.keyring.problem()), (ends(&until(80)), None));
}

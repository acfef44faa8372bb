//! X, a server and an application in one time.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookhouse_core::delivery::Next;
use hookhouse_core::{Clock, Notice, Observer};
use hookhouse_emulator::x::{Act, Action, EmulatedClock, Fate, Options, Platform, reveal};
use hookhouse_x::calls::{account_activity, webhooks};
use hookhouse_x::credentials::{Access, Consumer, Credentials};
use hookhouse_x::{Client, Transport};
use tempfile::TempDir;

use crate::application::Application;
use crate::house::{House, Plan, Variables};

/// What is said about webhooks, and how much is on its way.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    said: Mutex<Vec<String>>,
    /// Events that were stored and have not ended, over all servers that were stopped in good order.
    open: AtomicI64,
}

impl Observer for Deeds {
    fn notice(&self, notice: Notice) {
        match notice {
            Notice::Webhook { deed, .. } => self.said.lock().unwrap().push(deed),
            Notice::Accepted { .. } => {
                self.open.fetch_add(1, Ordering::Relaxed);
            }
            Notice::Attempted { next: Next::Done | Next::GiveUp(_), .. } => {
                self.open.fetch_sub(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

pub(crate) struct World {
    pub(crate) x: Platform,
    pub(crate) application: Application,
    pub(crate) variables: Variables,
    pub(crate) deeds: Arc<Deeds>,
    /// The server's address as X knows it.
    pub(crate) outside: String,
    /// The configuration of where events go; the application's, unless a test has another.
    pub(crate) destination: String,
    /// How far the clock is turned at once.
    pub(crate) step: Duration,
    folder: TempDir,
    port: u16,
    house: Option<House>,
}

/// A destination that is an application on this machine.
pub(crate) fn destination(address: SocketAddr) -> String {
    format!("url = \"http://{address}/events\"\nallow_loopback = true\n")
}

/// Half past a noon, so that hours and days are not the world's own.
fn beginning() -> hookhouse_core::Timestamp {
    "2026-11-22T12:30:00Z".parse().unwrap()
}

impl World {
    /// X and an application; no server yet.
    pub(crate) async fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::with_clock(EmulatedClock::stopped(beginning()));
        options.allow_http = true;
        change(&mut options);
        let x = Platform::start(options).await.unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let application = Application::start().await;
        let mut world = Self {
            outside: format!("http://127.0.0.1:{port}"),
            destination: destination(application.address),
            application,
            variables: Variables::default(),
            deeds: Arc::default(),
            // A look every quarter of an hour is noticed within one of these.
            step: Duration::from_mins(10),
            folder: TempDir::new().unwrap(),
            house: None,
            port,
            x,
        };
        let app = world.x.credentials();
        world.set("CONSUMER_SECRET", reveal(&app.consumer_secret));
        world.set("BEARER", reveal(&app.bearer));
        world
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.0.insert(name.to_owned(), value.to_owned());
    }

    /// Starts the server; `more` is more of the source's configuration.
    pub(crate) async fn serve(&mut self, more: &str) {
        let config = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\npublic_url = \"{}\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"store\"\n\
             [source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = {{ env = \"CONSUMER_SECRET\" }}\n\
             heal = true\napi = {{ bearer = {{ env = \"BEARER\" }}, base = \"{}\" }}\ndeliver = [\"app\"]\n{more}\n\
             [destination.app]\n{}",
            self.outside,
            self.x.base_url(),
            self.destination,
        );
        let clock: Arc<dyn Clock> = self.x.clock();
        let observer: Arc<dyn Observer> = Arc::clone(&self.deeds) as _;
        let plan = Plan {
            config: &config,
            variables: &self.variables,
            folder: self.folder.path(),
            port: self.port,
            clock,
            observer: Some(observer),
        };
        self.house = Some(House::start(plan).await);
    }

    /// Where the server listens.
    pub(crate) fn inside(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Stops the server in good order.
    pub(crate) async fn stop(&mut self) {
        self.house.take().unwrap().stop().await;
    }

    /// Kills it, in a quiet moment: an attempt whose outcome is not noted yet would be made again, as promised.
    pub(crate) async fn kill(&mut self) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.house.take().unwrap().kill();
    }

    /// Waits until X has the webhook and calls it valid, and subscribes a user to everything.
    pub(crate) async fn subscribe(&self, handles: &[&str]) {
        self.until("the webhook is registered", || self.x.webhooks().iter().any(|(_, _, valid)| *valid))
            .await;
        for handle in handles {
            let client = self.client(handle);
            let webhook = client.send(&webhooks::list()).await.unwrap().remove(0);
            assert!(client.send(&account_activity::subscribe(&webhook.id)).await.unwrap());
        }
    }

    /// X's API as a user of the app.
    pub(crate) fn client(&self, handle: &str) -> Client {
        let (app, user) = (self.x.credentials(), self.x.tokens_of(handle).unwrap());
        let secret = |text: &str| hookhouse_core::Secret::new(text).unwrap();
        let credentials = Credentials {
            bearer: Some(app.bearer.clone()),
            consumer: Some(Consumer { key: secret(&app.consumer_key), secret: app.consumer_secret.clone() }),
            access: Some(Access { token: user.access_token, secret: user.access_token_secret }),
            user_token: None,
        };
        let base = self.x.base_url().parse().unwrap();
        Client::new(base, credentials, Transport::system(), self.x.clock())
    }

    pub(crate) fn post(&self, handle: &str, text: &str) {
        let act =
            Act { user: handle.to_owned(), action: Action::Post, text: Some(text.to_owned()), target: None };
        self.x.act(&act).unwrap();
    }

    /// Lets time pass, in steps that are short beside anything that somebody waits for.
    pub(crate) async fn pass(&self, time: Duration, mut at_each: impl FnMut(&Self)) {
        let steps = time.as_secs() / self.step.as_secs();
        for _ in 0..steps {
            at_each(self);
            self.x.advance(self.step).await;
            if let Some(house) = &self.house {
                house.notices(self.x.clock().now()).await;
            }
            // The server's own wheels turn in real time: a few naps of the caretaker.
            tokio::time::sleep(Duration::from_millis(12)).await;
        }
    }

    /// Waits for something that takes no emulated time.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..3_000 {
            if holds() {
                return;
            }
            self.x.settle().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("in vain: {what}; {:?}", self.said());
    }

    /// Waits until whatever was stored has been delivered or given up.
    pub(crate) async fn until_done(&self) {
        self.until("nothing is on its way", || self.deeds.open.load(Ordering::Relaxed) == 0).await;
    }

    /// What was said about the webhook so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.deeds.said.lock().unwrap().clone()
    }

    /// Asserts that the application has everything that X had to tell, in events that came once and have something new each.
    pub(crate) async fn assert_whole(&self) {
        let told: BTreeSet<String> = self.x.with_ledger(|ledger| {
            let fates = [Fate::Pending, Fate::Delivered, Fate::Dropped, Fate::Withheld];
            ledger.keys(&fates).into_iter().map(str::to_owned).collect()
        });
        self.until("as much is taken as was told", || told.is_subset(&self.application.keys())).await;
        let extra: Vec<_> = self.application.keys().difference(&told).cloned().collect();
        assert!(extra.iter().all(|key| key.starts_with("replay:")), "{extra:?}");
        // Ids are in the order of the log. An element comes again only in the company of one that had not come.
        let mut known = BTreeSet::new();
        for (event, times) in self.application.taken() {
            let [keys] = &times[..] else { panic!("{event} was delivered {} times", times.len()) };
            let new = keys.iter().filter(|key| known.insert((*key).clone())).count();
            assert!(new > 0, "{event} has nothing new: {keys:?}");
        }
    }
}

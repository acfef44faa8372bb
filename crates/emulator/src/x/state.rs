//! Everything that a platform knows, behind one mutex that is never held over an `await`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookhouse_core::Clock;
use http::StatusCode;
use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Notify;

use super::agenda::{Agenda, Task};
use super::auth::oauth1::Nonces;
use super::client::HookClient;
use super::clock::{EmulatedClock, later};
use super::crc::{self, Challenge, CrcReason, Verdict};
use super::credentials::{Credentials, UserTokens};
use super::delivery::Delivery;
use super::ids::{Ids, RuleId, SubscriptionId, UserId, WebhookId};
use super::ledger::{CrcRecord, Entry, Ledger, ValidityRecord};
use super::options::{Options, SigningKey};
use super::posts::Posts;
use super::rates::Rates;
use super::replay::ReplayJob;
use super::rules::Rule;
use super::signature::{self, AppKey};
use super::subscription::{ActivitySubscription, StreamLink};
use super::users::{User, Users};
use super::webhook::Webhook;

/// The platform's parts, shared by its server and its driver.
#[derive(Debug)]
pub(super) struct World {
    pub(super) options: Arc<Options>,
    pub(super) clock: Arc<EmulatedClock>,
    pub(super) client: HookClient,
    /// Something was put on the agenda.
    pub(super) changed: Notify,
    state: Mutex<State>,
}

impl World {
    pub(super) fn new(options: Options) -> Self {
        let (clock, client) = (Arc::clone(&options.clock), HookClient::new(&options));
        let options = Arc::new(options);
        let state = Mutex::new(State::new(Arc::clone(&options), clock.now()));
        Self { options, clock, client, changed: Notify::new(), state }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a platform knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) options: Arc<Options>,
    pub(super) rng: StdRng,
    pub(super) ids: Ids,
    pub(super) credentials: Credentials,
    /// The app's owner.
    pub(super) owner: UserId,
    pub(super) users: Users,
    pub(super) tokens: Vec<UserTokens>,
    pub(super) posts: Posts,
    pub(super) webhooks: BTreeMap<WebhookId, Webhook>,
    pub(super) account: BTreeSet<(WebhookId, UserId)>,
    pub(super) activity: BTreeMap<SubscriptionId, ActivitySubscription>,
    pub(super) links: Vec<StreamLink>,
    pub(super) rules: BTreeMap<RuleId, Rule>,
    pub(super) deliveries: BTreeMap<u64, Delivery>,
    pub(super) jobs: BTreeMap<WebhookId, ReplayJob>,
    pub(super) agenda: Agenda,
    pub(super) rates: Rates,
    pub(super) nonces: Nonces,
    /// Faults that somebody asked for: the endpoint, the status, how often.
    pub(super) faults: Vec<(String, StatusCode, u32)>,
    /// The last moment that was given to something which has no id but its time.
    pub(super) last_moment: i64,
    pub(super) ledger: Ledger,
}

impl State {
    fn new(options: Arc<Options>, now: Timestamp) -> Self {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let mut ids = Ids::default();
        let credentials = options.credentials.clone().unwrap_or_else(|| Credentials::made_up(&mut rng));
        let (mut users, mut tokens) = (Users::default(), Vec::new());
        // Ids and keys are those of the seed alone, so that a platform which is started again has them again.
        let created_at = Timestamp::from_second(1_698_068_693).unwrap_or(now).min(now);
        for new in &options.users {
            let id = new.id.unwrap_or_else(|| UserId(ids.next(created_at)));
            tokens.push(UserTokens::made_up(id, &new.handle, &mut rng));
            users.add(User {
                id,
                handle: new.handle.clone(),
                name: new.name.clone(),
                bio: String::new(),
                protected: new.protected,
                created_at,
            });
        }
        Self {
            owner: tokens.first().map_or(UserId(0), |tokens| tokens.user),
            ledger: Ledger::remembering(options.ledger),
            options,
            rng,
            ids,
            credentials,
            users,
            tokens,
            posts: Posts::default(),
            webhooks: BTreeMap::new(),
            account: BTreeSet::new(),
            activity: BTreeMap::new(),
            links: Vec::new(),
            rules: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            jobs: BTreeMap::new(),
            agenda: Agenda::default(),
            rates: Rates::default(),
            nonces: Nonces::default(),
            faults: Vec::new(),
            last_moment: i64::MIN,
        }
    }

    /// A challenge for a URL, unless it is none.
    pub(super) fn challenge(&mut self, url: &str, sign: bool, now: Timestamp) -> Option<Challenge> {
        let key = match self.options.crc.key {
            SigningKey::Consumer => {
                AppKey { header: signature::HEADER, secret: &self.credentials.consumer_secret }
            }
            SigningKey::Oauth2 => {
                AppKey { header: signature::OAUTH2_HEADER, secret: &self.credentials.client_secret }
            }
        };
        Some(Challenge::new(&url.parse().ok()?, key, sign, now, &mut self.rng))
    }

    /// A millisecond that nothing else has: what has no id is told from others by its time.
    pub(super) fn moment(&mut self, now: Timestamp) -> i64 {
        self.last_moment = now.as_millisecond().max(self.last_moment.saturating_add(1));
        self.last_moment
    }

    pub(super) fn tell(&self, entry: Entry<'_>) {
        if let Some(watch) = &self.options.watch {
            watch.tell(entry);
        }
    }

    /// Writes a challenge down, and draws the consequences for the webhook.
    pub(super) fn challenged(
        &mut self,
        webhook: Option<WebhookId>,
        url: String,
        reason: CrcReason,
        signed: bool,
        verdict: &Verdict,
        now: Timestamp,
    ) {
        let number = self.ledger.number();
        let record = CrcRecord { number, at: now, webhook, url, reason, signed, verdict: verdict.clone() };
        let watch = self.options.watch.clone();
        let record = self.ledger.crc(record);
        if let Some(watch) = watch {
            watch.tell(Entry::Crc(record));
        }
        let Some(webhook) = webhook.filter(|id| self.webhooks.contains_key(id)) else { return };
        match verdict {
            Verdict::Passed => {
                // Only somebody who asks for it brings an invalid webhook back.
                if reason == CrcReason::Put {
                    self.turn(webhook, true, "it answered the challenge", now);
                }
                self.plan_challenges(webhook, now);
            }
            Verdict::Invalid(why) => self.turn(webhook, false, why, now),
            Verdict::Transient(_) if !reason.is_manual() => {
                let Some(epoch) = self.webhooks.get(&webhook).map(|webhook| webhook.epoch) else { return };
                let probe = Task::Challenge { webhook, epoch, reason: CrcReason::Probe };
                self.agenda.add(later(now, crc::PROBE), probe);
            }
            Verdict::Transient(_) => {}
        }
    }

    /// A success: the next challenge is a day from now, the end of grace some hours after it.
    pub(super) fn plan_challenges(&mut self, id: WebhookId, now: Timestamp) {
        let Some(webhook) = self.webhooks.get_mut(&id) else { return };
        webhook.validated_at = now;
        webhook.epoch += 1;
        let epoch = webhook.epoch;
        if webhook.valid {
            let challenge = Task::Challenge { webhook: id, epoch, reason: CrcReason::Schedule };
            self.agenda.add(later(now, crc::PERIOD), challenge);
            // "More than 28 hours": a challenge at the 28th hour itself still counts.
            let end = later(later(now, crc::GRACE), std::time::Duration::from_millis(1));
            self.agenda.add(end, Task::Expire { webhook: id, epoch });
        }
    }

    /// Makes a webhook valid or invalid, where it is not so already.
    pub(super) fn turn(&mut self, id: WebhookId, valid: bool, why: &str, now: Timestamp) {
        let Some(webhook) = self.webhooks.get_mut(&id).filter(|webhook| webhook.valid != valid) else {
            return;
        };
        webhook.valid = valid;
        // An invalid webhook is not challenged until somebody asks for it.
        webhook.epoch += 1;
        let number = self.ledger.number();
        let record = ValidityRecord { number, at: now, webhook: id, valid, why: why.to_owned() };
        let watch = self.options.watch.clone();
        let record = self.ledger.turned(record);
        if let Some(watch) = watch {
            watch.tell(Entry::Validity(record));
        }
    }

    /// A fault that is to be the answer of this call.
    pub(super) fn fault(&mut self, endpoint: &str) -> Option<StatusCode> {
        let at = self.faults.iter().position(|(name, ..)| name == endpoint || name == "*")?;
        let (_, status, left) = self.faults.get_mut(at)?;
        let status = *status;
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.faults.remove(at);
        }
        Some(status)
    }
}

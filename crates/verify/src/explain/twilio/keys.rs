//! Which keys of a source may have signed a request.

use super::super::case::Case;
use super::super::cause::Cause;
use super::super::explanation::Clue;
use super::super::suspect::known;
use super::super::trial::Suspect;
use crate::descriptor::KeyForm;
use crate::keyring::Keyring;
use crate::mac::MacKey;
use crate::twilio::content::{Content, kind};
use crate::twilio::verifier::SharedLane;
use crate::twilio::{Algorithm, SIGNATURE_SETTINGS_HEADER, Verifier};

/// As many keys as every message is tried with.
const MOST_KEYS: usize = 2;

/// The SharedKey that the request names, whatever else it says.
pub(super) fn named_shared_key<'v>(verifier: &'v Verifier, case: &Case<'_>) -> Option<&'v SharedLane> {
    let value = std::str::from_utf8(case.header(SIGNATURE_SETTINGS_HEADER)?).ok()?;
    let id = value.split(',').find_map(|item| item.trim().strip_prefix("key="))?.trim();
    verifier.shared.iter().find(|lane| lane.id == id)
}

/// The keys of the source, by how they count for this request.
pub(super) struct Keys {
    pub(super) algorithm: Algorithm,
    /// What configuration calls the first that counts.
    pub(super) name: Option<String>,
    pub(super) active: Vec<Suspect>,
    /// Retired ones, those of other accounts, and the active ones in other forms.
    pub(super) rest: Vec<Suspect>,
}

impl Keys {
    pub(super) fn of(verifier: &Verifier, case: &Case<'_>) -> Self {
        let headers = &case.request.headers;
        let named = named_shared_key(verifier, case);
        let chosen: Vec<&Keyring<MacKey>> = match (verifier.shared_key(headers), named) {
            (Ok(Some(lane)), _) | (Err(_), Some(lane)) => vec![&lane.keys],
            (Err(_), None) => Vec::new(),
            (Ok(None), _) => kind(case.request)
                .and_then(|kind| Content::of(case.request, kind))
                .and_then(|content| verifier.tokens_for(&content, case.request))
                .unwrap_or_else(|_| vec![&verifier.tokens]),
        };
        let mut keys = Self {
            algorithm: named.map_or(Algorithm::HmacSha1, |lane| lane.algorithm),
            name: None,
            active: Vec::new(),
            rest: Vec::new(),
        };
        let mut forms = Vec::new();
        for key in chosen.iter().flat_map(|ring| ring.iter()) {
            let secret = known(key, KeyForm::Utf8);
            if key.is_active(case.now) {
                keys.name.get_or_insert_with(|| key.name().to_owned());
                keys.active.extend(secret.as_configured());
                forms.extend(secret.forms(false));
            } else {
                let detail = format!("it was signed with `{}`, which is retired", key.name());
                keys.rest.extend(secret.but(Clue::new(Cause::KeyRetired, detail).set(key.name())));
            }
        }
        let is_chosen = |ring: &Keyring<MacKey>| chosen.iter().any(|known| std::ptr::eq(*known, ring));
        let shared = verifier.shared.iter().filter(|lane| !is_chosen(&lane.keys));
        let shared = shared.flat_map(|lane| {
            let detail = format!(
                "it was signed with SharedKey `{}`, and `{SIGNATURE_SETTINGS_HEADER}` does not say so",
                lane.id
            );
            lane.keys.iter().map(move |key| (key, detail.clone(), "shared_keys"))
        });
        let accounts = verifier.accounts.iter().map(|lane| &lane.keys).chain([&verifier.tokens]);
        let tokens = accounts.filter(|ring| !is_chosen(ring)).flat_map(|ring| ring.iter());
        let tokens = tokens.map(|key| {
            let detail = format!(
                "it was signed with `{}`, which is not a token of what the request names",
                key.name()
            );
            (key, detail, "accounts")
        });
        for (key, detail, setting) in tokens.chain(shared) {
            let clue = Clue::new(Cause::KeyNotChosen, detail).set(setting);
            keys.rest.extend(known(key, KeyForm::Utf8).but(clue));
        }
        keys.rest.extend(forms);
        keys
    }

    /// The keys of other sources where all else is right: this source has the wrong one.
    pub(super) fn mistaken_for(&self, others: &[Suspect]) -> Vec<Suspect> {
        let mut mistaken = others.to_vec();
        for clue in mistaken.iter_mut().flat_map(|suspect| &mut suspect.clues) {
            clue.setting.clone_from(&self.name);
        }
        mistaken
    }

    /// The few that every message is tried with.
    pub(super) fn strongest(&self) -> &[Suspect] {
        let keys = if self.active.is_empty() { &self.rest } else { &self.active };
        keys.get(..MOST_KEYS.min(keys.len())).unwrap_or_default()
    }
}

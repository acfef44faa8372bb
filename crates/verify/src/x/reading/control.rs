//! What X says about the webhook itself: that a replay has ended.

use super::{Element, Family, Reading, present};
use crate::json::Object;

const REPLAY: &str = "replay_job_status";

pub(super) fn read(body: &Object<'_>) -> Option<Reading> {
    let status = body.get(REPLAY)?;
    let mut reading = Reading::new(Family::Control);
    reading.add_type(REPLAY);
    let element = Object::read(status.get()).and_then(|status| {
        let (job, state) = (present(status.text("job_id"))?, present(status.text("job_state"))?);
        Element::new(REPLAY, &[b"control", job.as_bytes(), state.as_bytes()])
    });
    Some(reading.with_elements(body, |key| key == REPLAY, element.map(|element| vec![element])))
}

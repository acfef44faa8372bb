//! What Twilio says over a stream.

use data_encoding::{BASE64, HEXLOWER};
use rand::RngCore;
use serde_json::{Map, Value, json};

use super::{Call, Direction};

/// Writes the messages of one stream, and numbers them.
#[derive(Debug)]
pub(super) struct Messages {
    call: Call,
    stream_sid: String,
    tracks: &'static [&'static str],
    parameters: Map<String, Value>,
    silence: String,
    number: u64,
}

impl Messages {
    pub(super) fn new(
        call: &Call,
        direction: Direction,
        track: Option<&str>,
        parameters: &[(String, String)],
        rng: &mut dyn RngCore,
    ) -> Self {
        let mut sid = [0; 16];
        rng.fill_bytes(&mut sid);
        // `track` is for streams that listen; one that speaks hears the caller alone.
        let tracks: &[&str] = match (direction, track) {
            (Direction::Listens, Some("both_tracks")) => &["inbound", "outbound"],
            (Direction::Listens, Some("outbound_track")) => &["outbound"],
            _ => &["inbound"],
        };
        let parameters = parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Self {
            call: call.clone(),
            stream_sid: format!("MZ{}", HEXLOWER.encode(&sid)),
            tracks,
            parameters: parameters.collect(),
            silence: BASE64.encode(&[SILENCE; FRAME_BYTES]),
            number: 0,
        }
    }

    pub(super) fn stream_sid(&self) -> &str {
        &self.stream_sid
    }

    /// The first message, which has no number.
    pub(super) fn connected() -> String {
        json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" }).to_string()
    }

    pub(super) fn start(&mut self) -> String {
        let start = json!({
            "accountSid": self.call.account_sid,
            "callSid": self.call.call_sid,
            "streamSid": self.stream_sid,
            "tracks": self.tracks,
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
            "customParameters": self.parameters,
        });
        self.numbered("start", &start)
    }

    /// The frame after `before` others.
    pub(super) fn media(&mut self, before: u32) -> String {
        let media = json!({
            "track": self.tracks.first(),
            "chunk": (u64::from(before) + 1).to_string(),
            "timestamp": (u64::from(before) * FRAME_MS).to_string(),
            "payload": self.silence,
        });
        self.numbered("media", &media)
    }

    pub(super) fn mark(&mut self, name: &str) -> String {
        self.numbered("mark", &json!({ "name": name }))
    }

    pub(super) fn stop(&mut self) -> String {
        let stop = json!({ "accountSid": self.call.account_sid, "callSid": self.call.call_sid });
        self.numbered("stop", &stop)
    }

    fn numbered(&mut self, event: &str, content: &Value) -> String {
        self.number += 1;
        let number = self.number.to_string();
        json!({ "event": event, "sequenceNumber": number, "streamSid": self.stream_sid, event: content })
            .to_string()
    }
}

/// Silence in mu-law.
const SILENCE: u8 = 0xff;
/// 20 ms at 8,000 samples a second.
const FRAME_BYTES: usize = 160;
const FRAME_MS: u64 = 20;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn messages_look_like_twilios_and_are_numbered() {
        let call = Call { account_sid: "AC1".to_owned(), call_sid: "CA1".to_owned(), frames: 2 };
        let parameters = [("user".to_owned(), "7".to_owned())];
        let mut messages = Messages::new(
            &call,
            Direction::Speaks,
            Some("both_tracks"),
            &parameters,
            &mut StdRng::seed_from_u64(1),
        );
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        assert_eq!(
            read(Messages::connected()),
            json!({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        );
        let start = read(messages.start());
        let sid = start["streamSid"].as_str().unwrap().to_owned();
        assert_eq!((start["sequenceNumber"].as_str(), sid.len(), &sid[..2]), (Some("1"), 34, "MZ"));
        assert_eq!(start["start"]["customParameters"], json!({"user": "7"}));
        assert_eq!(start["start"]["tracks"], json!(["inbound"]));
        let media = read(messages.media(1));
        assert_eq!(
            (media["media"]["chunk"].as_str(), media["media"]["timestamp"].as_str()),
            (Some("2"), Some("20"))
        );
        let audio = BASE64.decode(media["media"]["payload"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(audio, [0xff; 160]);
        assert_eq!(read(messages.mark("m"))["mark"], json!({"name": "m"}));
        let stop = read(messages.stop());
        assert_eq!(
            (stop["sequenceNumber"].as_str(), stop["stop"]["callSid"].as_str()),
            (Some("4"), Some("CA1"))
        );
        let mut listening =
            Messages::new(&call, Direction::Listens, Some("both_tracks"), &[], &mut StdRng::seed_from_u64(1));
        assert_eq!(read(listening.start())["start"]["tracks"], json!(["inbound", "outbound"]));
    }
}

//! The kind of event, by the parameters that tell.

use super::form::Parameters;
use crate::json;

/// What to call an event; `None` where no parameter tells.
///
/// Twilio names the kind of event in few products (`EventType`, in TaskRouter and Conversations). Elsewhere it shows
/// in which parameters there are: a status callback has a status, an inbound message has a text.
pub(super) fn event_type(parameters: &Parameters<'_>) -> Option<String> {
    let text = |key| parameters.value(key).and_then(|value| std::str::from_utf8(value).ok());
    if let Some(named) = text("EventType") {
        return json::label(named);
    }
    for (key, noun) in
        [("RecordingStatus", "recording"), ("MessageStatus", "message"), ("CallStatus", "call")]
    {
        if let Some(status) = text(key) {
            return json::label(&format!("{noun}.{status}"));
        }
    }
    if text("MessageSid").is_some() && parameters.value("Body").is_some() {
        return Some("message.received".to_owned());
    }
    text("CallSid").map(|_| "call".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_tell() {
        for (form, expected) in [
            ("CallSid=CA1&CallStatus=in-progress", Some("call.in-progress")),
            ("CallSid=CA1&CallStatus=completed&RecordingStatus=completed", Some("recording.completed")),
            ("MessageSid=SM1&MessageStatus=delivered&SmsStatus=delivered", Some("message.delivered")),
            ("MessageSid=SM1&SmsStatus=received&Body=", Some("message.received")),
            ("CallSid=CA1&Digits=1", Some("call")),
            ("EventType=onMessageAdded&Body=x&MessageSid=IM1", Some("onMessageAdded")),
            ("EventType=a+b", None),
            ("CallStatus=%ff", None),
            ("Sid=1", None),
            ("", None),
        ] {
            assert_eq!(event_type(&Parameters::read(form.as_bytes())).as_deref(), expected, "{form}");
        }
    }
}

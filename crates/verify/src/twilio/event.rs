//! The kind of event, by what tells it.

use super::form::Parameters;
use crate::json;

/// What to call the event of a form or a query; `None` where no parameter tells.
///
/// Twilio names the kind of event in few products (`EventType`, in TaskRouter and Conversations). Elsewhere it shows
/// in which parameters there are: a status callback has a status, an inbound message has a text, a debugger alert a
/// level and a payload, an assignment callback a reservation.
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
    if text("PayloadType").is_some() && parameters.value("Payload").is_some() {
        let level = text("Level").unwrap_or("alert").to_ascii_lowercase();
        return json::label(&format!("debugger.{level}"));
    }
    if text("MessageSid").is_some() && parameters.value("Body").is_some() {
        return Some("message.received".to_owned());
    }
    if text("ReservationSid").is_some() && text("TaskSid").is_some() {
        return Some("reservation.assignment".to_owned());
    }
    text("CallSid").map(|_| "call".to_owned())
}

/// What to call the event of a JSON body: the `type` of an Event Streams CloudEvent, the first where a sink batches
/// them, or the `EventType` of a product that sends its parameters as JSON.
pub(super) fn event_type_of_json(body: &[u8]) -> Option<String> {
    let named = json::text_at_first(body, ["type"]).or_else(|| json::text_at_first(body, ["EventType"]));
    json::label(&named?)
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
            ("EventType=onConversationAdd&AccountSid=AC1&ChatServiceSid=IS1", Some("onConversationAdd")),
            ("EventType=task.created&TaskSid=WT1&Sid=EV1&Timestamp=1", Some("task.created")),
            ("EventType=reservation.accepted&ReservationSid=WR1&TaskSid=WT1", Some("reservation.accepted")),
            ("ReservationSid=WR1&TaskSid=WT1&WorkerSid=WK1&TaskAge=0", Some("reservation.assignment")),
            ("Sid=NO1&Level=ERROR&PayloadType=application%2Fjson&Payload=%7B%7D", Some("debugger.error")),
            ("Sid=NO1&PayloadType=application%2Fjson&Payload=%7B%7D", Some("debugger.alert")),
            ("Level=a+b&PayloadType=application%2Fjson&Payload=%7B%7D", None),
            ("EventType=a+b", None),
            ("CallStatus=%ff", None),
            ("Sid=1", None),
            ("", None),
        ] {
            assert_eq!(event_type(&Parameters::read(form.as_bytes())).as_deref(), expected, "{form}");
        }
    }

    #[test]
    fn a_json_body_tells_in_its_type() {
        let sent = r#"{"specversion":"1.0","type":"com.twilio.messaging.message.sent","source":"/v1/x","id":"EZ1","data":{"type":"no"}}"#;
        for (body, expected) in [
            (sent.to_owned(), Some("com.twilio.messaging.message.sent")),
            (
                format!("[{sent},{}]", sent.replace("sent", "failed")),
                Some("com.twilio.messaging.message.sent"),
            ),
            (format!(" [ {sent} ]"), Some("com.twilio.messaging.message.sent")),
            (r#"{"EventType":"onMessageAdded"}"#.to_owned(), Some("onMessageAdded")),
            (r#"{"type":"not a label"}"#.to_owned(), None),
            (r#"{"type":{"type":"x"}}"#.to_owned(), None),
            ("[]".to_owned(), None),
            ("\0".to_owned(), None),
        ] {
            assert_eq!(event_type_of_json(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}

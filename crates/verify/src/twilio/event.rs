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
    if let (Some(_), Some(change)) = (text("ConferenceSid"), text("StatusCallbackEvent")) {
        return json::label(&format!("conference.{change}"));
    }
    for (key, noun) in [
        ("RecordingStatus", "recording"),
        ("MessageStatus", "message"),
        // Beside `MessageStatus` in a status callback, alone in an inbound message, where it is `received`.
        ("SmsStatus", "message"),
        ("CallStatus", "call"),
    ] {
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
            ("MessageSid=SM1&Body=", Some("message.received")),
            ("SmsSid=SM1&SmsStatus=undelivered&ErrorCode=30003", Some("message.undelivered")),
            (
                "ConferenceSid=CF1&CallSid=CA1&StatusCallbackEvent=participant-join",
                Some("conference.participant-join"),
            ),
            ("EventType=onDeliveryUpdated&Status=read&MessageSid=IM1", Some("onDeliveryUpdated")),
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
}

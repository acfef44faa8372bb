//! `<Gather>`: what the caller hears while digits are awaited, and what is pressed
//! (<https://www.twilio.com/docs/voice/twiml/gather>).

use std::collections::VecDeque;

use super::{Line, Next};
use crate::twilio::twiml::Element;
use crate::twilio::url::WebhookUrl;

/// What is still to be pressed.
#[derive(Debug)]
pub(super) struct Digits(VecDeque<String>);

/// What one `<Gather>` took.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pressed {
    digits: String,
    /// The key that ended it, where one did.
    finished_on: String,
}

impl Digits {
    pub(super) fn new(digits: &[String]) -> Self {
        Self(digits.iter().cloned().collect())
    }

    pub(super) fn unused(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }

    /// Presses the next entry, as far as a `<Gather>` takes it: to its key, or to its number of digits.
    fn press(&mut self, finish_on: &str, most: Option<usize>) -> Pressed {
        let Some(entry) = self.0.pop_front() else { return Pressed::default() };
        let mut pressed = Pressed::default();
        for key in entry.chars() {
            if finish_on.contains(key) {
                pressed.finished_on = key.to_string();
                break;
            }
            pressed.digits.push(key);
            if most == Some(pressed.digits.len()) {
                break;
            }
        }
        pressed
    }
}

impl Line<'_> {
    /// Asks for digits: what is pressed goes to `action`, or to the document's own URL. Without any, the call goes on
    /// with the next verb, unless `actionOnEmptyResult` wants to know.
    pub(super) fn gather(&mut self, verb: &Element, url: &WebhookUrl) -> Next {
        for prompt in &verb.children {
            if matches!(prompt.name.as_str(), "Say" | "Play" | "Pause") {
                self.prompt(prompt);
            }
        }
        let most = verb.attribute("numDigits").and_then(|number| number.parse().ok());
        let pressed = self.digits.press(verb.attribute("finishOnKey").unwrap_or("#"), most);
        if pressed.digits.is_empty() {
            self.narrate("Gather", "nobody presses anything");
            if verb.attribute("actionOnEmptyResult") != Some("true") {
                return Next::Verb;
            }
        } else {
            self.narrate("Gather", &format!("the caller presses {}", pressed.digits));
        }
        let more = [
            ("msg", "Gather End".to_owned()),
            ("Digits", pressed.digits),
            ("FinishedOnKey", pressed.finished_on),
        ];
        let action = verb.attribute("action").unwrap_or_default().to_owned();
        self.go_on(url, &action, verb.attribute("method"), &more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gather_takes_one_entry_to_its_key_or_number() {
        let entries = ["12#34", "1234", "#", "*9"].map(str::to_owned);
        let mut digits = Digits::new(&entries);
        let pressed =
            |digits: &str, key: &str| Pressed { digits: digits.to_owned(), finished_on: key.to_owned() };
        assert_eq!(digits.press("#", None), pressed("12", "#"));
        assert_eq!(digits.press("#", Some(1)), pressed("1", ""));
        assert_eq!(digits.press("#", None), pressed("", "#"), "nothing before the key is nothing");
        assert_eq!(digits.unused().as_deref(), Some("*9"));
        assert_eq!(digits.press("", None), pressed("*9", ""), "no key ends it");
        assert_eq!(digits.press("#", None), Pressed::default());
        assert_eq!(digits.unused(), None);
    }
}

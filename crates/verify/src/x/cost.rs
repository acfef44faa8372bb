//! What X charges for a delivered event.

use std::fmt;

/// A price in millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost {
    /// Millionths of a US dollar.
    pub micro_dollars: u32,
}

/// Prices by event type; one that ends with a dot is that of a whole kind. The first that fits counts.
///
/// Source: X's pricing page (<https://docs.x.com/x-api/getting-started/pricing>) for events of the X Activity API on
/// pay-per-use, as of 22 August 2026. X charges an event once in a UTC day, which it calls a soft guarantee, so a sum of
/// these is an upper bound. What is not here has no published price: likes, broadcasts and revocations, and whatever
/// Account Activity and filtered streams send, which are sold by contract.
const PRICES: &[(&str, u32)] = &[
    ("post.delete", 0),
    ("post.", 5_000),
    ("follow.", 10_000),
    ("dm.received", 10_000),
    ("dm.sent", 0),
    ("dm.read", 0),
    ("dm.indicate_typing", 0),
    ("chat.received", 10_000),
    ("chat.sent", 0),
    ("mute.", 1_000),
    ("block.", 1_000),
    ("profile.", 5_000),
    ("news.", 5_000),
    ("spaces.", 5_000),
];

impl Cost {
    /// The price of an event of the X Activity API by its event type; `None` where X publishes none.
    #[must_use]
    pub fn of(event_type: &str) -> Option<Self> {
        let fits = |name: &str| event_type == name || (name.ends_with('.') && event_type.starts_with(name));
        PRICES
            .iter()
            .find(|(name, _)| fits(name))
            .map(|(_, micro_dollars)| Self { micro_dollars: *micro_dollars })
    }
}

/// `$0.005`, to as many digits as there are.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.micro_dollars / 1_000_000, self.micro_dollars % 1_000_000);
        let digits = format!("{rest:06}");
        match digits.trim_end_matches('0') {
            "" => write!(f, "${dollars}"),
            digits => write!(f, "${dollars}.{digits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_costs_what_its_type_says() {
        for (event_type, price) in [
            ("post.create", Some("$0.005")),
            ("post.mention.create", Some("$0.005")),
            ("post.delete", Some("$0")),
            ("follow.unfollow", Some("$0.01")),
            ("dm.received", Some("$0.01")),
            ("dm.read", Some("$0")),
            ("mute.unmute", Some("$0.001")),
            ("profile.update.bio", Some("$0.005")),
            ("news.new", Some("$0.005")),
            ("like.create", None),
            ("dm.receivedx", None),
            ("follow_events", None),
            ("post", None),
            ("", None),
        ] {
            assert_eq!(Cost::of(event_type).map(|cost| cost.to_string()).as_deref(), price, "{event_type}");
        }
        assert_eq!(Cost { micro_dollars: 12_345_678 }.to_string(), "$12.345678");
    }
}

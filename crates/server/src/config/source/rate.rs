//! `rate`: how many in how long.

use std::time::Duration;

use super::super::field::{Field, Given};
use super::super::loader::Loader;
use crate::rate::{MOST, Rate};

/// What a `rate` allows; `None` for as many as come.
pub(super) fn read(field: &Field<String>, loader: &Loader<'_>) -> Option<Rate> {
    let given: &Given<String> = field.given()?;
    parse(&given.value).unwrap_or_else(|| {
        loader.report.value(
            &given.span,
            format!(
                "`rate` is \"off\", or how many from 1 to {MOST} in how long: \"10/m\", with s, m, h or d"
            ),
        );
        None
    })
}

/// `10/m`; `Some(None)` for `off`.
fn parse(text: &str) -> Option<Option<Rate>> {
    if text == "off" {
        return Some(None);
    }
    let (most, unit) = text.split_once('/')?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let is_plain = !most.is_empty() && most.bytes().all(|b| b.is_ascii_digit());
    let most = most.parse().ok().filter(|_| is_plain)?;
    Some(Some(Rate::new(most, Duration::from_secs(seconds))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_unit_of_time() {
        let rate = |most, seconds| Some(Rate::new(most, Duration::from_secs(seconds)));
        for (text, expected) in [
            ("off", Some(None)),
            ("10/m", rate(10, 60)),
            ("1/s", rate(1, 1)),
            ("1000/h", rate(1_000, 3_600)),
            ("5/d", rate(5, 86_400)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        for text in [
            "",
            "10",
            "10/",
            "/m",
            "0/m",
            "1001/m",
            "+1/m",
            "-1/m",
            "10/min",
            "10 / m",
            "Off",
            "99999999999/m",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

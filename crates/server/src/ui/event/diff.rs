//! What is different from the event before it: line by line, of the bodies as they are laid out.

use hookhouse_core::StoredEvent;

use super::json;

/// Lines that are compared, at most: the table below is their product.
const MOST: usize = 1_500;

/// Two bodies, compared.
#[derive(Debug)]
pub(in crate::ui) struct Diff {
    pub(in crate::ui) lines: Vec<Line>,
    pub(in crate::ui) same: bool,
    /// Why there is nothing to see.
    pub(in crate::ui) problem: Option<&'static str>,
}

/// A line of either or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Line {
    /// `+` in the later one only, `-` in the earlier one only, a space in both.
    pub(in crate::ui) sign: char,
    pub(in crate::ui) text: String,
}

impl Diff {
    /// What changed from one event to the next.
    pub(in crate::ui) fn between(before: &StoredEvent, after: &StoredEvent) -> Self {
        Self::of(&text(before.body()), &text(after.body()))
    }

    fn of(before: &str, after: &str) -> Self {
        let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
        if before == after {
            return Self { lines: Vec::new(), same: true, problem: None };
        }
        let shared = before.iter().zip(&after).take_while(|(left, right)| left == right).count();
        let (head, before) = before.split_at(shared);
        let after = after.get(shared..).unwrap_or_default();
        let ending =
            before.iter().rev().zip(after.iter().rev()).take_while(|(left, right)| left == right).count();
        let (before, tail) = before.split_at(before.len() - ending);
        let after = after.get(..after.len() - ending).unwrap_or_default();
        if before.len() > MOST || after.len() > MOST {
            let problem = Some("They differ in too many lines to be compared here.");
            return Self { lines: Vec::new(), same: false, problem };
        }
        let both = |text: &&str| Line { sign: ' ', text: (*text).to_owned() };
        let mut lines: Vec<_> = head.iter().map(both).collect();
        lines.extend(changed(before, after));
        lines.extend(tail.iter().map(both));
        Self { lines, same: false, problem: None }
    }
}

/// A body, laid out.
fn text(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if json::problem(body).is_none() => {
            json::tokens(text).into_iter().map(|token| token.text).collect()
        }
        // A form is a line for each field.
        Ok(text) if !text.contains('\n') && text.contains('&') => text.replace('&', "\n"),
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

/// The shortest way from one to the other, by the longest subsequence that both have.
fn changed(before: &[&str], after: &[&str]) -> Vec<Line> {
    let width = after.len() + 1;
    let mut longest = vec![0_u16; (before.len() + 1) * width];
    let at = |table: &[u16], left: usize, right: usize| table.get(left * width + right).copied().unwrap_or(0);
    for (left, one) in before.iter().enumerate().rev() {
        for (right, other) in after.iter().enumerate().rev() {
            let length = if one == other {
                at(&longest, left + 1, right + 1) + 1
            } else {
                at(&longest, left + 1, right).max(at(&longest, left, right + 1))
            };
            if let Some(place) = longest.get_mut(left * width + right) {
                *place = length;
            }
        }
    }
    let mut lines = Vec::new();
    let (mut left, mut right) = (0, 0);
    loop {
        let (sign, text) = match (before.get(left), after.get(right)) {
            (None, None) => return lines,
            (Some(one), Some(other)) if one == other => {
                (left, right) = (left + 1, right + 1);
                (' ', *one)
            }
            (Some(one), other)
                if other.is_none() || at(&longest, left + 1, right) >= at(&longest, left, right + 1) =>
            {
                left += 1;
                ('-', *one)
            }
            (_, Some(other)) => {
                right += 1;
                ('+', *other)
            }
            (Some(one), None) => {
                left += 1;
                ('-', *one)
            }
        };
        lines.push(Line { sign, text: text.to_owned() });
    }
}

#[cfg(test)]
impl Diff {
    pub(in crate::ui) fn specimen(text: &str) -> Self {
        let lines = ['+', '-', ' '].map(|sign| Line { sign, text: text.to_owned() });
        Self { lines: lines.into(), same: false, problem: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(before: &str, after: &str) -> String {
        let diff = Diff::of(before, after);
        diff.lines.iter().map(|line| format!("{}{}\n", line.sign, line.text)).collect()
    }

    #[test]
    fn what_changed_stands_between_what_did_not() {
        let changed = written("{\n a\n b\n c\n}", "{\n a\n x\n c\n d\n}");
        assert_eq!(changed, " {\n  a\n- b\n+ x\n  c\n+ d\n }\n");
        assert!(Diff::of("a\nb", "a\nb").same);
        assert_eq!(written("", "a"), "+a\n");
        assert_eq!(written("a", ""), "-a\n");
    }

    #[test]
    fn bodies_are_compared_as_they_are_laid_out() {
        assert_eq!(text(br#"{"a":1}"#), "{\n  \"a\": 1\n}");
        assert_eq!(text(b"a=1&b=2"), "a=1\nb=2");
        let many = |from: usize| (from..from + 2 * MOST).map(|n| n.to_string() + "\n").collect::<String>();
        assert!(Diff::of(&many(0), &many(1_000_000)).problem.is_some());
    }
}

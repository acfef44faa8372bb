//! What somebody may have meant.

/// The candidate that a word is most likely a slip of: a letter in three may be wrong, missing, doubled or swapped.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or what there is to choose from.
pub(super) fn did_you_mean(word: &str, candidates: &[&str], what: &str) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("{what}: {}", quoted(candidates)),
    }
}

/// "`a`, `b`, `c`".
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let keys = ["consumer_secret", "path", "provider", "x"];
        assert_eq!(nearest("consumer_secrt", keys), Some("consumer_secret"));
        assert_eq!(nearest("Path", keys), Some("path"));
        assert_eq!(nearest("post", ["GET", "POST"]), Some("POST"));
        assert_eq!(nearest("pahts", keys), None);
        assert_eq!(nearest("paht", keys), Some("path"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(did_you_mean("nope", &["a", "b"], "settings"), "settings: `a`, `b`");
    }
}

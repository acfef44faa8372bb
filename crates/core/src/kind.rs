//! Types of events, as searches and filters name them.

/// Whether a type is one of those that are meant. In what is asked for, `*` stands for any text, none included:
/// `post.*` means every type that begins with `post.`. Case counts.
#[must_use]
pub fn is_of_type(wanted: &str, kind: Option<&str>) -> bool {
    let Some(kind) = kind else { return false };
    let Some((begin, rest)) = wanted.split_once('*') else { return kind == wanted };
    let Some(mut left) = kind.strip_prefix(begin) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        // The first place is as good as any later one: what follows has the more left to be found in.
        let Some((_, after)) = left.split_once(piece) else { return false };
        left = after;
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (wanted, kind, expected) in [
            ("post.create", "post.create", true),
            ("post.create", "post.creates", false),
            ("post.create", "Post.create", false),
            ("post.*", "post.create", true),
            ("post.*", "post.", true),
            ("post.*", "post", false),
            ("*", "", true),
            ("*", "anything", true),
            ("*.create", "post.mention.create", true),
            ("*.create", "post.create.x", false),
            ("post.*.create", "post.mention.create", true),
            ("post.*.create", "post.create", false),
            ("*a*b*", "xaxbx", true),
            ("*a*b*", "ba", false),
            ("a**b", "ab", true),
            ("a*a", "a", false),
            ("a*ab*b", "aabb", true),
            ("a*ab*b", "aab", false),
        ] {
            assert_eq!(is_of_type(wanted, Some(kind)), expected, "{wanted} {kind}");
        }
        assert!(!is_of_type("*", None), "what has no type is of none");
    }
}

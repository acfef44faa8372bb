//! The app's key and secret, in the Basic form of `POST /oauth2/token`.

use data_encoding::BASE64;
use hookhouse_core::Secret;

use super::oauth1::percent_encode;

/// What the `Authorization` of the app has to be: both parts URL-encoded first, as X asks for, since `:` divides them.
pub(in crate::x) fn basic(key: &str, secret: &Secret) -> String {
    let secret = percent_encode(secret.expose());
    BASE64.encode(format!("{}:{secret}", percent_encode(key.as_bytes())).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x::tests::vectors;

    #[test]
    fn the_published_value_comes_out() {
        let case = vectors().into_iter().find(|case| case.kind == "app_only_basic_auth").unwrap();
        assert_eq!(basic(&case.input, &Secret::new(case.secret).unwrap()), case.expected);
    }
}

//! Several accounts behind one endpoint: the AccountSid of a request chooses the token, the signature proves it.

use hookhouse_testkit::blackbox::{House, request, send};
use hookhouse_verify::Secret;
use hookhouse_verify::twilio::{Algorithm, sign};

const ONE: (&str, &str) = ("AC00000000000000000000000000000001", "token-of-account-one-0123456789");
const TWO: (&str, &str) = ("AC00000000000000000000000000000002", "token-of-account-two-0123456789");

#[test]
fn each_account_has_its_own_token() {
    let config = format!(
        "[source.sms]\nprovider = \"twilio\"\npath = \"/sms\"\npublic_url = \"https://h.example\"\n\
         accounts = {{ {} = {{ env = \"ONE\" }}, {} = {{ env = \"TWO\" }} }}\n",
        ONE.0, TWO.0
    );
    let house = House::start(&config, &[("ONE", ONE.1), ("TWO", TWO.1)]);
    let post = |sid: &str, token: &str| {
        let body = format!("AccountSid={sid}&MessageSid=SM{}&Body=hi", &sid[2..]);
        let secret = Secret::new(token).unwrap();
        let signature = sign(&secret, Algorithm::HmacSha1, "https://h.example/sms", body.as_bytes());
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-twilio-signature", signature.as_str()),
        ];
        send(house.ingress, &request("POST", "/sms", &headers, body.as_bytes())).status
    };
    assert_eq!(post(ONE.0, ONE.1), 200);
    assert_eq!(post(TWO.0, TWO.1), 200);
    assert_eq!(post(ONE.0, TWO.1), 403, "another account's token");
    assert_eq!(post("AC00000000000000000000000000000003", ONE.1), 403, "an account that is not configured");
    let keys: Vec<_> = house.events().iter().map(|event| event["provenance"]["key"].clone()).collect();
    assert_eq!(keys, [format!("accounts.{}", ONE.0), format!("accounts.{}", TWO.0)]);
}

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderValue;
use http_body_util::Full;
use hyper::body::Frame;

use super::*;

fn now() -> Timestamp {
    "1994-11-06T08:49:00Z".parse().unwrap()
}

fn head(status: u16, retry_after: Option<&'static str>) -> Head {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
    }
    Head::new(StatusCode::from_u16(status).unwrap(), &headers, now())
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[test]
fn any_status_has_its_meaning() {
    use Health as H;
    for (status, delivered, gone, health) in [
        (200, true, false, H::Up),
        (201, true, false, H::Up),
        (204, true, false, H::Up),
        (299, true, false, H::Up),
        (101, false, false, H::Up),
        (301, false, false, H::Up),
        (302, false, false, H::Up),
        (304, false, false, H::Up),
        (307, false, false, H::Up),
        (400, false, false, H::Up),
        (401, false, false, H::Up),
        (404, false, false, H::Up),
        (408, false, false, H::Up),
        (410, false, true, H::Up),
        (422, false, false, H::Up),
        (429, false, false, H::Failing),
        (500, false, false, H::Failing),
        (502, false, false, H::Failing),
        (503, false, false, H::Failing),
        (599, false, false, H::Failing),
        (600, false, false, H::Up),
        (999, false, false, H::Up),
    ] {
        let tried = judge(head(status, None), "words".to_owned(), &End::Whole);
        assert_eq!(
            (tried.outcome.is_delivered(), tried.give_up == Some(DeadReason::Gone), tried.health),
            (delivered, gone, health),
            "{status}"
        );
        if !delivered {
            assert_eq!(tried.outcome, AttemptOutcome::Refused { status, answer: "words".to_owned() });
        }
    }
}

#[test]
fn a_success_counts_only_if_its_answer_ends() {
    let said: Vec<_> = [End::TooLong, End::Broken("connection reset".to_owned()), End::TimedOut]
        .iter()
        .map(|end| match judge(head(200, None), String::new(), end).outcome {
            AttemptOutcome::Failed { error } => error,
            other => panic!("{end:?}: {other:?}"),
        })
        .collect();
    assert_eq!(
        said,
        [
            "answered 200, but with a body of more than 64 KiB",
            "answered 200, but the answer broke off: connection reset",
            "answered 200, but the answer did not end in time",
        ]
    );
    // A refusal is one, however its body ends.
    let tried = judge(head(500, None), "oh".to_owned(), &End::TimedOut);
    assert_eq!(tried.outcome, AttemptOutcome::Refused { status: 500, answer: "oh".to_owned() });
}

#[test]
fn retry_after_is_read_in_seconds_and_as_a_date() {
    let day = 24 * 60 * 60;
    for (value, expected) in [
        ("0", Some(0)),
        ("120", Some(120)),
        (" 7 ", Some(7)),
        ("86400", Some(day)),
        ("86401", Some(day)),
        ("99999999999999999999999999", Some(day)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
        ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
        ("Sat, 06 Nov 2094 08:49:37 GMT", Some(day)),
        ("-1", None),
        ("1.5", None),
        ("+5", None),
        ("", None),
        ("soon", None),
        ("Sunday, 06-Nov-94 08:49:37 GMT", None),
    ] {
        for status in [429, 503] {
            assert_eq!(head(status, Some(value)).retry_after, expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(head(500, Some(value)).retry_after, None);
        assert_eq!(head(200, Some(value)).retry_after, None);
    }
}

#[test]
fn an_excerpt_is_short_and_harmless() {
    let plain = |body: &[u8]| excerpt(&HeaderMap::new(), body);
    assert_eq!(plain(b"  no such thing\r\n"), "no such thing");
    assert_eq!(plain(b"a\x1b[31mred\x07\x9b"), "a [31mred \u{fffd}");
    assert_eq!(plain("left\u{202e}right\u{2066}".as_bytes()), "left right");
    assert_eq!(plain(b""), "");
    for body in [vec![b'a'; 5000], vec![0xff; 5000], "\u{20ac}".repeat(2000).into_bytes()] {
        assert!(plain(&body).len() <= MOST_EXCERPT);
        assert!(plain(&body).len() > MOST_EXCERPT - 4);
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    assert_eq!(excerpt(&headers, &[0x1f, 0x8b, 8]), "(3 bytes of gzip, not decoded)");
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("Identity"));
    assert_eq!(excerpt(&headers, b"plain"), "plain");
}

/// A body that never ends, and counts what was taken of it.
struct Endless<'a>(&'a mut usize);

impl Body for Endless<'_> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        *self.0 += 1000;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'.'; 1000])))))
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_is_read_than_the_bound() {
    let mut taken = 0;
    let (read_bytes, end) = read(Endless(&mut taken), far()).await;
    assert_eq!((read_bytes.len(), end), (MOST_BYTES, End::TooLong));
    assert!(taken <= MOST_BYTES + 1000, "{taken}");
    for (length, expected) in [(0, End::Whole), (MOST_BYTES, End::Whole), (MOST_BYTES + 1, End::TooLong)] {
        let (read_bytes, end) = read(Full::new(Bytes::from(vec![b'.'; length])), far()).await;
        assert_eq!((read_bytes.len(), end), (length.min(MOST_BYTES), expected));
    }
}

#[tokio::test(start_paused = true)]
async fn no_longer_is_read_than_the_deadline() {
    struct Silent;
    impl Body for Silent {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }
    let began = Instant::now();
    let (_, end) = read(Silent, began + Duration::from_secs(10)).await;
    assert_eq!((end, began.elapsed()), (End::TimedOut, Duration::from_secs(10)));
}

#[test]
fn a_length_told_twice_is_noticed() {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
    assert!(!is_ambiguous(&headers));
    headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    assert!(is_ambiguous(&headers));
}

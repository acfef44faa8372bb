use proptest::prelude::*;

use super::*;

/// What is found in a connection's bytes, read in pieces.
fn found<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<(u32, Fault)> {
    let mut wire = Wire::new();
    pieces.into_iter().fold(None, |found, piece| found.or(wire.read(piece)))
}

const PLAIN: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\na\nb\n#";
const CHUNKED: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
    3;x=\"#\"\r\n\n\n\n\r\n00a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    for pieces in [
        vec![PLAIN],
        vec![CHUNKED],
        vec![PLAIN, CHUNKED, PLAIN, CHUNKED],
        vec![b"\r\n\r\n".as_slice(), PLAIN],
        vec![
            b"GET / HTTP/1.1\r\nHost: h\r\nX: #\r\nContent-Length-X: 1\r\nContent-Length-X: 1\r\n\r\n"
                .as_slice(),
        ],
    ] {
        assert_eq!(found(pieces.clone()), None, "{pieces:?}");
    }
}

#[test]
fn what_hyper_mends_is_found_with_the_number_of_its_request() {
    use Fault::{BareLf, Fragment, LengthBesideCoding, LengthTwice, Unclear};
    let zeros = format!("POST / HTTP/1.1\r\nContent-Length: {}1\r\n\r\n", "0".repeat(60));
    for (head, fault) in [
        ("GET / HTTP/1.1\nHost: h\n\n", BareLf),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", BareLf),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", BareLf),
        ("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", BareLf),
        ("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", Fragment),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", LengthTwice),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", LengthBesideCoding),
        ("POST / HTTP/1.1\r\nTRANSFER-ENCODING:chunked\r\nCONTENT-LENGTH:1\r\n\r\n", LengthBesideCoding),
        ("POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", Unclear),
        (zeros.as_str(), Unclear),
    ] {
        assert_eq!(found([head.as_bytes()]), Some((1, fault)), "{head:?}");
        assert_eq!(found([PLAIN, CHUNKED, head.as_bytes(), PLAIN]), Some((3, fault)), "{head:?}");
    }
}

#[test]
fn a_body_that_is_framed_in_a_doubtful_way_is_followed_by_nothing() {
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
    for body in [
        "0x2\nab\r\n0\r\n\r\n",
        "2\nab\r\n0\r\n\r\n",
        "\r\n",
        "x\r\n",
        "fffffffffffffffff\r\n",
        "ffffffffffffffff\r\n",
        "2;a\nb\r\nab\r\n0\r\n\r\n",
        "0\r\nX: a\n\nGET / HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(found([head, body.as_bytes()]), Some((2, Fault::Unclear)), "{body:?}");
    }
}

proptest! {
    /// Where the reads end changes nothing.
    #[test]
    fn pieces_do_not_matter(cuts in prop::collection::vec(0_usize..400, 0..12), bad in any::<bool>()) {
        let mut all = [PLAIN, CHUNKED, PLAIN].concat();
        all.extend_from_slice(if bad { b"GET / HTTP/1.1\r\nHost: h\n\r\n" } else { b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" });
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(all.len())).chain([0, all.len()]).collect();
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &all[ends[0]..ends[1]]);
        prop_assert_eq!(found(pieces), bad.then_some((4, Fault::BareLf)));
    }

    /// Nothing that is sent makes it panic.
    #[test]
    fn anything_can_be_read(pieces in prop::collection::vec("[ -~\r\n:0-9a-f#]{0,80}", 0..20)) {
        let mut wire = Wire::new();
        let mut count = 0;
        for piece in &pieces {
            count += usize::from(wire.read(piece.as_bytes()).is_some());
        }
        prop_assert!(count <= 1);
    }
}

//! Version 2: a head of 16 bytes, addresses, extensions.
//!
//! ```text
//! signature (12)  version and command (1)  family and transport (1)  length (2)  addresses  TLVs
//! ```

use std::net::{IpAddr, SocketAddr};

use super::{ProxyRefused, crc32c};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The length of the head.
const HEAD: usize = 16;

/// The most bytes behind the head. Addresses take 36, and the extensions of real proxies a few hundred.
const LONGEST: usize = 4096;

/// The TLV whose value is the CRC-32C of the whole preamble, with zeros for the value itself.
const TYPE_CRC32C: u8 = 0x03;
/// The TLV that speaks of the client's TLS; after five bytes it is made of TLVs again.
const TYPE_SSL: u8 = 0x20;

/// What a head announces.
#[derive(Debug, Clone, Copy)]
struct Head {
    kind: Kind,
    /// How many bytes are behind the head.
    length: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The proxy's own connection.
    Local,
    /// One whose client the proxy cannot name.
    Unspecified,
    Tcp4,
    Tcp6,
}

/// How many bytes are missing at the end of a preamble that began; zero for a whole one.
pub(super) fn missing(preamble: &[u8]) -> Result<usize, ProxyRefused> {
    match preamble.first_chunk::<HEAD>() {
        None => Ok(HEAD.saturating_sub(preamble.len())),
        Some(head) => Ok((HEAD + Head::parse(head)?.length).saturating_sub(preamble.len())),
    }
}

/// Whom a whole preamble names.
pub(super) fn parse(preamble: &[u8]) -> Result<Option<SocketAddr>, ProxyRefused> {
    let cut_off = ProxyRefused::Malformed("too short for its addresses");
    let Some((head, block)) = preamble.split_first_chunk::<HEAD>() else { return Err(cut_off) };
    let (client, tlvs) = match Head::parse(head)?.kind {
        // "the receiver must […] discard the protocol block including the family which is ignored"
        Kind::Local => return Ok(None),
        Kind::Unspecified => (None, block),
        Kind::Tcp4 => client::<4, 12>(block).ok_or(cut_off)?,
        Kind::Tcp6 => client::<16, 36>(block).ok_or(cut_off)?,
    };
    check_tlvs(preamble, tlvs)?;
    Ok(client)
}

impl Head {
    fn parse(head: &[u8; HEAD]) -> Result<Self, ProxyRefused> {
        let [signature @ .., command, family, high, low] = head;
        if signature != SIGNATURE {
            return Err(ProxyRefused::Missing);
        }
        let kind = match (command, family) {
            (0x20, _) => Kind::Local,
            (0x21, 0x00) => Kind::Unspecified,
            (0x21, 0x11) => Kind::Tcp4,
            (0x21, 0x21) => Kind::Tcp6,
            (0x21, 0x12 | 0x22) => return Err(ProxyRefused::Family("datagrams")),
            (0x21, 0x31 | 0x32) => return Err(ProxyRefused::Family("a UNIX socket")),
            (0x21, _) => return Err(ProxyRefused::Malformed("a family that is not defined")),
            _ => return Err(ProxyRefused::Malformed("a version or command that is not defined")),
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > LONGEST {
            return Err(ProxyRefused::TooLong { most: HEAD + LONGEST });
        }
        Ok(Self { kind, length })
    }
}

/// The source address, and what follows the addresses: source, destination, and their ports in the same order.
fn client<const ADDRESS: usize, const BLOCK: usize>(block: &[u8]) -> Option<(Option<SocketAddr>, &[u8])>
where
    IpAddr: From<[u8; ADDRESS]>,
{
    let (addresses, tlvs) = block.split_first_chunk::<BLOCK>()?;
    let (source, rest) = addresses.split_first_chunk::<ADDRESS>()?;
    let (_, ports) = rest.split_first_chunk::<ADDRESS>()?;
    let port = u16::from_be_bytes(*ports.first_chunk()?);
    Some((Some(SocketAddr::new(IpAddr::from(*source), port)), tlvs))
}

/// Checks that the extensions fill their place exactly, and the checksum where there is one.
fn check_tlvs(preamble: &[u8], tlvs: &[u8]) -> Result<(), ProxyRefused> {
    let mut checked = false;
    let mut rest = tlvs;
    while !rest.is_empty() {
        let (kind, value, after) = tlv(rest)?;
        match kind {
            TYPE_CRC32C => {
                if checked {
                    return Err(ProxyRefused::Malformed("two checksums"));
                }
                checked = true;
                let sent =
                    value.try_into().map_err(|_| ProxyRefused::Malformed("a checksum of another length"))?;
                let before = preamble.len().saturating_sub(after.len() + value.len());
                let before = preamble.get(..before).unwrap_or_default();
                if crc32c::of(&[before, &[0; 4], after]) != u32::from_be_bytes(sent) {
                    return Err(ProxyRefused::Checksum);
                }
            }
            TYPE_SSL => {
                let (_, mut inner) = value
                    .split_first_chunk::<5>()
                    .ok_or(ProxyRefused::Malformed("a short extension for TLS"))?;
                while !inner.is_empty() {
                    (_, _, inner) = tlv(inner)?;
                }
            }
            _ => {}
        }
        rest = after;
    }
    Ok(())
}

/// The type and value of an extension, and what follows it.
fn tlv(text: &[u8]) -> Result<(u8, &[u8], &[u8]), ProxyRefused> {
    let whole = text.split_first_chunk::<3>().and_then(|(&[kind, high, low], rest)| {
        let (value, after) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        Some((kind, value, after))
    });
    whole.ok_or(ProxyRefused::Malformed("an extension that is longer than its place"))
}

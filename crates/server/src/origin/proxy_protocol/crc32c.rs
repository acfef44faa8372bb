//! CRC-32C (Castagnoli), the checksum of RFC 9260 appendix A. One short text per connection: a table does, and an extra
//! dependency with processor-specific code does not pay. (`crc32fast` is another polynomial.)

/// The checksum of several pieces, one after the other.
pub(super) fn of(pieces: &[&[u8]]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
        (crc >> 8) ^ TABLE.get(usize::from(low)).copied().unwrap_or_default()
    };
    !pieces.iter().copied().flatten().fold(!0, step)
}

/// What a byte does to the remainder.
const TABLE: [u32; 256] = table();

/// The polynomial 0x1EDC6F41, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { (remainder >> 1) ^ POLYNOMIAL } else { remainder >> 1 };
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the algorithm, and the test vectors of RFC 3720 section B.4.
    #[test]
    fn published_values() {
        assert_eq!(of(&[b"123456789"]), 0xe306_9283);
        assert_eq!(of(&[b"1234", b"", b"56789"]), 0xe306_9283);
        assert_eq!(of(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(of(&[&[0xff; 32]]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(of(&[&ascending]), 0x46dd_794e);
        assert_eq!(of(&[]), 0);
    }
}

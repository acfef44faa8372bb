//! The events that a destination owes an answer for, as the row of its consumer lists them.

use std::collections::BTreeSet;

/// Sequences in order as LEB128 differences.
pub(crate) fn write_owed(sequences: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = 0;
    for sequence in sequences {
        let mut rest = sequence - last;
        last = sequence;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// The sequences that [`write_owed`] wrote.
pub(crate) fn read_owed(bytes: &[u8]) -> BTreeSet<u64> {
    let mut sequences = BTreeSet::new();
    let (mut last, mut value, mut shift) = (0_u64, 0_u64, 0);
    for byte in bytes {
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            last = last.saturating_add(value);
            sequences.insert(last);
            (value, shift) = (0, 0);
        } else {
            shift += 7;
        }
    }
    sequences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owed_events_read_back() {
        for sequences in [vec![], vec![1], vec![127, 128, 129, 16_384, 1 << 50, u64::MAX]] {
            let written = write_owed(sequences.iter().copied());
            assert_eq!(read_owed(&written).into_iter().collect::<Vec<_>>(), sequences);
        }
    }

    #[test]
    fn a_broken_list_does_not_panic() {
        for bytes in [&[0x80; 40][..], &[0xff; 11], &[0x80]] {
            let _ = read_owed(bytes);
        }
    }
}

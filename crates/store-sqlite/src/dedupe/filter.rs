//! A Bloom filter in blocks of one cache line.
//!
//! Keys are digests, so their bits serve as hashes: the high half chooses the block, in key order, and the low half
//! chooses seven of its 512 bits. Twelve bits for each key leave well under two false alarms in a hundred.

/// Bits for each key: 1.5 MB for a million.
const BITS_PER_KEY: usize = 12;

/// Words of a block.
const WORDS: usize = 8;

/// Bits that a key sets.
const PROBES: u32 = 7;

/// Says "certainly not" or "perhaps".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty filter for so many keys.
    pub(super) fn new(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(WORDS * 64).max(1);
        Self { words: vec![0; blocks * WORDS] }
    }

    pub(super) fn insert(&mut self, key: u128) {
        let block = self.block(key);
        if let Some(words) = self.words.get_mut(block..block + WORDS) {
            for bit in probes(key) {
                words[bit / 64] |= 1 << (bit % 64);
            }
        }
    }

    /// Whether the key may have been inserted. Never false for one that was.
    pub(super) fn may_hold(&self, key: u128) -> bool {
        let block = self.block(key);
        self.words
            .get(block..block + WORDS)
            .is_some_and(|words| probes(key).all(|bit| words[bit / 64] & (1 << (bit % 64)) != 0))
    }

    /// The first word of a key's block.
    fn block(&self, key: u128) -> usize {
        let blocks = (self.words.len() / WORDS) as u128;
        let high = key >> 64;
        ((high * blocks) >> 64) as usize * WORDS
    }

    /// The filter in parts of at most `bytes` bytes.
    pub(super) fn parts(&self, bytes: usize) -> impl Iterator<Item = Vec<u8>> {
        self.words
            .chunks((bytes / 8).max(1))
            .map(|words| words.iter().flat_map(|word| word.to_le_bytes()).collect())
    }

    /// A filter from its parts; `None` where they are not whole blocks.
    pub(super) fn from_parts(parts: &[Vec<u8>]) -> Option<Self> {
        let mut words = Vec::with_capacity(parts.iter().map(Vec::len).sum::<usize>() / 8);
        for part in parts {
            let (chunks, rest) = part.as_chunks::<8>();
            words.extend(chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)));
            if !rest.is_empty() {
                return None;
            }
        }
        (!words.is_empty() && words.len() % WORDS == 0).then_some(Self { words })
    }
}

/// The bits of a key in its block: nine bits of it for each.
fn probes(key: u128) -> impl Iterator<Item = usize> {
    let low = key as u64;
    (0..PROBES).map(move |probe| (low >> (probe * 9)) as usize & 511)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;

    use super::*;

    fn key(n: u32) -> u128 {
        let digest = digest::digest(&digest::SHA256, &n.to_le_bytes());
        u128::from_be_bytes(digest.as_ref()[..16].try_into().unwrap())
    }

    #[test]
    fn it_never_denies_a_key_and_seldom_suspects_a_stranger() {
        let mut filter = Filter::new(20_000);
        (0..20_000).for_each(|n| filter.insert(key(n)));
        assert!((0..20_000).all(|n| filter.may_hold(key(n))));
        let alarms = (20_000..70_000).filter(|n| filter.may_hold(key(*n))).count();
        assert!(alarms < 1_000, "{alarms} of 50,000 strangers");
    }

    #[test]
    fn it_reads_back_from_its_parts() {
        let mut filter = Filter::new(1000);
        (0..1000).for_each(|n| filter.insert(key(n)));
        let parts: Vec<_> = filter.parts(100).collect();
        assert_eq!(Filter::from_parts(&parts), Some(filter));
        assert_eq!(Filter::from_parts(&[]), None);
        assert_eq!(Filter::from_parts(&[vec![0; 65]]), None);
        assert_eq!(Filter::from_parts(&[vec![0; 8]]), None);
    }

    #[test]
    fn a_filter_for_no_keys_denies_all() {
        assert!(!Filter::new(0).may_hold(key(1)));
    }
}

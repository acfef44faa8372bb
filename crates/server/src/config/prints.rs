//! Fingerprints of sections: what tells whether a source or a destination is another one after a reload.
//!
//! A print covers the section as it is written, what the sections around it lend to it, and the bytes of every secret
//! and file that it leads to, so that a secret which was replaced in its file is a change. It is a digest of long random
//! secrets, is compared and nothing else, and is shown to nobody.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use toml::de::DeValue;

use super::effective::plain;
use super::loader::Loader;

/// What a section was, for comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print([u8; 32]);

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[print]")
    }
}

/// The prints of sources and destinations, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prints {
    pub(crate) sources: BTreeMap<String, Print>,
    pub(crate) destinations: BTreeMap<String, Print>,
}

impl Loader<'_> {
    /// Notes that a section depends on these bytes.
    pub(super) fn depends_on(&self, bytes: &[u8]) {
        self.read.borrow_mut().push(digest(&SHA256, bytes));
    }

    /// The print of what was read since the last one; `around` is what other sections lend.
    pub(super) fn print(&self, section: &DeValue<'_>, around: &str) -> Print {
        let read: Vec<Digest> = self.read.take();
        let mut context = Context::new(&SHA256);
        // Neither text has a zero byte: TOML allows none, and JSON escapes it.
        for text in [plain(section).to_string().as_str(), around] {
            context.update(text.as_bytes());
            context.update(&[0]);
        }
        read.iter().for_each(|digest| context.update(digest.as_ref()));
        let mut print = [0; 32];
        print.copy_from_slice(context.finish().as_ref());
        Print(print)
    }
}

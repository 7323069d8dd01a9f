//! SHA-256, each step of it once in the module: what its crate inlines at every call is most of a kilobyte.

use core::mem;

use sha2::{Digest, Sha256};

/// The hash of what was put in so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Hash(Sha256);

impl Hash {
    #[inline(never)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// A part of a list: behind its length, so that no two lists have the same bytes.
    #[inline(never)]
    pub(super) fn part(&mut self, part: &[u8]) {
        self.put(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.put(part);
    }

    /// What it is. Then nothing was put in.
    #[inline(never)]
    pub(super) fn take(&mut self) -> [u8; 32] {
        mem::take(&mut self.0).finalize().into()
    }
}

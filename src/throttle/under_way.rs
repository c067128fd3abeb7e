//! Guesses of this server that are counted and not settled yet.
//!
//! A counter does not tell failures from guesses that wait for the hasher. A success that forgot both would let as many
//! more in as wait already.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kernel::token::Digest;

/// How many guesses there are under each key. Clones are one table; it has no entry for a key without guesses.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashMap<[u8; 32], usize>>>);

/// A guess in the table, until it is settled or dropped.
#[derive(Debug)]
pub(super) struct Entry {
    table: UnderWay,
    key: Mutex<Option<[u8; 32]>>,
}

impl UnderWay {
    /// Enters a guess. Do so before other guesses can read its count.
    #[must_use]
    pub(super) fn enter(&self, key: &Digest) -> Entry {
        let key = *key.as_bytes();
        *self.table().entry(key).or_default() += 1;
        Entry { table: self.clone(), key: Mutex::new(Some(key)) }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<[u8; 32], usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Takes the guess out of the table and returns whether it was the last under its key. Do so while the key's counter is
    /// held.
    pub(super) fn settle(&self) -> bool {
        let Some(key) = self.key.lock().unwrap_or_else(PoisonError::into_inner).take() else { return false };
        let mut table = self.table.table();
        let others = table.get(&key).map_or(0, |guesses| guesses - 1);
        if others == 0 {
            table.remove(&key)
        } else {
            table.insert(key, others)
        };
        others == 0
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.settle();
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnderWay").field(&self.table().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_guess_under_a_key_is_told_so_and_leaves_no_entry() {
        let (table, key, other) = (UnderWay::default(), Digest::of("1"), Digest::of("2"));
        let (first, second, elsewhere) = (table.enter(&key), table.enter(&key), table.enter(&other));
        assert!(!first.settle());
        assert!(!first.settle(), "it is in the table once");
        let third = table.enter(&key);
        drop(second); // Its caller hung up, or it was wrong.
        assert!(third.settle() && elsewhere.settle());
        assert!(table.table().is_empty());
    }
}

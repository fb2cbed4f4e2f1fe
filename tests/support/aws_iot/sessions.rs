//! What the gateway knows across connections.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::quirks::Withheld;

/// Sessions by their client identifiers, and what is still to be kept back.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    filters: BTreeMap<String, Vec<String>>,
    connects: BTreeMap<String, Instant>,
    withheld: Withheld,
}

impl Sessions {
    /// Keeps these answers back from now on.
    pub(super) fn set_withheld(&self, withheld: Withheld) {
        self.table().withheld = withheld;
    }

    /// Whether one more answer of a kind is kept back.
    pub(super) fn withhold(&self, kind: impl FnOnce(&mut Withheld) -> &mut usize) -> bool {
        let mut table = self.table();
        let left = kind(&mut table.withheld);
        let some = *left > 0;
        *left = left.saturating_sub(1);
        some
    }

    /// Whether a client may connect now, after the last time that it did.
    pub(super) fn connect(&self, client_id: &str, interval: Option<Duration>) -> bool {
        let now = Instant::now();
        let last = self.table().connects.insert(client_id.to_owned(), now);
        last.zip(interval).is_none_or(|(last, interval)| now - last >= interval)
    }

    pub(super) fn forget(&self, client_id: &str) {
        self.table().filters.remove(client_id);
    }

    /// Adds filters, and says how many there are then.
    pub(super) fn subscribe(&self, client_id: &str, filters: &[(String, u8)]) -> usize {
        let mut table = self.table();
        let known = table.filters.entry(client_id.to_owned()).or_default();
        for (filter, _) in filters {
            if !known.contains(filter) {
                known.push(filter.clone());
            }
        }
        known.len()
    }

    pub(super) fn unsubscribe(&self, client_id: &str, filters: &[String]) {
        if let Some(known) = self.table().filters.get_mut(client_id) {
            known.retain(|filter| !filters.contains(filter));
        }
    }

    pub(super) fn filters(&self, client_id: &str) -> Vec<String> {
        self.table().filters.get(client_id).cloned().unwrap_or_default()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

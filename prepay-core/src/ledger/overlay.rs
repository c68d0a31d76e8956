//! Values on top of a map, without allocation while they are few.

use alloc::collections::BTreeMap;

/// The first `FEW` values stand in line, because a batch is nearly always short; the rest in a sorted map.
pub(super) struct Overlay<K, V, const FEW: usize> {
    few: [Option<(K, V)>; FEW],
    many: BTreeMap<K, V>,
}

impl<K: Copy + Ord, V: Copy, const FEW: usize> Default for Overlay<K, V, FEW> {
    fn default() -> Self {
        Self { few: [None; FEW], many: BTreeMap::new() }
    }
}

impl<K: Copy + Ord, V: Copy, const FEW: usize> Overlay<K, V, FEW> {
    pub(super) fn get(&self, key: K) -> Option<V> {
        let near = self.few.iter().flatten().find(|(known, _)| *known == key);
        near.map(|(_, value)| *value).or_else(|| self.many.get(&key).copied())
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        // The line fills from its front and nothing is taken out: a free place means that the key is not further on.
        let place = self.few.iter_mut().find(|place| place.is_none_or(|(known, _)| known == key));
        match place {
            Some(place) => *place = Some((key, value)),
            None => drop(self.many.insert(key, value)),
        }
    }

    pub(super) fn into_pairs(self) -> impl Iterator<Item = (K, V)> {
        self.few.into_iter().flatten().chain(self.many)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is inserted, it reads as a plain map does.
        #[test]
        fn it_is_a_map(inserts in prop::collection::vec((0_u8..8, any::<u16>()), 0..40)) {
            let (mut overlay, mut map) = (Overlay::<u8, u16, 3>::default(), BTreeMap::new());
            for (key, value) in inserts {
                overlay.insert(key, value);
                map.insert(key, value);
                for key in 0..8 {
                    prop_assert_eq!(overlay.get(key), map.get(&key).copied());
                }
            }
            let mut pairs: alloc::vec::Vec<_> = overlay.into_pairs().collect();
            pairs.sort_unstable();
            prop_assert_eq!(pairs, map.into_iter().collect::<alloc::vec::Vec<_>>());
        }
    }
}

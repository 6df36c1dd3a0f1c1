//! Events whose name has wildcards: `shop_*_click`. A `*` stands for one or more characters.
//!
//! Among those that match, the one with the most characters beside its wildcards counts, then the
//! one with fewer wildcards, then the alphabet. They are found by what stands before the first
//! wildcard, so that a thousand of them cost little more than one.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// The names with wildcards.
#[derive(Debug, Default)]
pub(super) struct Wildcards {
    /// The most specific first.
    patterns: Vec<Pattern>,
    /// By the text before the first wildcard: which patterns, in order.
    by_prefix: HashMap<Box<str>, Vec<u32>, RandomState>,
    /// The lengths that such texts have.
    lengths: Vec<usize>,
}

#[derive(Debug)]
struct Pattern {
    parts: Vec<Box<str>>,
    event: u32,
}

impl Wildcards {
    /// Whether a name has wildcards.
    pub(super) fn is(name: &str) -> bool {
        name.contains('*')
    }

    /// From names with wildcards, each with the index of its event.
    pub(super) fn new(mut names: Vec<(String, u32)>) -> Self {
        names.sort_by_cached_key(|(name, _)| {
            let stars = name.matches('*').count();
            let literal = name.chars().count() - stars;
            (std::cmp::Reverse(literal), stars, name.clone())
        });
        let mut wildcards = Self::default();
        for (name, event) in names {
            let parts: Vec<Box<str>> = name.split('*').map(Into::into).collect();
            let rank = u32::try_from(wildcards.patterns.len()).unwrap_or(u32::MAX);
            if !wildcards.lengths.contains(&parts[0].len()) {
                wildcards.lengths.push(parts[0].len());
            }
            let same = wildcards.by_prefix.entry(parts[0].clone()).or_default();
            same.push(rank);
            wildcards.patterns.push(Pattern { parts, event });
        }
        wildcards
    }

    /// The event of the most specific pattern that matches.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let found = |length: &usize| {
            let ranks = self.by_prefix.get(name.get(..*length)?)?;
            let matching = |rank: &&u32| self.patterns[**rank as usize].matches(name);
            ranks.iter().find(matching)
        };
        let best = self.lengths.iter().filter_map(found).min()?;
        Some(self.patterns[*best as usize].event)
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.parts.split_first() else {
            return false;
        };
        let (Some(mut left), Some((last, between))) =
            (name.strip_prefix(&**first), rest.split_last())
        else {
            return false;
        };
        for part in between {
            let Some(found) = after_one(left).and_then(|left| left.split_once(&**part)) else {
                return false;
            };
            left = found.1;
        }
        after_one(left).is_some_and(|left| left.ends_with(&**last))
    }
}

/// What follows the first character: a wildcard stands for at least one.
fn after_one(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().map(|_| chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_wildcard_counts() {
        let names = [
            "*",
            "shop_*",
            "shop_*_click",
            "shop_*_*",
            "*_click",
            "a*b*c",
        ];
        let numbered = (0u32..).zip(names).map(|(at, name)| (name.to_owned(), at));
        let wildcards = Wildcards::new(numbered.collect());
        let found = |name| wildcards.find(name).map(|event| names[event as usize]);
        assert_eq!(found("shop_cart_click"), Some("shop_*_click"));
        assert_eq!(found("shop_cart_view"), Some("shop_*_*"));
        assert_eq!(found("shop_x"), Some("shop_*"));
        assert_eq!(found("shop_"), Some("*"));
        assert_eq!(found("my_click"), Some("*_click"));
        assert_eq!(found("a1b2bc3c"), Some("a*b*c"));
        assert_eq!(found("abbc"), Some("*"));
        assert_eq!(found(""), None);
        assert_eq!(found("é"), Some("*"));
    }
}

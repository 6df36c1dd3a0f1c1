//! Names that clients choose (events and properties that no catalog lists) may hold anything: the
//! address of a person, the number of a device. Those that are words are told; of the others only
//! the shape is.

use std::borrow::Cow;

use crate::pipeline::validate::masked;

/// Most characters of a name.
const MOST: usize = 64;
/// Most digits of a name that is still words: a version or a size, no number of anything.
const DIGITS: usize = 3;

/// A name if it is words, such as `page_view2`; else its shape, every letter as `x` and every digit as
/// `9`.
pub(super) fn legible(name: &str) -> Cow<'_, str> {
    let word = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.' | ':' | '/' | ' ');
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let other = name.chars().any(|c| !word(c) && !c.is_ascii_digit());
    if !other && digits <= DIGITS && name.len() <= MOST {
        return Cow::Borrowed(name);
    }
    Cow::Owned(masked(name, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_and_identifiers_are_not() {
        for told in ["page_view2", "shop-item:click", "Purchase Done", "v1.25"] {
            assert_eq!(legible(told), told);
        }
        for (hidden, shape) in [
            ("867530912345678", "999999999999999"),
            ("anne@example.org", "xxxx@xxxxxxx.xxx"),
            ("click_13812345678", "xxxxx_99999999999"),
            ("3f2a91c0d4e5", "9x9x99x9x9x9"),
            ("Änne", "xxxx"),
        ] {
            assert_eq!(legible(hidden), shape);
        }
        assert_eq!(legible(&"a".repeat(500)).chars().count(), MOST + 1);
    }
}

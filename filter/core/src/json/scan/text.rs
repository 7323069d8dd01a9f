//! The grammar of a JSON string behind its opening quote, byte by byte, and the fast path over what is plain.

use super::Fault;

/// Where in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    Plain,
    Escape,
    /// Hexadecimal digits still to come.
    Unicode(u8),
    /// Continuation bytes still to come, and what the next one may be (RFC 3629, table 3-7 of Unicode).
    Utf8 {
        left: u8,
        low: u8,
        high: u8,
    },
}

impl Inside {
    /// Where after one more byte; `None` where it is the closing quote.
    pub(super) fn next(self, byte: u8) -> Result<Option<Self>, Fault> {
        Ok(Some(match (self, byte) {
            (Self::Plain, b'"') => return Ok(None),
            (Self::Plain, b'\\') => Self::Escape,
            (Self::Plain, 0x20..=0x7f) | (Self::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                Self::Plain
            }
            (Self::Plain, 0x80..) => utf8_lead(byte).ok_or(Fault::Utf8)?,
            (Self::Escape, b'u') => Self::Unicode(4),
            (Self::Unicode(left), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => match left {
                0 | 1 => Self::Plain,
                _ => Self::Unicode(left.saturating_sub(1)),
            },
            (Self::Plain | Self::Escape | Self::Unicode(_), _) => return Err(Fault::Syntax),
            (Self::Utf8 { left, low, high }, _) if (low..=high).contains(&byte) => match left {
                0 | 1 => Self::Plain,
                _ => Self::Utf8 { left: left.saturating_sub(1), low: 0x80, high: 0xbf },
            },
            (Self::Utf8 { .. }, _) => return Err(Fault::Utf8),
        }))
    }
}

fn utf8_lead(byte: u8) -> Option<Inside> {
    let (left, low, high) = match byte {
        0xc2..=0xdf => (1, 0x80, 0xbf),
        0xe0 => (2, 0xa0, 0xbf),
        0xe1..=0xec | 0xee | 0xef => (2, 0x80, 0xbf),
        0xed => (2, 0x80, 0x9f),
        0xf0 => (3, 0x90, 0xbf),
        0xf1..=0xf3 => (3, 0x80, 0xbf),
        0xf4 => (3, 0x80, 0x8f),
        _ => return None,
    };
    Some(Inside::Utf8 { left, low, high })
}

/// What is left of `bytes`, which begin inside a string, from the first byte on that takes a closer look: what ends the string,
/// what is not valid in it, what the piece cuts, and what is rare.
pub(super) fn skip_common(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    loop {
        let left = skip_plain(rest);
        rest = match left {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', after @ ..]
            | [0xc2..=0xdf, 0x80..=0xbf, after @ ..]
            | [0xe1..=0xec | 0xee | 0xef, 0x80..=0xbf, 0x80..=0xbf, after @ ..] => after,
            _ => return left,
        };
    }
}

/// Ordinary ASCII text: what is left of `bytes` from the first byte on that is something else.
fn skip_plain(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    // Most names end in the first word.
    if let Some((word, after)) = rest.split_first_chunk::<8>() {
        if let Some(plain) = plain_before_other(*word) {
            return rest.get(plain..).unwrap_or_default();
        }
        rest = after;
    }
    while let Some((block, after)) = rest.split_first_chunk::<32>() {
        if !is_plain_block(block) {
            break;
        }
        rest = after;
    }
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        if let Some(plain) = plain_before_other(*word) {
            return rest.get(plain..).unwrap_or_default();
        }
        rest = after;
    }
    let plain = rest.iter().take_while(|&&byte| is_plain(byte)).count();
    rest.get(plain..).unwrap_or_default()
}

/// No early exit, no boolean, and a signed comparison that takes everything beyond ASCII for a control character: of this form,
/// at this size, the compiler makes ten vector instructions for wasm. Of `all(is_plain)` it makes ten times as many, which take a
/// lane at a time.
fn is_plain_block(block: &[u8; 32]) -> bool {
    let other = |byte: u8| u8::from(byte.cast_signed() < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    block.iter().fold(0, |found, &byte| found | other(byte)) == 0
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// How many of the bytes are plain before the first that is not; `None` where all are.
///
/// Eight bytes at a time ("Bit Twiddling Hacks", determine if a word has a byte less than n, or equal to n). A borrow may mark
/// bytes wrongly, but only behind one that is marked rightly, and the first one counts.
fn plain_before_other(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    let word = u64::from_le_bytes(word);
    let less = |word: u64, than: u8| word.wrapping_sub(ONES.wrapping_mul(than.into())) & !word;
    let equal = |byte: u8| less(word ^ ONES.wrapping_mul(byte.into()), 1);
    let other = (less(word, 0x20) | equal(b'"') | equal(b'\\') | word) & ONES.wrapping_mul(0x80);
    (other != 0).then(|| usize::try_from(other.trailing_zeros() / 8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// How far the byte-by-byte grammar comes before it is not between two characters any more for good.
    fn end_of_text(bytes: &[u8]) -> usize {
        let (mut inside, mut between) = (Inside::Plain, 0);
        for (index, &byte) in bytes.iter().enumerate() {
            match inside.next(byte) {
                Ok(Some(next)) => inside = next,
                Ok(None) | Err(_) => break,
            }
            if inside == Inside::Plain {
                between = index.saturating_add(1);
            }
        }
        between
    }

    fn some_byte() -> impl Strategy<Value = u8> {
        prop_oneof![8 => 0x20_u8..0x7f, 1 => Just(b'\\'), 1 => Just(b'n'), 1 => any::<u8>()]
    }

    proptest! {
        #[test]
        fn the_fast_path_passes_nothing_that_the_grammar_does_not(
            text in proptest::collection::vec(some_byte(), 0..200),
            accented in "[a-zäß漢字 ]{0,80}",
        ) {
            for bytes in [text, accented.into_bytes()] {
                let skipped = bytes.len().saturating_sub(skip_common(&bytes).len());
                prop_assert!(skipped <= end_of_text(&bytes));
                let plain: Vec<u8> = bytes.iter().copied().take_while(|&byte| is_plain(byte)).collect();
                prop_assert_eq!(bytes.len().saturating_sub(skip_plain(&bytes).len()), plain.len());
            }
        }
    }

    #[test]
    fn ordinary_text_is_skipped_to_its_end() {
        let text = r#"Plain words, a \n line end, a \" quote, a café, 漢字, and a long tail of plain words again."#;
        assert_eq!(skip_common([text, "\""].concat().as_bytes()), b"\"");
        assert_eq!(skip_common(b"\\u00e9"), b"\\u00e9");
        assert_eq!(skip_common(b"cut \\"), b"\\");
    }
}

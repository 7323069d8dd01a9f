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

/// As many bytes as are looked at one by one before they are in blocks.
const SHORT: usize = 12;

/// Whether a byte is ordinary ASCII text inside a string.
fn is_plain(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// What is left of `bytes` from the first byte on that is not plain.
pub(super) fn skip_plain(bytes: &[u8]) -> &[u8] {
    // Names are short, and a block that is not plain as a whole would be looked at twice.
    let (opening, mut rest) = bytes.split_at_checked(SHORT).unwrap_or((bytes, &[]));
    let plain = count_plain(opening);
    if plain < opening.len() {
        return bytes.get(plain..).unwrap_or_default();
    }
    while let Some((block, after)) = rest.split_first_chunk::<32>() {
        // No early exit inside the block: the whole test becomes a few vector instructions.
        if !block.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
            break;
        }
        rest = after;
    }
    rest.get(count_plain(rest)..).unwrap_or_default()
}

fn count_plain(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| is_plain(byte)).count()
}

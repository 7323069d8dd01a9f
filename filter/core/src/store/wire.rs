//! Bytes of a record: numbers of fixed width, little end first, and texts behind their length.
//!
//! Not JSON: a record is read and written on the way of requests.

use alloc::vec::Vec;

/// The bit of a byte that says that more of a number follow.
const MORE: u8 = 0x80;

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

/// Bytes that are being read.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Writer {
    pub(crate) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A number in as many bytes as it needs: seven bits each, the last ones first, and one that says whether more follow.
    pub(crate) fn short(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.u8(low & !MORE);
            }
            self.u8(low | MORE);
        }
    }

    /// A text of any length that a record has.
    pub(crate) fn long_text(&mut self, text: &str) {
        self.short(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A text, cut where it is longer than a length can say.
    pub(crate) fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        self.u8(length);
        self.0.extend(bytes.iter().take(length.into()));
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// See [`Writer::short`]. One that is longer than any that is written is none.
    pub(crate) fn short(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & !MORE) << shift;
            if byte & MORE == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn long_text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.short()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.u8()?;
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_as_many_bytes_as_it_needs_and_nonsense_is_none() {
        for (number, bytes) in [(0, 1), (1, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX, 10)] {
            let mut writer = Writer::default();
            writer.short(number);
            assert_eq!(writer.0.len(), bytes, "{number}");
            let mut reader = Reader(&writer.0);
            assert_eq!((reader.short(), reader.is_at_end()), (Some(number), true));
            assert_eq!(Reader(&writer.0[..bytes - 1]).short(), None);
        }
        assert_eq!(Reader(&[0xff; 11]).short(), None);
        let mut writer = Writer::default();
        writer.long_text("some text");
        assert_eq!(Reader(&writer.0).long_text(), Some("some text"));
        assert_eq!(Reader(&[200, 1, b'a']).long_text(), None);
    }
}

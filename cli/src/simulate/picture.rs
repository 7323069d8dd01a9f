//! A picture: one pixel, whose colour the prompt decides, as PNG.
//!
//! Small enough for a test to print, a valid file for every decoder, and another one for another prompt.

use sha2::{Digest as _, Sha256};

use super::gzip::crc32;

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
/// One by one, eight bits each of red, green and blue.
const HEADER: [u8; 13] = [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0];
/// A zlib stream of one stored block of four bytes.
const STORED: [u8; 7] = [0x78, 0x01, 1, 4, 0, 0xfb, 0xff];

/// The picture of a prompt; of several, the one with this index.
pub(super) fn draw(prompt: &str, index: usize) -> Vec<u8> {
    let digest = Sha256::digest(format!("{index} {prompt}"));
    let mut row = [0; 4];
    for (sample, byte) in row.iter_mut().skip(1).zip(digest) {
        *sample = byte;
    }
    let data = [STORED.as_slice(), &row, &adler32(&row)].concat();
    let chunks = [chunk(*b"IHDR", &HEADER), chunk(*b"IDAT", &data), chunk(*b"IEND", &[])];
    [SIGNATURE.to_vec(), chunks.concat()].concat()
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(0).to_be_bytes();
    let summed = [kind.as_slice(), data].concat();
    [length.as_slice(), &summed, &(!crc32(u32::MAX, &summed)).to_be_bytes()].concat()
}

fn adler32(bytes: &[u8]) -> [u8; 4] {
    let mut sums = (1_u32, 0_u32);
    for byte in bytes {
        sums.0 = sums.0.wrapping_add(u32::from(*byte)) % 65_521;
        sums.1 = sums.1.wrapping_add(sums.0) % 65_521;
    }
    (sums.1 << 16 | sums.0).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(adler32(b"Wikipedia"), [0x11, 0xe6, 0x03, 0x98]);
    }

    #[test]
    fn a_picture_is_its_prompts_and_its_indexs() {
        let picture = draw("a fox", 0);
        assert!(picture.starts_with(&SIGNATURE) && picture.ends_with(&[0xae, 0x42, 0x60, 0x82]));
        assert_eq!(picture, draw("a fox", 0));
        assert!(picture != draw("a fox", 1) && picture != draw("a dog", 0));
    }
}

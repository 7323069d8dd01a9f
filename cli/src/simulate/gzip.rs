//! A gzip container around stored blocks: valid for every decoder, without a compressor in the build.
//!
//! The simulated provider needs a body that says `content-encoding: gzip` and is it, piece by piece so that a stream
//! stays one. Its size is nobody's concern.

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// The pieces as one gzip file in as many pieces, plus one that ends it.
pub(super) fn gzip<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Vec<Vec<u8>> {
    let mut crc = u32::MAX;
    let mut length = 0_u32;
    let mut lead = HEADER.to_vec();
    let mut file = Vec::new();
    for piece in pieces {
        crc = crc32(crc, piece);
        // Modulo 2^32, as the format wants it.
        length = piece.iter().fold(length, |length, _| length.wrapping_add(1));
        let mut blocks = std::mem::take(&mut lead);
        for block in piece.chunks(usize::from(u16::MAX)) {
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            blocks.push(0);
            blocks.extend(length.to_le_bytes());
            blocks.extend((!length).to_le_bytes());
            blocks.extend_from_slice(block);
        }
        file.push(blocks);
    }
    lead.extend(LAST_BLOCK);
    lead.extend((!crc).to_le_bytes());
    lead.extend(length.to_le_bytes());
    file.push(lead);
    file
}

pub(super) fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let shift = |crc: u32| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    bytes.iter().fold(crc, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(!crc32(u32::MAX, b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_small_file_is_laid_out_as_rfc_1952_says() {
        let file = gzip([b"ab".as_slice(), b"c"].into_iter());
        assert_eq!(file[0][10..], [0, 2, 0, 0xfd, 0xff, b'a', b'b']);
        assert_eq!(file[1], [0, 1, 0, 0xfe, 0xff, b'c']);
        assert_eq!(file[2], [1, 0, 0, 0xff, 0xff, 0xc2, 0x41, 0x24, 0x35, 3, 0, 0, 0]);
    }

    #[test]
    fn a_large_piece_takes_several_blocks() {
        assert_eq!(gzip([vec![b'x'; 140_000].as_slice()].into_iter())[0].len(), 10 + 140_000 + 3 * 5);
    }
}

//! Bytes as ClickHouse takes them compressed: one frame with a checksum. They are compressed once, when a range is sealed,
//! and are sent as they were sealed.
//!
//! The format: <https://clickhouse.com/docs/reference/interfaces/specs/NativeFormat#frame-format>.

use bytes::Bytes;

/// Bytes of the checksum, which the header follows.
const CHECKSUM_BYTES: usize = 16;
/// Method, size from the method on, size when decompressed.
const HEADER_BYTES: usize = 9;
/// The method.
const LZ4: u8 = 0x82;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// Compresses bytes, of which there are less than 2 GiB.
    #[must_use]
    pub fn of(plain: &[u8]) -> Self {
        Self(framed(plain).into())
    }

    /// A frame that was made earlier; nothing, if these bytes are none.
    #[must_use]
    pub fn made(bytes: Bytes) -> Option<Self> {
        let (sum, rest) = bytes.split_at_checked(CHECKSUM_BYTES)?;
        (checksum(rest) == sum).then_some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

fn framed(plain: &[u8]) -> Vec<u8> {
    let begin = CHECKSUM_BYTES + HEADER_BYTES;
    let mut frame = vec![0; begin + lz4_flex::block::get_maximum_output_size(plain.len())];
    // The room is enough by the library's own word.
    let size = lz4_flex::block::compress_into(plain, &mut frame[begin..]).unwrap_or_default();
    frame.truncate(begin + size);
    let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    frame[CHECKSUM_BYTES] = LZ4;
    frame[CHECKSUM_BYTES + 1..][..4].copy_from_slice(&number(HEADER_BYTES + size));
    frame[CHECKSUM_BYTES + 5..][..4].copy_from_slice(&number(plain.len()));
    let checksum = checksum(&frame[CHECKSUM_BYTES..]);
    frame[..CHECKSUM_BYTES].copy_from_slice(&checksum);
    frame
}

/// ClickHouse writes the two halves of the hash in the other order.
fn checksum(rest: &[u8]) -> [u8; CHECKSUM_BYTES] {
    cityhash_rs::cityhash_102_128(rest).rotate_right(64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame that other software made.
    const FRAME: [u8; 54] = [
        0xa7, 0x95, 0x56, 0xf8, 0x2e, 0x2e, 0x4d, 0x7d, 0xda, 0x41, 0x9a, 0x14, 0xeb, 0x85, 0xb7,
        0x01, // checksum
        0x82, 0x26, 0, 0, 0, 0x36, 0, 0, 0, // header
        0xff, 0x03, 0x70, 0x6f, 0x73, 0x69, 0x74, 0x69, 0x6f, 0x6e, 0x09, 0x65, 0x76, 0x65, 0x6e, 0x74, 0x5f, 0x69,
        0x64, 0x0a, 0x12, 0x00, 0x0c, 0x50, 0x74, 0x5f, 0x69, 0x64, 0x0a,
    ];

    #[test]
    fn a_frame_is_as_others_make_it() {
        let plain = b"position\tevent_id\n".repeat(3);
        assert_eq!(checksum(&FRAME[CHECKSUM_BYTES..]), FRAME[..CHECKSUM_BYTES]);
        let ours = framed(&plain);
        // Where a compressor finds repeats is its own affair: the method and the size when decompressed are the same.
        assert_eq!((ours[16], &ours[21..25]), (FRAME[16], &FRAME[21..25]));
        assert_eq!(checksum(&ours[CHECKSUM_BYTES..]), ours[..CHECKSUM_BYTES]);
        assert_eq!(u32::from_le_bytes([ours[17], ours[18], ours[19], ours[20]]) as usize + CHECKSUM_BYTES, ours.len());
    }

    proptest::proptest! {
        #[test]
        fn what_was_framed_comes_back(plain: Vec<u8>) {
            let frame = framed(&plain);
            let data = &frame[CHECKSUM_BYTES + HEADER_BYTES..];
            proptest::prop_assert_eq!(lz4_flex::block::decompress(data, plain.len()).expect("it is whole"), plain);
        }
    }
}

//! Name-based identifiers: the same name gives the same id, here and in the SQL function `derived_id`.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// UUIDv8 (RFC 9562, section 5.8) of the first 16 bytes of SHA-256 over the UTF-8 name.
#[must_use]
pub fn derived_id(name: &str) -> Uuid {
    from_digest(Sha256::digest(name.as_bytes()).as_slice())
}

/// The same, for a digest that was computed piece by piece. Takes the first 16 bytes.
#[must_use]
pub fn from_digest(digest: &[u8]) -> Uuid {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_variant_are_those_of_the_rfc() {
        let id = derived_id("milepost:user:ada@example.org");
        assert_eq!(id.get_version_num(), 8);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id, derived_id("milepost:user:ada@example.org"));
        assert_ne!(id, derived_id("milepost:user:bob@example.org"));
    }
}

//! The key-encryption keys: they wrap the keys of subjects, and live in a file or the environment, never in Postgres.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce, which is chosen at random for each value and stored before it.
const NONCE_BYTES: usize = 12;
/// Characters of a key's name.
const NAME_CHARS: usize = 16;

/// The operator's keys. The first one wraps; all of them unwrap, so that keys can be exchanged one after the other.
pub struct KeyRing {
    keys: Vec<(String, Key)>,
}

/// A key for AES-256-GCM.
pub struct Key(LessSafeKey);

impl fmt::Debug for KeyRing {
    /// Only the names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The key of a subject, wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Its bytes, encrypted.
    pub bytes: Vec<u8>,
    /// The name of the key-encryption key.
    pub by: String,
}

impl KeyRing {
    /// Reads keys: one per line, in Base64; the first one is in force, the others are earlier ones. Lines that begin with
    /// `#` say nothing.
    ///
    /// # Errors
    /// What is wrong with which line; never the line itself.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (mut keys, mut faults) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            match STANDARD.decode(line).ok().and_then(|bytes| Some((name(&bytes), Key::of(&bytes)?))) {
                Some(key) => keys.push(key),
                None => faults.push(format!("line {number} is no key of {KEY_BYTES} bytes in Base64")),
            }
        }
        if keys.is_empty() && faults.is_empty() {
            faults.push("there is no key in it".to_owned());
        }
        if faults.is_empty() { Ok(Self { keys }) } else { Err(faults) }
    }

    /// The name of the key in force.
    #[must_use]
    pub fn current(&self) -> &str {
        self.keys.first().map_or("", |(name, _)| name)
    }

    /// Whether it has the key of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|(known, _)| known == name)
    }

    /// A new key for a subject, and how it is stored.
    #[must_use]
    pub fn make(&self, subject: Uuid) -> Option<(Key, Wrapped)> {
        let bytes = random::<KEY_BYTES>()?;
        Some((Key::of(&bytes)?, self.wrap(subject, &bytes)?))
    }

    /// The key of a subject. `None` when no key here wrapped it, or it is another subject's.
    #[must_use]
    pub fn unwrap(&self, subject: Uuid, wrapped: &Wrapped) -> Option<Key> {
        Key::of(&self.bytes(subject, wrapped)?)
    }

    /// The same key, wrapped by the key in force.
    #[must_use]
    pub fn wrap_again(&self, subject: Uuid, wrapped: &Wrapped) -> Option<Wrapped> {
        self.wrap(subject, &self.bytes(subject, wrapped)?)
    }

    fn wrap(&self, subject: Uuid, bytes: &[u8]) -> Option<Wrapped> {
        let (name, key) = self.keys.first()?;
        Some(Wrapped { bytes: key.encrypt(subject, bytes)?, by: name.clone() })
    }

    fn bytes(&self, subject: Uuid, wrapped: &Wrapped) -> Option<Vec<u8>> {
        let (_, key) = self.keys.iter().find(|(name, _)| *name == wrapped.by)?;
        key.decrypt(subject, &wrapped.bytes)
    }
}

impl Key {
    fn of(bytes: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, bytes).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Encrypts something that belongs to a subject: the nonce, and what came out. `None` only when there is no randomness.
    #[must_use]
    pub fn encrypt(&self, subject: Uuid, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = random::<NONCE_BYTES>()?;
        let mut bytes = plain.to_vec();
        let aad = Aad::from(subject.into_bytes());
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes).ok()?;
        Some([&nonce[..], &bytes].concat())
    }

    /// What [`Self::encrypt`] encrypted. `None` when it is of another key or subject, or was changed.
    #[must_use]
    pub fn decrypt(&self, subject: Uuid, bytes: &[u8]) -> Option<Vec<u8>> {
        let (nonce, bytes) = bytes.split_at_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(subject.into_bytes()), &mut bytes).ok()?.len();
        bytes.truncate(plain);
        Some(bytes)
    }
}

/// A new key-encryption key, as [`KeyRing::parse`] reads it.
#[must_use]
pub fn generate() -> Option<String> {
    random::<KEY_BYTES>().map(|bytes| STANDARD.encode(bytes))
}

/// What a key is called in tables and messages.
fn name(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    digits.chars().take(NAME_CHARS).collect()
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[&str]) -> KeyRing {
        KeyRing::parse(&keys.join("\n")).expect("keys")
    }

    #[test]
    fn a_key_is_for_one_subject_and_survives_the_exchange_of_what_wraps_it() {
        let (old, new) = (generate().expect("a key"), generate().expect("a key"));
        let (subject, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (key, wrapped) = ring(&[&old]).make(subject).expect("a key");
        let secret = key.encrypt(subject, b"secret").expect("encrypted");
        assert!(!secret.windows(6).any(|part| part == b"secret"));
        assert_ne!(key.encrypt(subject, b"secret"), Some(secret.clone()), "a nonce of its own each time");
        assert_eq!(key.decrypt(other, &secret), None);
        let both = ring(&["# in force", &new, "", &old]);
        let again = both.wrap_again(subject, &wrapped).expect("wrapped");
        assert_eq!((both.current(), again.by == both.current(), both.has(&wrapped.by)), (&*again.by, true, true));
        let unwrapped = ring(&[&new]).unwrap(subject, &again).expect("the key");
        assert_eq!(unwrapped.decrypt(subject, &secret).as_deref(), Some(&b"secret"[..]));
        assert!(ring(&[&new]).unwrap(subject, &wrapped).is_none());
        assert!(both.unwrap(other, &again).is_none());
    }

    #[test]
    fn what_was_changed_is_not_decrypted() {
        let (key, _) = ring(&[&generate().expect("a key")]).make(Uuid::nil()).expect("a key");
        let secret = key.encrypt(Uuid::nil(), b"").expect("encrypted");
        assert_eq!(key.decrypt(Uuid::nil(), &secret).as_deref(), Some(&b""[..]));
        for place in 0..secret.len() {
            let mut changed = secret.clone();
            changed[place] ^= 1;
            assert_eq!(key.decrypt(Uuid::nil(), &changed), None, "byte {place}");
        }
        assert_eq!(key.decrypt(Uuid::nil(), &secret[..11]), None);
    }

    #[test]
    fn faults_name_their_line_and_never_what_stands_there() {
        let faults = KeyRing::parse("# keys\nsecret\n\nc2VjcmV0").expect_err("faults");
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("line 2") && faults[1].starts_with("line 4"), "{faults:?}");
        assert!(!faults.concat().contains("secret") && !faults.concat().contains("c2Vj"), "{faults:?}");
        assert!(KeyRing::parse("\n# nothing").is_err());
        let key = generate().expect("a key");
        assert!(!format!("{:?}", ring(&[&key])).contains(&key));
    }
}

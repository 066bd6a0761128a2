//! Dead letters under keys of their own. What could not be read names nobody, so each letter is a subject for itself; whoever
//! erases a person destroys the keys of the letters in which they are found.

use std::collections::{BTreeSet, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{known_keys, make_keys};
use crate::privacy::cipher::{self, Held};
use crate::privacy::keyring::KeyRing;
use crate::privacy::own_subject;
use crate::store::{Connection, Error, Unit};

/// The subject of a letter, by its fingerprint.
pub(crate) fn subject_of_letter(fingerprint: Uuid) -> Uuid {
    own_subject("letter", fingerprint)
}

/// Decrypts letters in place. Returns which of them were erased: they are empty then.
async fn decrypt(
    pg: &mut PgConnection,
    ring: Option<&KeyRing>,
    letters: Vec<&mut Vec<u8>>,
) -> Result<HashSet<usize>, Error> {
    let subjects: BTreeSet<Uuid> =
        letters.iter().filter_map(|bytes| cipher::secret_bytes(bytes)).map(|(subject, _)| subject).collect();
    let keys = known_keys(pg, ring, &subjects).await?;
    let mut erased = HashSet::new();
    for (index, bytes) in letters.into_iter().enumerate() {
        let Some((subject, secret)) = cipher::secret_bytes(bytes) else { continue };
        match keys.get(&subject) {
            None => {}
            Some(Held::Destroyed) => {
                bytes.clear();
                erased.insert(index);
            }
            Some(Held::Key(key)) => {
                if let Some(plain) = key.decrypt(subject, secret) {
                    *bytes = plain;
                }
            }
        }
    }
    Ok(erased)
}

impl Unit<'_> {
    /// Letters as they are stored, by their fingerprints; one that was erased before stays empty.
    pub(in crate::store) async fn encrypt_letters(&mut self, letters: &[(Uuid, &[u8])]) -> Result<Vec<Vec<u8>>, Error> {
        let Some(ring) = self.keys.clone() else {
            return Ok(letters.iter().map(|(_, bytes)| bytes.to_vec()).collect());
        };
        let subjects = letters.iter().map(|(fingerprint, _)| subject_of_letter(*fingerprint)).collect();
        let keys = make_keys(&mut *self.pg, &ring, &subjects).await?;
        let encrypted = |(fingerprint, bytes): &(Uuid, &[u8])| {
            cipher::encrypt_bytes(&keys, subject_of_letter(*fingerprint), bytes).unwrap_or_default()
        };
        Ok(letters.iter().map(encrypted).collect())
    }
}

impl Connection {
    /// Decrypts letters in place; returns which of them were erased.
    pub(in crate::store) async fn decrypt_letters(
        &mut self,
        letters: Vec<&mut Vec<u8>>,
    ) -> Result<HashSet<usize>, Error> {
        let ring = self.keys.clone();
        decrypt(&mut self.pg, ring.as_deref(), letters).await
    }
}

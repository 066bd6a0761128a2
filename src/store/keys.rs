//! Keys of subjects, and documents that are encrypted with them on their way into the store, and decrypted on their way out.

pub mod exchange;
mod letters;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Connection, Error, Unit};
use crate::batch::Batch;
use crate::document::{Cut, Pieces, cut};
use crate::domain::Domain;
use crate::json::RawJson;
use crate::privacy::cipher::{self, Held, Keys, MARK, Secret};
use crate::privacy::keyring::{KeyRing, Wrapped};
use crate::privacy::{encrypted_in, stand_in, subject_of};

pub(crate) use letters::subject_of_letter;

/// A document that is to be encrypted: what it is without its personal values, and whose these are.
pub(super) struct Opened {
    pieces: Pieces,
    subjects: Vec<Uuid>,
}

impl Opened {
    /// Cuts what is personal out of a document. Nothing when there is nothing to encrypt.
    pub(super) fn of(names: &BTreeSet<String>, text: &str, subject: impl Fn(&Cut) -> Uuid) -> Option<Self> {
        let pieces = cut(text, names, MARK)?;
        let subjects: Vec<Uuid> = pieces.cuts.iter().filter(|cut| cut.value != "null").map(subject).collect();
        (!subjects.is_empty()).then_some(Self { pieces, subjects })
    }

    /// The document, encrypted; nothing when there is no randomness.
    fn close(&self, keys: &Keys) -> Option<String> {
        let (mut subjects, mut is_closed) = (self.subjects.iter(), true);
        let text = self.pieces.fill(|cut| {
            if cut.value == "null" {
                return "null".to_owned();
            }
            let secret = subjects.next().and_then(|subject| cipher::encrypt(keys, *subject, &cut.value));
            is_closed &= secret.is_some();
            secret.unwrap_or_default()
        });
        is_closed.then_some(text)
    }
}

/// Encrypts documents; those that have nothing personal stay as they are. Keys that are missing are made.
pub(super) async fn encrypt(
    pg: &mut PgConnection,
    ring: &KeyRing,
    documents: Vec<Option<Opened>>,
) -> Result<Vec<Option<String>>, Error> {
    let subjects = documents.iter().flatten().flat_map(|opened| opened.subjects.iter().copied()).collect();
    let keys = make_keys(pg, ring, &subjects).await?;
    let closed = |opened: Option<Opened>| match opened {
        None => Ok(None),
        Some(opened) => opened.close(&keys).map(Some).ok_or_else(|| Error::fault("there is no randomness".to_owned())),
    };
    documents.into_iter().map(closed).collect()
}

/// Decrypts documents in place. Returns which of them have lost something, because whom it was about was erased.
pub(super) async fn decrypt(
    pg: &mut PgConnection,
    ring: Option<&KeyRing>,
    domain: &Domain,
    documents: Vec<&mut String>,
) -> Result<HashSet<usize>, Error> {
    let secrets: Vec<Vec<Secret>> = documents.iter().map(|text| cipher::secrets(text)).collect();
    let subjects: BTreeSet<Uuid> = secrets.iter().flatten().map(|secret| secret.subject).collect();
    if subjects.is_empty() {
        return Ok(HashSet::new());
    }
    let keys = known_keys(pg, ring, &subjects).await?;
    let mut lost = HashSet::new();
    for (index, (document, secrets)) in documents.into_iter().zip(secrets).enumerate() {
        if secrets.is_empty() {
            continue;
        }
        let gone = |secret: &Secret| stand_in(domain, secret.name.as_deref(), secret.subject);
        let (text, is_lost) = cipher::decrypt(document, &secrets, &keys, gone);
        *document = text;
        if is_lost {
            lost.insert(index);
        }
    }
    Ok(lost)
}

/// The keys that there are. Without a row a subject is none of ours.
pub(super) async fn known_keys(
    pg: &mut PgConnection,
    ring: Option<&KeyRing>,
    subjects: &BTreeSet<Uuid>,
) -> Result<Keys, Error> {
    if subjects.is_empty() {
        return Ok(Keys::new());
    }
    let rows: Vec<(Uuid, Option<Vec<u8>>, Option<String>)> =
        sqlx::query_as("select subject, wrapped_key, wrapped_by from subject_keys where subject = any($1)")
            .bind(subjects.iter().copied().collect::<Vec<_>>())
            .fetch_all(pg)
            .await
            .map_err(|error| Error::classify("fetch keys of subjects", error))?;
    let held = |(subject, bytes, by): (Uuid, Option<Vec<u8>>, Option<String>)| {
        let Some((bytes, by)) = bytes.zip(by) else { return Ok((subject, Held::Destroyed)) };
        let wrapped = Wrapped { bytes, by };
        let key = ring.and_then(|ring| ring.unwrap(subject, &wrapped));
        key.map(|key| (subject, Held::Key(Box::new(key)))).ok_or_else(|| missing(&wrapped.by))
    };
    rows.into_iter().map(held).collect()
}

/// What to say where personal fields are encrypted with a key that we do not have.
pub(crate) fn missing(name: &str) -> Error {
    Error::fault(format!(
        "personal fields are encrypted, and the key-encryption key {name} is not there\n  \
         hint: give it in the file that MILEPOST_KEY_FILE names, or in MILEPOST_KEY"
    ))
}

/// The keys of these subjects, made where there are none yet. In the order of the subjects, so that two workers with the
/// same new subjects wait for each other in one direction.
async fn make_keys(pg: &mut PgConnection, ring: &KeyRing, subjects: &BTreeSet<Uuid>) -> Result<Keys, Error> {
    let mut keys = known_keys(&mut *pg, Some(ring), subjects).await?;
    let new: BTreeMap<Uuid, _> = subjects
        .iter()
        .filter(|subject| !keys.contains_key(*subject))
        .filter_map(|subject| Some((*subject, ring.make(*subject)?)))
        .collect();
    if new.is_empty() {
        return Ok(keys);
    }
    let made: Vec<Uuid> = sqlx::query_scalar(
        "insert into subject_keys (subject, wrapped_key, wrapped_by)
         select * from unnest($1::uuid[], $2::bytea[], $3::text[]) on conflict (subject) do nothing returning subject",
    )
    .bind(new.keys().copied().collect::<Vec<_>>())
    .bind(new.values().map(|(_, wrapped)| wrapped.bytes.clone()).collect::<Vec<_>>())
    .bind(new.values().map(|(_, wrapped)| wrapped.by.clone()).collect::<Vec<_>>())
    .fetch_all(&mut *pg)
    .await
    .map_err(|error| Error::classify("keep keys of subjects", error))?;
    let made: BTreeSet<Uuid> = made.into_iter().collect();
    // Somebody else has made the others meanwhile: a later statement sees them.
    let others: BTreeSet<Uuid> = new.keys().filter(|subject| !made.contains(*subject)).copied().collect();
    let ours = new.into_iter().filter(|(subject, _)| made.contains(subject));
    keys.extend(ours.map(|(subject, (key, _))| (subject, Held::Key(Box::new(key)))));
    keys.extend(known_keys(pg, Some(ring), &others).await?);
    Ok(keys)
}

impl Unit<'_> {
    /// Documents of some events of a batch, as they are stored.
    pub(super) async fn documents(&mut self, batch: &Batch, wanted: &[usize]) -> Result<Vec<RawJson>, Error> {
        let received = wanted.iter().map(|index| batch.event(*index).payload.clone());
        let Some(ring) = self.keys.clone() else {
            return Ok(received.collect());
        };
        let open = |index: &usize| {
            let event = batch.event(*index);
            let text = std::str::from_utf8(&event.payload.0).ok()?;
            Opened::of(encrypted_in(&self.domain, Some(event)), text, |cut| subject_of(&self.domain, event, &cut.name))
        };
        let opened = tokio::task::block_in_place(|| wanted.iter().map(open).collect());
        let encrypted = encrypt(&mut *self.pg, &ring, opened).await?;
        let stored =
            |(received, encrypted): (RawJson, Option<String>)| encrypted.map_or(received, |text| RawJson(text.into()));
        Ok(received.zip(encrypted).map(stored).collect())
    }

    /// Decrypts documents of the store in place; returns which of them have lost something.
    pub(super) async fn decrypt(&mut self, documents: Vec<&mut String>) -> Result<HashSet<usize>, Error> {
        let (ring, domain) = (self.keys.clone(), Arc::clone(&self.domain));
        decrypt(&mut *self.pg, ring.as_deref(), &domain, documents).await
    }
}

impl Connection {
    /// The same, outside of a batch.
    pub(crate) async fn decrypt(&mut self, documents: Vec<&mut String>) -> Result<HashSet<usize>, Error> {
        let (ring, domain) = (self.keys.clone(), Arc::clone(&self.domain));
        decrypt(&mut self.pg, ring.as_deref(), &domain, documents).await
    }
}

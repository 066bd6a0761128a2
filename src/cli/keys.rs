//! `milepost keys`: the key-encryption keys, by flag or environment, and what is done with them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::audited::audited;
use super::{Settings, print, verify_version};
use crate::error::Failure;
use crate::person::encrypt_what_is_plain;
use crate::privacy::keyring::{KeyRing, generate};
use crate::store::audit_logs::Change;

/// Where the key-encryption keys are.
#[derive(Debug, clap::Args)]
pub(super) struct KeySettings {
    /// File with the keys that protect personal fields, one per line in Base64, the one in force first; without it, and
    /// without MILEPOST_KEY, personal fields are stored as they come
    #[arg(long, env = "MILEPOST_KEY_FILE", global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Print a new key for the file
    Generate,
    /// How many keys of subjects there are, and which key-encryption key each is wrapped by
    Status,
    /// Wrap all keys of subjects anew, with the key in force: afterwards the earlier ones are not needed any more
    Rotate,
    /// Encrypt what was stored before there were keys
    Encrypt,
}

impl KeySettings {
    /// The keys, if any are given. Empty variables count as none: compose files set them so.
    pub(super) fn ring(&self) -> Result<Option<Arc<KeyRing>>, Failure> {
        let file = self.key_file.as_ref().filter(|path| !path.as_os_str().is_empty());
        let named = std::env::var("MILEPOST_KEY").ok().filter(|text| !text.trim().is_empty());
        let (name, text) = match (file, named) {
            (Some(path), None) => {
                let text = std::fs::read_to_string(path);
                let text = text
                    .map_err(|error| fault(&format!("MILEPOST_KEY_FILE {} cannot be read: {error}", path.display())))?;
                ("MILEPOST_KEY_FILE", text)
            }
            (None, Some(text)) => ("MILEPOST_KEY", text),
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(fault("MILEPOST_KEY_FILE and MILEPOST_KEY are both set")),
        };
        let ring = KeyRing::parse(&text).map_err(|faults| {
            let hint = "hint: `milepost keys generate` prints one";
            Failure::Configuration(faults.iter().map(|fault| format!("{name}: {fault}\n  {hint}")).collect())
        })?;
        Ok(Some(Arc::new(ring)))
    }

    /// The keys; a fault without them.
    pub(super) fn required(&self) -> Result<Arc<KeyRing>, Failure> {
        self.ring()?.ok_or_else(|| {
            fault(
                "there is no key-encryption key\n  hint: `milepost keys generate > FILE`, then set MILEPOST_KEY_FILE for \
                 the service, and run `milepost keys encrypt`",
            )
        })
    }
}

fn fault(text: &str) -> Failure {
    Failure::Configuration(vec![text.to_owned()])
}

pub(super) async fn run(settings: &Settings, verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Generate => print(&generate().ok_or_else(|| anyhow::anyhow!("there is no randomness"))?)?,
        Verb::Status => status(settings).await?,
        Verb::Rotate => rotate(settings).await?,
        Verb::Encrypt => encrypt(settings).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(settings: &Settings) -> Result<(), Failure> {
    let mut connection = settings.connection().await?;
    verify_version(&mut connection).await?;
    let ring = settings.keys.ring()?;
    let in_force = ring.as_ref().map(|ring| ring.current());
    let wrapped = connection.wrappings().await?;
    let keys: Vec<_> = wrapped.iter().map(|one| json!({"wrapped_by": one.by, "keys": one.keys})).collect();
    let position = connection.encrypted_up_to().await?;
    print(&json!({"in_force": in_force, "subjects": keys, "encrypted_up_to": position}).to_string())
}

async fn rotate(settings: &Settings) -> Result<(), Failure> {
    let ring = settings.keys.required()?;
    let store = settings.store(settings.domain()?)?;
    let mut connection = store.connect_unhurried().await?;
    verify_version(&mut connection).await?;
    let change = Change::of("keys.rotate", "subject_keys", json!({"to": ring.current()}));
    let work = async {
        let (mut count, mut after) = (0, Uuid::nil());
        while let Some((last, changed)) = connection.rewrap(&ring, after).await? {
            count += changed;
            after = last;
        }
        Ok(count)
    };
    let count = audited(&store, &settings.operator(), &change, work, |count| json!({"keys": count})).await?;
    print(&json!({"in_force": ring.current(), "wrapped": count}).to_string())
}

async fn encrypt(settings: &Settings) -> Result<(), Failure> {
    let ring = settings.keys.required()?;
    let store = settings.store(settings.domain()?)?;
    let mut connection = store.connect_unhurried().await?;
    verify_version(&mut connection).await?;
    let change = Change::of("keys.encrypt", "event_log", json!({}));
    let work = async { Ok(encrypt_what_is_plain(&mut connection, &ring).await?) };
    let told = |(events, letters): &(u64, u64)| json!({"events": events, "dead_letters": letters});
    let done = audited(&store, &settings.operator(), &change, work, told).await?;
    print(&told(&done).to_string())
}

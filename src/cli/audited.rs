//! Changes that are no transaction of Postgres: one row in the audit log before them, one after them.

use serde_json::Value;

use crate::error::Failure;
use crate::store::Store;
use crate::store::audit::{Change, Operator, Stage};

/// Makes a change between the two rows. `tell` gives what the second one says of what was done. A change that is
/// killed has only the first one.
///
/// # Errors
/// As the change's own; or when a row could not be written, without the first of which nothing is changed.
pub(super) async fn audited<T>(
    store: &Store,
    operator: &Operator,
    change: &Change,
    work: impl Future<Output = Result<T, Failure>>,
    tell: impl FnOnce(&T) -> Value,
) -> Result<T, Failure> {
    let begun = Change { stage: Stage::Begun, ..change.clone() };
    store.connect().await?.audit(operator, &begun).await?;
    let ended = work.await;
    let mut after = change.clone();
    let (stage, said) = match &ended {
        Ok(done) => (Stage::Done, tell(done)),
        Err(_) => (Stage::Failed, Value::Null),
    };
    after.stage = stage;
    if let (Some(details), Value::Object(said)) = (after.details.as_object_mut(), said) {
        details.extend(said);
    }
    // It took its time: a connection of its own, rather than one that was idle for hours.
    let written = match store.connect().await {
        Ok(mut connection) => connection.audit(operator, &after).await,
        Err(error) => Err(error),
    };
    match (ended, written) {
        (Ok(done), Ok(())) => Ok(done),
        (Ok(_), Err(error)) => {
            let hint = "hint: the change is made; the audit log says of it only that it was begun";
            Err(anyhow::Error::new(error).context(format!("cannot write to the audit log\n  {hint}")).into())
        }
        (Err(failure), _) => Err(failure),
    }
}

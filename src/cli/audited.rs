//! Changes that are no transaction of Postgres: one row in the audit log before them, one after them.

use serde_json::Value;

use crate::error::Failure;
use crate::store::audit_logs::{Change, Operator, Stage};
use crate::store::{Error, Store};

/// Makes a change between the two rows. `tell` gives what the second one says of what was done. A change that is
/// killed has only the first one.
///
/// # Errors
/// As the change's own; or when a row could not be written, without the first of which nothing is changed.
pub(super) fn audited<T>(
    store: &Store,
    operator: &Operator,
    change: &Change,
    work: impl Future<Output = Result<T, Failure>>,
    tell: impl FnOnce(&T) -> Value,
) -> impl Future<Output = Result<T, Failure>> {
    let work = Box::pin(work); // a long piece of work is a large future
    async move {
        let begun = Change { stage: Stage::Begun, ..change.clone() };
        store.connect().await?.audit(operator, &begun).await?;
        let ended = work.await;
        let (stage, said) = match &ended {
            Ok(done) => (Stage::Done, tell(done)),
            Err(_) => (Stage::Failed, Value::Null),
        };
        let written = write(store, operator, Change { stage, ..change.clone() }, said).await;
        match (ended, written) {
            (Ok(done), Ok(())) => Ok(done),
            (Ok(_), Err(error)) => {
                let hint = "hint: the change is made; the audit log says of it only that it was begun";
                Err(anyhow::Error::new(error).context(format!("cannot write to the audit log\n  {hint}")).into())
            }
            (Err(failure), _) => Err(failure),
        }
    }
}

/// The second row. It took its time: a connection of its own, rather than one that was idle for hours.
async fn write(store: &Store, operator: &Operator, mut change: Change, said: Value) -> Result<(), Error> {
    if let (Some(details), Value::Object(said)) = (change.details.as_object_mut(), said) {
        details.extend(said);
    }
    store.connect().await?.audit(operator, &change).await
}

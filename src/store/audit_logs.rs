//! The audit log: every change that an operator makes is a row, written in the transaction of the change where there
//! is one. Numbers, filters and counts; never a payload, never anything personal but the operator's own name.

use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{ANSWER_SECONDS_MAX, Connection, Error, Unit, within};

/// Who gives a command, and the number that all rows of the command share.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The name that they gave themselves, else that of the account.
    pub actor: String,
    /// The account that the process runs as, as far as the environment tells.
    pub os_user: Option<String>,
    /// Of this command.
    pub run: Uuid,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is about to be made. Where no second row of the run follows, it was interrupted.
    Begun,
    /// It is made; in the transaction of the change this row stands and falls with it.
    Done,
    /// It could not be made, or not all of it.
    Failed,
}

/// A change.
#[derive(Debug, Clone)]
pub struct Change {
    /// The verb, such as `dead_letters.redrive`.
    pub action: &'static str,
    /// What kind of thing is changed, such as `dead_letters`.
    pub resource: &'static str,
    /// Which one, if it is one and its id is a UUID.
    pub resource_id: Option<Uuid>,
    /// What came of it.
    pub stage: Stage,
    /// Filter, numbers, counts: an object.
    pub details: Value,
}

impl Operator {
    /// The operator who runs this process, under a name of their own if they have given one.
    #[must_use]
    pub fn here(named: Option<&str>) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let os_user = variable("USER").or_else(|| variable("LOGNAME"));
        let named = named.filter(|name| !name.is_empty()).map(str::to_owned);
        let actor = named.or_else(|| os_user.clone()).unwrap_or_else(|| "unknown".to_owned());
        Self { actor, os_user, run: Uuid::now_v7() }
    }
}

impl Stage {
    const fn label(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl Change {
    /// A change of these things, done unless [`Self::stage`] is set otherwise.
    #[must_use]
    pub const fn of(action: &'static str, resource: &'static str, details: Value) -> Self {
        Self { action, resource, resource_id: None, stage: Stage::Done, details }
    }
}

impl Connection {
    /// Writes down a change that has no transaction in this database, in one of its own.
    ///
    /// # Errors
    /// When the row could not be written.
    pub async fn audit(&mut self, operator: &Operator, change: &Change) -> Result<(), Error> {
        within(ANSWER_SECONDS_MAX, "writing to the audit log", write(&mut self.pg, operator, change)).await
    }
}

impl Unit<'_> {
    /// Writes down a change in the transaction that makes it.
    pub(crate) async fn audit(&mut self, operator: &Operator, change: &Change) -> Result<(), Error> {
        write(self.pg, operator, change).await
    }
}

async fn write(pg: &mut PgConnection, operator: &Operator, change: &Change) -> Result<(), Error> {
    let mut metadata: Map<String, Value> = change.details.as_object().cloned().unwrap_or_default();
    metadata.insert("actor".into(), operator.actor.clone().into());
    metadata.insert("os_user".into(), operator.os_user.clone().into());
    metadata.insert("run".into(), operator.run.to_string().into());
    metadata.insert("outcome".into(), change.stage.label().into());
    // Whom the database took the operator for is the one name that cannot be made up.
    sqlx::query(
        "insert into audit_logs (action, resource_type, resource_id, metadata)
         values ($1, $2, $3, $4::jsonb || jsonb_build_object('database_user', session_user))",
    )
    .bind(change.action)
    .bind(change.resource)
    .bind(change.resource_id)
    .bind(Value::Object(metadata))
    .execute(pg)
    .await
    .map(|_| ())
    .map_err(|error| Error::classify("write to the audit log", error))
}

//! The stream as it is: which incarnation of its name, what it holds, and single messages of it.

use async_nats::jetstream;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;
use chrono::SubsecRound as _;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::message::headers;
use super::{Error, Source};
use crate::batch::Message;
use crate::decode::decode;
use crate::domain::Domain;
use crate::store::Incarnation;

/// Messages asked for at once, each by its sequence.
const LOOK_UPS_AT_ONCE: usize = 32;

/// The stream's own account of itself.
#[derive(Debug, Clone)]
pub struct StreamState {
    /// Which incarnation of the name this is.
    pub incarnation: Incarnation,
    /// First sequence held; one above the last when it holds none.
    pub first: u64,
    /// Last sequence ever given.
    pub last: u64,
}

impl Source {
    /// Which incarnation of its name the stream is.
    ///
    /// # Errors
    /// When there is no such stream, or no answer.
    pub async fn incarnation(&self) -> Result<Incarnation, Error> {
        Ok(self.stream_state().await?.incarnation)
    }

    /// The stream's own account.
    ///
    /// # Errors
    /// When there is no such stream, or no answer.
    pub async fn stream_state(&self) -> Result<StreamState, Error> {
        let name = &self.domain.stream.name;
        let stream = self.context.get_stream(name).await.map_err(|error| self.stream_error(&error))?;
        let info = stream.cached_info();
        Ok(StreamState {
            incarnation: Incarnation(info.created.trunc_subsecs(6)),
            first: info.state.first_sequence,
            last: info.state.last_sequence,
        })
    }

    /// The sequences that were deleted between the first and the last one held, ascending. As long as that list is in
    /// the stream: only asked for when something is missing.
    ///
    /// # Errors
    /// When there is no such stream, or no answer.
    pub async fn deleted(&self) -> Result<Vec<u64>, Error> {
        let name = &self.domain.stream.name;
        let stream = self.context.get_stream(name).await.map_err(|error| self.stream_error(&error))?;
        if stream.cached_info().state.deleted_count.unwrap_or_default() == 0 {
            return Ok(Vec::new());
        }
        let info = stream.info_builder().with_deleted(true).fetch().await;
        let info = info.map_err(|error| Error::request("asking what was deleted from the stream", &error))?;
        let mut deleted = info.info.state.deleted.unwrap_or_default();
        deleted.sort_unstable();
        Ok(deleted)
    }

    /// The last sequence that the stream holds.
    ///
    /// # Errors
    /// When NATS cannot be asked.
    pub async fn last_sequence(&self) -> Result<u64, Error> {
        self.stream_state().await.map(|state| state.last)
    }

    /// Messages by their sequences, in that order, as they would be fetched. What the stream holds no more is left out.
    ///
    /// # Errors
    /// When there is no such stream, no answer, or a message that cannot be read.
    pub async fn messages(&self, sequences: &[u64]) -> Result<Vec<Message>, Error> {
        let name = &self.domain.stream.name;
        let stream = self.context.get_stream_no_info(name).await.map_err(|error| self.stream_error(&error))?;
        let look_up = async |sequence: &u64| match stream.get_raw_message(*sequence).await {
            Ok(found) => Ok(Some(read(&self.domain, found))),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(Error::request(&format!("asking for the message {sequence}"), &error)),
        };
        let found: Vec<Option<Message>> =
            futures_util::stream::iter(sequences).map(look_up).buffered(LOOK_UPS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    pub(super) fn stream_error(&self, error: &jetstream::context::GetStreamError) -> Error {
        use jetstream::context::GetStreamErrorKind::JetStream;
        match error.kind() {
            JetStream(inner) if inner.code() == 404 => Error::NoStream(self.domain.stream.name.clone()),
            _ => Error::request("asking for the stream", error),
        }
    }
}

fn read(domain: &Domain, found: StreamMessage) -> Message {
    Message {
        content: decode(domain, &found.subject, &found.payload),
        subject: found.subject.to_string(),
        headers: Some(&found.headers).filter(|map| !map.is_empty()).map(headers),
        sequence: Some(found.sequence),
        published_at: found.time.trunc_subsecs(6),
        payload: found.payload,
    }
}

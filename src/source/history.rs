//! Reading the stream again from some place on, beside the durable consumer and without its knowledge.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, StreamExt as _};

use super::{Error, FetchLimits, REQUEST_SECONDS_MAX, Source, message};
use crate::batch::Message;
use crate::domain::Domain;

/// Silence for so long, where the stream has more, is a fault. The client makes its consumer anew before that.
const SILENCE_SECONDS_MAX: u64 = 60;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this sequence.
    Sequence(u64),
    /// At the first message that the stream took at or after this moment.
    Time(DateTime<Utc>),
}

/// The messages of the stream from some place up to a sequence, in their order.
pub struct History {
    messages: Option<pull::Ordered>,
    last: u64,
    domain: Arc<Domain>,
}

impl Source {
    /// Begins to read the stream again, up to a sequence, by an ephemeral ordered consumer of its own.
    ///
    /// # Errors
    /// When there is no such stream, or no answer.
    pub async fn history(&self, start: Start, last: u64) -> Result<History, Error> {
        let deliver_policy = match start {
            Start::Sequence(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence: start_sequence.max(1) },
            Start::Time(start_time) => DeliverPolicy::ByStartTime { start_time },
        };
        let filter_subjects = self.domain.consumer.filter_subjects.clone();
        let config = pull::OrderedConfig { deliver_policy, filter_subjects, ..pull::OrderedConfig::default() };
        let beginning = async {
            let name = &self.domain.stream.name;
            let stream = self.context.get_stream(name).await.map_err(|error| self.stream_error(&error))?;
            let consumer = stream.create_consumer(config).await;
            let consumer = consumer.map_err(|error| Error::request("making a consumer for history", &error))?;
            if consumer.cached_info().num_pending == 0 {
                return Ok(None);
            }
            let messages = consumer.messages().await;
            messages.map(Some).map_err(|error| Error::request("beginning to read history", &error))
        };
        let deadline = Duration::from_secs(2 * REQUEST_SECONDS_MAX);
        let begun = tokio::time::timeout(deadline, beginning).await;
        let messages = begun.map_err(|elapsed| Error::request("beginning to read history", &elapsed))??;
        Ok(History { messages, last, domain: Arc::clone(&self.domain) })
    }
}

impl History {
    /// Waits for a message, then takes what is there already, up to the limits; `None` at the end.
    ///
    /// # Errors
    /// When the flow broke off.
    pub async fn next(&mut self, limits: FetchLimits) -> Result<Option<Vec<Message>>, Error> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(messages) = &mut self.messages
            && taken.len() < limits.messages
            && bytes < limits.bytes
        {
            let next = match taken.is_empty() {
                true => tokio::time::timeout(Duration::from_secs(SILENCE_SECONDS_MAX), messages.next())
                    .await
                    .map_err(|_| Error::Broken(format!("silence for {SILENCE_SECONDS_MAX} s")))?,
                // What is not there yet is for the next page.
                false => match tokio::task::unconstrained(messages.next()).now_or_never() {
                    Some(next) => next,
                    None => break,
                },
            };
            let delivery = match next {
                Some(Ok(delivery)) => delivery,
                Some(Err(error)) => return Err(Error::Broken(error.to_string())),
                None => return Err(Error::Broken("the consumer is gone".into())),
            };
            let info = delivery.info().map_err(|error| Error::Broken(error.to_string()))?;
            let (sequence, is_last) = (info.stream_sequence, info.pending == 0);
            if sequence <= self.last {
                bytes += delivery.payload.len();
                taken.push(message(&self.domain, &delivery));
            }
            if is_last || sequence >= self.last {
                self.messages = None;
            }
        }
        Ok((!taken.is_empty()).then_some(taken))
    }
}

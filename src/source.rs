//! JetStream: fetching batches and acknowledging them. The only module that holds a NATS connection.

mod history;
mod message;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::{self, Context, Message as Delivery};
use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, StreamExt as _};

use crate::batch::Batch;
use crate::domain::Domain;
use crate::health::Health;
use crate::metrics;
pub use stream::StreamState;

pub use history::{History, Start};
use message::message;

/// Deadline of one request to NATS.
const REQUEST_SECONDS_MAX: u64 = 5;
/// The server says every so often that it is there; silence for twice as long is a fault.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A pull request must have room for the largest message that a broker takes, or nothing would ever come.
const PULL_BYTES_MIN: usize = 8 << 20;
/// How long one pull request stands.
const PULL_EXPIRES: Duration = Duration::from_secs(30);

/// What failed on the way to or from NATS. Always worth another try, later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Connecting failed.
    #[error("cannot connect to NATS")]
    Connect(#[source] async_nats::ConnectError),
    /// There is no such stream.
    #[error("NATS has no stream {0:?}\n  hint: run `milepost streams apply`")]
    NoStream(String),
    /// There is no such consumer.
    #[error("the stream {stream:?} has no consumer {consumer:?}\n  hint: run `milepost streams apply`")]
    NoConsumer {
        /// The stream.
        stream: String,
        /// The durable consumer.
        consumer: String,
    },
    /// A request failed or was not answered.
    #[error("{attempted}: {said}")]
    Request {
        /// What was attempted.
        attempted: String,
        /// What the client said.
        said: String,
    },
    /// The flow of messages broke off.
    #[error("the flow of messages broke off: {0}")]
    Broken(String),
}

impl Error {
    fn request(attempted: &str, error: &impl std::fmt::Display) -> Self {
        Self::Request { attempted: attempted.to_owned(), said: error.to_string() }
    }
}

/// A connection to NATS.
#[derive(Debug, Clone)]
pub struct Source {
    /// JetStream.
    pub context: Context,
    domain: Arc<Domain>,
}

/// What the consumer still has to hand out, and what the stream holds.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Messages not delivered yet.
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    pub unacknowledged: u64,
    /// All messages up to here are acknowledged.
    pub ack_floor: u64,
}

impl Source {
    /// Connects; from then on the client reconnects by itself, for ever.
    ///
    /// # Errors
    /// When there is nobody, or they refuse.
    pub async fn connect(nats_url: &str, domain: Arc<Domain>, health: Health) -> Result<Self, Error> {
        let client = async_nats::ConnectOptions::new()
            .name("milepost")
            .connection_timeout(Duration::from_secs(REQUEST_SECONDS_MAX))
            .request_timeout(Some(Duration::from_secs(REQUEST_SECONDS_MAX)))
            .ping_interval(Duration::from_secs(5))
            .reconnect_delay_callback(|attempts| Duration::from_millis((attempts as u64 * 100).min(2000)))
            .event_callback(move |event| {
                note(&event, &health);
                std::future::ready(())
            })
            .connect(nats_url)
            .await
            .map_err(Error::Connect)?;
        Ok(Self { context: jetstream::new(client), domain })
    }

    /// The durable consumer as it is now.
    ///
    /// # Errors
    /// When there is no such stream or consumer, or no answer.
    pub async fn consumer(&self) -> Result<PullConsumer, Error> {
        let name = &self.domain.stream.name;
        let stream = self.context.get_stream_no_info(name).await.map_err(|error| self.stream_error(&error))?;
        stream.get_consumer::<pull::Config>(&self.domain.consumer.durable).await.map_err(|error| {
            let said = error.to_string();
            // The client boxes this error: the server's code is only in its text.
            match said.contains("10014") || said.contains("consumer not found") {
                true => Error::NoConsumer { stream: name.clone(), consumer: self.domain.consumer.durable.clone() },
                false if said.contains("10059") || said.contains("stream not found") => Error::NoStream(name.clone()),
                false => Error::request("asking for the consumer", &said),
            }
        })
    }

    /// What the consumer still has to hand out.
    ///
    /// # Errors
    /// As [`Self::consumer`].
    pub async fn standing(&self) -> Result<Standing, Error> {
        let consumer = self.consumer().await?;
        let info = consumer.cached_info();
        Ok(Standing {
            pending: info.num_pending,
            unacknowledged: info.num_ack_pending as u64,
            ack_floor: info.ack_floor.stream_sequence,
        })
    }

    /// Begins a flow of messages.
    ///
    /// # Errors
    /// As [`Self::consumer`].
    pub async fn fetcher(&self, limits: FetchLimits) -> Result<Fetcher, Error> {
        let consumer = self.consumer().await?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(limits.messages)
            .max_bytes_per_batch(limits.bytes.max(PULL_BYTES_MIN))
            .heartbeat(HEARTBEAT)
            .expires(PULL_EXPIRES)
            .messages()
            .await
            .map_err(|error| Error::request("beginning to pull", &error))?;
        Ok(Fetcher { messages, limits, domain: Arc::clone(&self.domain) })
    }

    /// Acknowledges messages that this process has committed. Lost acknowledgements cost a redelivery, nothing else.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn ack(&self, deliveries: &[Delivery]) -> Result<(), Error> {
        for delivery in deliveries {
            let acked = tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), delivery.ack()).await;
            match acked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(Error::request("acknowledging", &error)),
                Err(elapsed) => return Err(Error::request("acknowledging", &elapsed)),
            }
        }
        Ok(())
    }

    /// Whether everything in the stream has been handled.
    ///
    /// # Errors
    /// When NATS cannot be asked.
    pub async fn is_drained(&self) -> Result<bool, Error> {
        self.standing().await.map(|standing| standing.pending + standing.unacknowledged == 0)
    }

    /// Sends an event to the stream, under an id by which the stream knows it for some time if it is sent again.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn publish(&self, message_id: &str, subject: &str, payload: &str) -> Result<Publication, Error> {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", message_id);
        let sending =
            self.context.publish_with_headers(subject.to_owned(), headers, payload.to_owned().into_bytes().into());
        match tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), sending).await {
            Ok(Ok(answer)) => Ok(Publication { answer, stream: self.domain.stream.name.clone() }),
            Ok(Err(error)) => Err(Error::request("publishing", &error)),
            Err(elapsed) => Err(Error::request("publishing", &elapsed)),
        }
    }

    /// Sends what the client still holds, before the process ends.
    pub async fn flush(&self) {
        let client = self.context.client();
        if tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), client.flush()).await.is_err() {
            tracing::warn!("NATS took too long to take the last acknowledgements; they will be delivered again");
        }
    }
}

/// An event on its way to the stream.
pub struct Publication {
    answer: PublishAckFuture,
    stream: String,
}

impl Publication {
    /// Waits for the stream to have it.
    ///
    /// # Errors
    /// When no stream, or another one, takes it, or no answer comes.
    pub async fn arrived(self) -> Result<(), Error> {
        match tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), self.answer).await {
            Ok(Ok(ack)) if ack.stream == self.stream => Ok(()),
            Ok(Ok(ack)) => Err(Error::request("publishing", &format!("the stream {} took the event", ack.stream))),
            Ok(Err(error)) => Err(Error::request("waiting for the stream to take an event", &error)),
            Err(elapsed) => Err(Error::request("waiting for the stream to take an event", &elapsed)),
        }
    }
}

fn note(event: &async_nats::Event, health: &Health) {
    let label = match event {
        async_nats::Event::Connected => {
            if health.well("nats") {
                tracing::info!("connected to NATS again");
            }
            "connected"
        }
        async_nats::Event::Disconnected => {
            health.trouble("nats", "disconnected, reconnecting");
            "disconnected"
        }
        async_nats::Event::SlowConsumer(_) => "slow_consumer",
        async_nats::Event::LameDuckMode => "lame_duck",
        async_nats::Event::ServerError(_) => "server_error",
        async_nats::Event::ClientError(_) => "client_error",
        async_nats::Event::Draining | async_nats::Event::Closed => "closed",
    };
    metrics::source_event(label);
    match label {
        "connected" | "closed" => tracing::debug!(event = %event, "nats connection"),
        _ => tracing::warn!(event = %event, "nats connection"),
    }
}

/// Bounds of one batch.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Most messages.
    pub messages: usize,
    /// Most bytes of payload; one larger message still makes a batch.
    pub bytes: usize,
}

/// A flow of messages, cut into batches.
pub struct Fetcher {
    messages: pull::Stream,
    limits: FetchLimits,
    domain: Arc<Domain>,
}

/// A decoded batch with the means to acknowledge it.
#[derive(Debug)]
pub struct Fetched {
    /// The messages.
    pub batch: Batch,
    /// As they were delivered.
    pub deliveries: Vec<Delivery>,
}

impl Fetcher {
    /// Waits for a message, then takes what is there already, up to the limits: nothing lingers to fill a batch.
    ///
    /// # Errors
    /// When the flow broke off; a new one must be begun.
    pub async fn next_batch(&mut self) -> Result<Fetched, Error> {
        let first = match self.messages.next().await {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Err(Error::Broken(error.to_string())),
            None => return Err(Error::Broken("the consumer is gone".into())),
        };
        let mut bytes = first.payload.len();
        let mut deliveries = vec![first];
        while deliveries.len() < self.limits.messages && bytes < self.limits.bytes {
            // Without `unconstrained`, tokio's budget for one task would cut batches at some 127 messages.
            match tokio::task::unconstrained(self.messages.next()).now_or_never() {
                Some(Some(Ok(delivery))) => {
                    bytes += delivery.payload.len();
                    deliveries.push(delivery);
                }
                // An error shows again at the next call; what was taken is handled first.
                Some(_) | None => break,
            }
        }
        let messages = deliveries.iter().map(|delivery| message(&self.domain, delivery)).collect();
        Ok(Fetched { batch: Batch { messages }.each_once(), deliveries })
    }

    /// Hands back what was delivered and will not be handled, so that others get it at once.
    pub async fn give_back(mut self) {
        while let Some(Some(Ok(delivery))) = tokio::task::unconstrained(self.messages.next()).now_or_never() {
            if delivery.ack_with(jetstream::AckKind::Nak(None)).await.is_err() {
                return; // they come again when their time to be acknowledged is over
            }
        }
    }
}

/// How old something is, in seconds; never negative.
#[must_use]
pub fn age_seconds(since: DateTime<Utc>) -> f64 {
    Utc::now().signed_duration_since(since).to_std().unwrap_or_default().as_secs_f64()
}

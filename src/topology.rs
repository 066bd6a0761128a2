//! `stream.toml` against JetStream: what differs, and making it so where JetStream can change it in place.

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use crate::domain::{Domain, Retention};

/// One setting that is not as the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The setting, as in `stream.toml`.
    pub setting: &'static str,
    /// What JetStream has.
    pub has: String,
    /// What the file says.
    pub wants: String,
    /// JetStream changes it in place.
    pub can_change: bool,
}

/// What stands between the file and JetStream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// There is no such thing yet.
    Absent,
    /// It is there, and differs in these settings.
    Present(Vec<Difference>),
}

fn stream_config(domain: &Domain) -> Config {
    let wanted = &domain.stream;
    Config {
        name: wanted.name.clone(),
        subjects: wanted.subjects.clone(),
        storage: if wanted.is_file_storage { StorageType::File } else { StorageType::Memory },
        retention: match wanted.retention {
            Retention::Limits => RetentionPolicy::Limits,
            Retention::Interest => RetentionPolicy::Interest,
            Retention::WorkQueue => RetentionPolicy::WorkQueue,
        },
        discard: if wanted.discards_old { DiscardPolicy::Old } else { DiscardPolicy::New },
        max_age: wanted.max_age,
        max_bytes: unlimited(i64::try_from(wanted.max_bytes).unwrap_or(i64::MAX)),
        max_messages: -1,
        max_messages_per_subject: -1,
        duplicate_window: wanted.duplicate_window,
        num_replicas: wanted.replicas,
        allow_direct: true,
        ..Config::default()
    }
}

fn consumer_config(domain: &Domain) -> pull::Config {
    let wanted = &domain.consumer;
    pull::Config {
        durable_name: Some(wanted.durable.clone()),
        name: Some(wanted.durable.clone()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        replay_policy: ReplayPolicy::Instant,
        ack_wait: wanted.ack_wait,
        max_ack_pending: wanted.max_ack_pending,
        max_deliver: -1,
        filter_subjects: wanted.filter_subjects.clone(),
        ..pull::Config::default()
    }
}

/// JetStream writes "no limit" as -1, and takes 0 for it too.
const fn unlimited(limit: i64) -> i64 {
    if limit == 0 { -1 } else { limit }
}

struct Differences(Vec<Difference>);

impl Differences {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, setting: &'static str, can_change: bool, has: &T, wants: &T) {
        if has != wants {
            self.0.push(Difference { setting, has: format!("{has:?}"), wants: format!("{wants:?}"), can_change });
        }
    }
}

fn stream_differences(has: &Config, wants: &Config) -> Vec<Difference> {
    let mut differences = Differences(Vec::new());
    let sorted = |subjects: &[String]| {
        let mut subjects = subjects.to_vec();
        subjects.sort();
        subjects
    };
    differences.compare("stream.subjects", true, &sorted(&has.subjects), &sorted(&wants.subjects));
    differences.compare("stream.storage", false, &has.storage, &wants.storage);
    differences.compare("stream.retention", false, &has.retention, &wants.retention);
    differences.compare("stream.discard", true, &has.discard, &wants.discard);
    differences.compare("stream.max_age", true, &has.max_age, &wants.max_age);
    differences.compare("stream.max_bytes", true, &unlimited(has.max_bytes), &wants.max_bytes);
    differences.compare("stream.duplicate_window", true, &has.duplicate_window, &wants.duplicate_window);
    differences.compare("stream.replicas", true, &has.num_replicas, &wants.num_replicas);
    differences.0
}

fn consumer_differences(has: &pull::Config, wants: &pull::Config) -> Vec<Difference> {
    let mut differences = Differences(Vec::new());
    let filters = |config: &pull::Config| {
        let mut filters = config.filter_subjects.clone();
        filters.extend(Some(config.filter_subject.clone()).filter(|filter| !filter.is_empty()));
        filters.sort();
        filters
    };
    differences.compare("consumer (delivers from the beginning)", false, &has.deliver_policy, &wants.deliver_policy);
    differences.compare("consumer (each message is acknowledged)", false, &has.ack_policy, &wants.ack_policy);
    differences.compare("consumer.ack_wait", true, &has.ack_wait, &wants.ack_wait);
    differences.compare("consumer.max_ack_pending", true, &has.max_ack_pending, &wants.max_ack_pending);
    differences.compare("consumer (delivers without end)", true, &has.max_deliver, &wants.max_deliver);
    differences.compare("consumer.filter_subjects", true, &filters(has), &filters(wants));
    differences.0
}

async fn stream(context: &Context, domain: &Domain) -> anyhow::Result<Option<Stream>> {
    match context.get_stream(&domain.stream.name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(inner) if inner.code() == 404 => Ok(None),
            _ => Err(anyhow::anyhow!("asking NATS for stream {:?}: {error}", domain.stream.name)),
        },
    }
}

async fn consumer(stream: &Stream, domain: &Domain) -> anyhow::Result<Option<pull::Config>> {
    use async_nats::jetstream::consumer::FromConsumer as _;
    let name = &domain.consumer.durable;
    match stream.consumer_info(name).await {
        Ok(info) => match pull::Config::try_from_consumer_config(info.config) {
            Ok(config) => Ok(Some(config)),
            Err(error) => Err(anyhow::anyhow!("the consumer {name:?} is no pull consumer: {error}")),
        },
        Err(error) if error.to_string().contains("not found") => Ok(None),
        Err(error) => Err(anyhow::anyhow!("asking NATS for consumer {name:?}: {error}")),
    }
}

/// Compares stream and consumer with the file.
///
/// # Errors
/// When NATS does not answer.
pub async fn compare(context: &Context, domain: &Domain) -> anyhow::Result<(Comparison, Comparison)> {
    let Some(stream) = stream(context, domain).await? else {
        return Ok((Comparison::Absent, Comparison::Absent));
    };
    let of_stream = stream_differences(&stream.cached_info().config, &stream_config(domain));
    let of_consumer = match consumer(&stream, domain).await? {
        None => Comparison::Absent,
        Some(has) => Comparison::Present(consumer_differences(&has, &consumer_config(domain))),
    };
    Ok((Comparison::Present(of_stream), of_consumer))
}

/// What `apply` did to one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It was made.
    Created,
    /// It was as the file says.
    Unchanged,
    /// These settings were changed.
    Changed(Vec<Difference>),
}

/// Creates or updates the stream and the consumer. What JetStream cannot change in place is an error, not forced.
///
/// # Errors
/// When NATS refuses, or does not answer, or a difference cannot be changed.
pub async fn apply(context: &Context, domain: &Domain) -> anyhow::Result<(Applied, Applied)> {
    let (of_stream, of_consumer) = compare(context, domain).await?;
    refuse_unchangeable(&of_stream, &of_consumer)?;
    let stream_applied = match of_stream {
        Comparison::Absent => {
            context.create_stream(stream_config(domain)).await.map_err(|error| {
                let hint = match error.kind() {
                    CreateStreamErrorKind::JetStream(inner) if inner.code() == 400 => {
                        "\n  hint: another stream may capture one of these subjects: `nats stream ls --subjects`"
                    }
                    _ => "",
                };
                anyhow::anyhow!("creating stream {:?}: {error}{hint}", domain.stream.name)
            })?;
            Applied::Created
        }
        Comparison::Present(differences) if differences.is_empty() => Applied::Unchanged,
        Comparison::Present(differences) => {
            let current = stream(context, domain).await?.map(|stream| stream.cached_info().config.clone());
            // What the file does not speak of stays as an operator has set it.
            let wanted = stream_config(domain);
            let config = Config {
                subjects: wanted.subjects,
                discard: wanted.discard,
                max_age: wanted.max_age,
                max_bytes: wanted.max_bytes,
                duplicate_window: wanted.duplicate_window,
                num_replicas: wanted.num_replicas,
                ..current.unwrap_or_default()
            };
            context
                .update_stream(config)
                .await
                .map_err(|error| anyhow::anyhow!("changing stream {:?}: {error}", domain.stream.name))?;
            Applied::Changed(differences)
        }
    };
    let consumer_applied = apply_consumer(context, domain, of_consumer).await?;
    Ok((stream_applied, consumer_applied))
}

async fn apply_consumer(context: &Context, domain: &Domain, comparison: Comparison) -> anyhow::Result<Applied> {
    let name = &domain.stream.name;
    let stream = context.get_stream_no_info(name).await.map_err(|error| anyhow::anyhow!("stream {name:?}: {error}"))?;
    let fault = |error: &dyn std::fmt::Display| anyhow::anyhow!("consumer {:?}: {error}", domain.consumer.durable);
    match comparison {
        Comparison::Absent => {
            stream.create_consumer_strict(consumer_config(domain)).await.map_err(|error| fault(&error))?;
            Ok(Applied::Created)
        }
        Comparison::Present(differences) if differences.is_empty() => Ok(Applied::Unchanged),
        Comparison::Present(differences) => {
            stream.update_consumer(consumer_config(domain)).await.map_err(|error| fault(&error))?;
            Ok(Applied::Changed(differences))
        }
    }
}

fn refuse_unchangeable(stream: &Comparison, consumer: &Comparison) -> anyhow::Result<()> {
    let all = [stream, consumer].into_iter().flat_map(|comparison| match comparison {
        Comparison::Absent => [].iter(),
        Comparison::Present(differences) => differences.iter(),
    });
    let fixed: Vec<String> = all
        .filter(|difference| !difference.can_change)
        .map(|difference| format!("{} is {}, the file says {}", difference.setting, difference.has, difference.wants))
        .collect();
    anyhow::ensure!(
        fixed.is_empty(),
        "JetStream cannot change this in place, and nothing was changed: {}\n  hint: change stream.toml back, or make \
         a new stream by hand and move the messages",
        fixed.join("; ")
    );
    Ok(())
}

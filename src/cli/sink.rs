//! Where ClickHouse is, by flag or environment.

use crate::error::Failure;
use crate::sink::{self, Sink};

/// Settings of the verbs that speak to ClickHouse.
#[derive(Debug, clap::Args)]
pub(super) struct SinkSettings {
    /// Where ClickHouse is: http://user:password@host:port; without it, everything but analytics works
    #[arg(long, env = "CLICKHOUSE_URL", global = true, hide_env_values = true, value_name = "URL")]
    clickhouse_url: Option<String>,
    /// Who asks, unless the URL says it
    #[arg(long, env = "CLICKHOUSE_USER", global = true, value_name = "NAME")]
    clickhouse_user: Option<String>,
    /// Their password, unless the URL says it; better in the environment than on the command line
    #[arg(long, env = "CLICKHOUSE_PASSWORD", global = true, hide_env_values = true, value_name = "TEXT")]
    clickhouse_password: Option<String>,
    /// The database of the analytics tables
    #[arg(long, env = "CLICKHOUSE_DATABASE", global = true, default_value = "milepost", value_name = "NAME")]
    clickhouse_database: String,
    /// The cluster whose servers hold replicas of the analytics tables; without it, one server
    #[arg(long, env = "CLICKHOUSE_CLUSTER", global = true, value_name = "NAME")]
    clickhouse_cluster: Option<String>,
}

impl SinkSettings {
    /// The sink, or none when no address is given. Empty variables count as none: compose files set them so.
    pub(super) fn sink(&self) -> Result<Option<Sink>, Failure> {
        let given = |setting: &Option<String>| setting.clone().filter(|text| !text.is_empty());
        let Some(url) = given(&self.clickhouse_url) else {
            return Ok(None);
        };
        let settings = sink::Settings {
            url,
            user: given(&self.clickhouse_user),
            password: given(&self.clickhouse_password),
            database: Some(self.clickhouse_database.clone())
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "milepost".into()),
            cluster: given(&self.clickhouse_cluster),
        };
        Sink::new(&settings).map(Some).map_err(|fault| Failure::Configuration(vec![fault]))
    }
}

//! The database as the service sees it, which may change no table and delete no history.

use tokio::sync::OnceCell;

use super::World;

const ROLES: &str = include_str!("../../../deploy/postgres/roles.sql");
/// Roles belong to the server that all tests share: two that make them at once would be in each other's way.
static ROLES_MADE: OnceCell<()> = OnceCell::const_new();

impl World {
    /// Runs `deploy/postgres/roles.sql`.
    pub(crate) async fn grant_roles(&self) {
        ROLES_MADE.get_or_init(|| self.execute(ROLES)).await;
        self.execute(ROLES).await;
    }

    /// The URL of the database for a role of the service.
    pub(crate) async fn as_service(&self) -> String {
        self.grant_roles().await;
        let role = format!("service_{}", uuid::Uuid::new_v4().simple());
        self.execute(&format!("create role {role} login in role milepost_writer")).await;
        let restricted = self.database_url.replace("postgres@", &format!("{role}@"));
        assert_ne!(restricted, self.database_url, "another role");
        restricted
    }
}

//! The database as the service sees it, which may change no table and delete no history.

use super::World;

impl World {
    /// Runs `deploy/postgres/roles.sql`.
    pub(crate) async fn grant_roles(&self) {
        self.execute(include_str!("../../../deploy/postgres/roles.sql")).await;
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

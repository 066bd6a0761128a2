//! Tests on real servers: one binary. `make test` starts a Postgres for all of them; each test has a database and
//! a NATS server of its own, so that all run in parallel. Nothing is mocked, nothing waits by sleeping.

mod support;

mod flow; // the whole path, as the README shows it

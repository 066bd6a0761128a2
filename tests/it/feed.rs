//! What is carried into ClickHouse, and that it is proved.

mod carried;
mod contents;
mod holding;
mod independence;
mod killed;
mod odd;
mod personal;
mod proof;
mod rebuild;
mod repair;

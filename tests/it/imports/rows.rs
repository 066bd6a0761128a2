//! The same row, in whatever format and spelling, is the same event.

use std::fmt::Write as _;

use milepost::domain::{Domain, Source};
use milepost::import::{Made, Table, batch_id, make, recognise};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

/// The events of a file whose headers say what it is.
fn events(domain: &Domain, text: &str) -> Vec<Made> {
    let table = Table::read(text.as_bytes(), false, &[]).expect("a table");
    let index = recognise(&domain.imports.declarations, &table.headers).expect("an entity");
    let declaration = &domain.imports.declarations[index];
    let batch = batch_id(&declaration.entity, "s", text);
    let rows = table.rows(Some(declaration)).map(|row| row.expect("a row"));
    rows.flat_map(|row| make(domain, declaration, &row, batch).expect("events")).collect()
}

fn said(made: &[Made]) -> Vec<(Uuid, Uuid)> {
    made.iter().map(|made| (made.event.id, made.event.content_hash)).collect()
}

proptest! {
    #![proptest_config(crate::support::cases(64))]

    #[test]
    fn feedback_as_csv_and_as_ndjson_is_the_same(
        rows in prop::collection::vec((any::<u128>(), any::<u128>(), 0_u32..=50, "[a-zåß ,;\"\n'-]{0,30}", 0_i64..4_000_000_000), 1..8),
        separator in prop::sample::select(vec![",", ";", "\t"]),
    ) {
        let domain = Domain::load(&Source::BuiltIn).expect("the folder");
        let mut csv = ["id", "Match ID", "FROM_ROLE", "rating", "feedback-text", "submittedAt"].join(separator);
        let mut lines = String::new();
        for (id, of, stars, text, at) in &rows {
            let (id, of) = (Uuid::from_u128(*id), Uuid::from_u128(*of));
            let at = chrono::DateTime::from_timestamp(*at, 0).expect("a time");
            let stars = format!("{}.{}", stars / 10, stars % 10);
            let cells = [id.to_string().to_uppercase(), of.to_string(), "Buddy".to_owned(), stars.clone(),
                format!("\"{}\"", text.replace('"', "\"\"")), at.format("%Y-%m-%d %H:%M:%S+00").to_string()];
            write!(csv, "\n{}", cells.join(separator)).expect("a text");
            let rating: serde_json::Number = serde_json::from_str(&stars).expect("a number");
            let row = json!({"feedbackId": id, "matchId": of, "fromRole": "buddy", "rating": rating, "feedbackText": text,
                "submittedAt": at.to_rfc3339()});
            writeln!(lines, "{row}").expect("a text");
        }
        let (from_csv, from_json) = (events(&domain, &csv), events(&domain, &lines));
        prop_assert_eq!(from_csv.len(), rows.len());
        prop_assert_eq!(said(&from_csv), said(&from_json));
        let array = format!("[{}]", lines.trim().replace('\n', ",\n"));
        prop_assert_eq!(said(&from_csv), said(&events(&domain, &array)));
    }

    #[test]
    fn whatever_a_file_holds_it_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,200}", is_lines: bool) {
        for bytes in [bytes, text.into_bytes()] {
            if let Ok(table) = Table::read(&bytes, is_lines, &[]) {
                prop_assert!(table.rows(None).count() > 0);
            }
        }
    }
}

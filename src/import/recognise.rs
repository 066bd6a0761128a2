//! Which entity a file holds, by its headers.

use super::declare::Declaration;
use super::fault::Fault;

/// Headers that no column of the entity has.
#[must_use]
pub fn unknown_columns<'h>(declaration: &Declaration, headers: &'h [String]) -> Vec<&'h str> {
    let headers = headers.iter().map(String::as_str);
    headers.filter(|header| declaration.column(header).is_none()).collect()
}

/// The entity of which the file has all columns that it must have. Of several, the one that leaves fewest columns over.
///
/// # Errors
/// When there is none, or when there are several.
pub fn recognise(declarations: &[Declaration], headers: &[String]) -> Result<usize, Fault> {
    let mut candidates: Vec<(usize, usize)> = Vec::new();
    for (index, declaration) in declarations.iter().enumerate() {
        if declaration.lacking(headers).is_empty() {
            candidates.push((unknown_columns(declaration, headers).len(), index));
        }
    }
    candidates.sort_unstable();
    let names = |indexes: &mut dyn Iterator<Item = usize>| {
        indexes.map(|index| declarations[index].entity.as_str()).collect::<Vec<_>>().join(", ")
    };
    match candidates[..] {
        [] => Err(Fault::of_file(
            format!("has not all columns of any of {}", names(&mut (0..declarations.len()))),
            "say which entity it is with --entity: what is missing is named then",
        )),
        [(best, _), (next, _), ..] if best == next => {
            let alike = candidates.iter().filter(|(unknown, _)| *unknown == best);
            let names = names(&mut alike.map(|(_, index)| *index));
            Err(Fault::of_file(format!("may be any of {names}"), "say which with --entity"))
        }
        [(_, index), ..] => Ok(index),
    }
}

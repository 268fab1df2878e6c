//! Lists in pages: each says where the next one begins.

use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::error::Error;

/// Entries of a page, if the caller does not say.
const USUAL: u32 = 50;
/// The most of them.
const MOST: u32 = 500;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The entries.
    items: Vec<T>,
    /// What to give as `after` for the next page; none after the last.
    next: Option<String>,
}

impl<T> Page<T> {
    /// Of a list that was asked for one entry more than fits.
    pub fn new(mut items: Vec<T>, limit: usize, mark: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(mark);
        Self { items, next }
    }

    /// All there is.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// How many entries a page gets.
pub(super) fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit as usize),
        limit => {
            let error = Error::usage(format!("\"limit\" is {limit}"))
                .with_remedy(format!("ask for 1 to {MOST} entries at once"));
            Err(Problem::refused(&error))
        }
    }
}

//! Rights that a login lacks for what a run does, for the person who may grant them.

use std::fmt;

use crate::plugin::{ByKey, WriteMode, WritePlan};

/// A right that the login lacks, or several on the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The right, as in `INSERT` or `INSERT, UPDATE`.
    pub right: String,
    /// What on, as in `table app.orders`.
    pub on: String,
    /// What gives it: a statement, if the engine has one.
    pub remedy: String,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.right, self.on)
    }
}

/// What a run does to its target.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// How rows are written.
    pub plan: &'a WritePlan,
    /// Whether the table is missing and is created first.
    pub creates_table: bool,
    /// Whether rows that only the target has are deleted.
    pub deletes: bool,
}

impl Work<'_> {
    /// Whether rows may be inserted.
    pub fn inserts(&self) -> bool {
        self.plan.mode == WriteMode::Insert || self.plan.by_key != ByKey::Update
    }

    /// Whether rows that are there may be changed.
    pub fn updates(&self) -> bool {
        self.plan.mode == WriteMode::Upsert && self.plan.by_key != ByKey::Replace
    }

    /// Whether rows may be deleted, be it only to be put in again.
    pub fn deletes(&self) -> bool {
        let replaces = self.plan.mode == WriteMode::Upsert && self.plan.by_key == ByKey::Replace;
        self.deletes || replaces
    }

    /// Whether shards leave markers.
    pub fn marks(&self) -> bool {
        self.plan.mode == WriteMode::Insert
    }
}

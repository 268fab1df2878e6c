//! What a case of a whole table is.

/// A table on its way. `{s}` and `{t}` stand for the tables' names; double quotes become MySQL's.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// What it is about, for people.
    pub name: &'static str,
    /// Between these engines.
    pub pairs: &'static [(&'static str, &'static str)],
    /// Makes and fills the source.
    pub source: &'static str,
    /// Makes the target; goshift creates it without.
    pub target: &'static str,
    /// The task's.
    pub params: &'static str,
    /// What an application runs in the target afterwards.
    pub then: &'static str,
    /// How it must end.
    pub end: End,
}

/// How a case ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// `goshift verify` finds both sides equal, and then the query gives these rows.
    Equal(&'static str, &'static [&'static str]),
    /// The run fails and says all of this; so many rows are in the target.
    Fails(&'static [&'static str], &'static str),
    /// The task is refused before a row moves, and all of this is said.
    Refused(&'static [&'static str]),
}

/// A case whose target goshift creates.
pub const fn created(
    name: &'static str,
    pairs: &'static [(&'static str, &'static str)],
    source: &'static str,
    end: End,
) -> Table {
    Table { name, pairs, source, target: "", params: "", then: "", end }
}

impl Table {
    /// Into a table that is there.
    pub const fn into(self, target: &'static str) -> Self {
        Self { target, ..self }
    }

    /// With these params.
    pub const fn with(self, params: &'static str) -> Self {
        Self { params, ..self }
    }

    /// An application runs this in the target afterwards.
    pub const fn then(self, then: &'static str) -> Self {
        Self { then, ..self }
    }
}

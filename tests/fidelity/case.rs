//! What a case of the fidelity matrix is.

/// A row's value as a literal of the source, and the text that the target must print for it.
pub type Row = (&'static str, &'static str);

/// The target must print what the source prints.
pub const SAME: &str = "=";

/// One kind of value on its way between two engines.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is about, for people.
    pub name: &'static str,
    /// The source column's type, with all that stands behind its name.
    pub from: &'static str,
    /// The target column's; goshift creates the table without.
    pub to: Option<&'static str>,
    /// The rows, with the ids 1, 2, 3 …
    pub rows: &'static [Row],
    /// How the column `v` is read in the source and in the target; as text without.
    pub read: Option<(&'static str, &'static str)>,
    /// What is run in the source, and in the target, before the tables are made.
    pub before: (&'static str, &'static str),
    /// How it must end.
    pub outcome: Outcome,
    /// The task's policies, as JSON.
    pub values: &'static str,
    /// What a refusal names: the column, or the constraint.
    pub names: &'static str,
}

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target has the same values.
    Equal,
    /// The run fails at the last row: it names table, column (or constraint) and key, and the target
    /// holds nothing.
    Fails,
    /// As [`Outcome::Equal`] once a declared policy has changed so many values, which the run says.
    Policy(u32),
    /// The task is refused before a row moves, and the column is named.
    Refused,
}

/// A case whose values arrive as they are.
pub const fn equal(name: &'static str, from: &'static str, rows: &'static [Row]) -> Case {
    let (before, outcome) = (("", ""), Outcome::Equal);
    Case { name, from, to: None, rows, read: None, before, outcome, names: "v", values: "" }
}

/// A case in which a declared policy changes so many values.
pub const fn policy(
    name: &'static str,
    values: &'static str,
    (from, to): (&'static str, &'static str),
    rows: &'static [Row],
    count: u32,
) -> Case {
    Case { outcome: Outcome::Policy(count), values, ..equal(name, from, rows).into(to) }
}

/// A case whose last row can't be kept as it is.
pub const fn fails(
    name: &'static str,
    from: &'static str,
    to: &'static str,
    rows: &'static [Row],
) -> Case {
    Case { outcome: Outcome::Fails, ..equal(name, from, rows).into(to) }
}

/// A case whose types can't be trusted with each other.
pub const fn refused(
    name: &'static str,
    from: &'static str,
    to: &'static str,
    rows: &'static [Row],
) -> Case {
    Case { outcome: Outcome::Refused, ..equal(name, from, rows).into(to) }
}

impl Case {
    /// Into a column that is there.
    pub const fn into(self, to: &'static str) -> Self {
        Self { to: Some(to), ..self }
    }

    /// Read in this way in the source and in the target.
    pub const fn read(self, source: &'static str, target: &'static str) -> Self {
        Self { read: Some((source, target)), ..self }
    }

    /// With this run in the source, and in the target, before.
    pub const fn after(self, source: &'static str, target: &'static str) -> Self {
        Self { before: (source, target), ..self }
    }

    /// A refusal by this constraint.
    pub const fn naming(self, names: &'static str) -> Self {
        Self { names, ..self }
    }
}

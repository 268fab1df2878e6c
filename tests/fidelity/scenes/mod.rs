//! Cases that take more than a table: other programs, other sessions.

mod busy;
mod moving;
mod sessions;

use futures::future::BoxFuture;

use crate::support::Site;

/// Something that happens around a copy.
pub struct Scene {
    /// What it is about, for people.
    pub name: &'static str,
    /// How it ends.
    pub outcome: &'static str,
    /// Plays it, and panics if it ends otherwise.
    pub play: fn(Site) -> BoxFuture<'static, ()>,
}

/// All of them.
pub const ALL: &[Scene] = &[
    Scene {
        name: "SQLite: another program holds the file's write lock for a while",
        outcome: "waited for, equal",
        play: |site| Box::pin(busy::waited_for(site)),
    },
    Scene {
        name: "SQLite: another program holds the file's write lock for more than 30 seconds",
        outcome: "tried again, the warning names the file, the table and the lock; equal",
        play: |site| Box::pin(busy::tried_again(site)),
    },
    Scene {
        name: "PostgreSQL: rows are updated while they are read",
        outcome: "each row once, as it was at some moment; equal by the next run",
        play: |site| Box::pin(moving::rows_that_change(site, "postgres")),
    },
    Scene {
        name: "MySQL: rows are updated while they are read",
        outcome: "each row once, as it was at some moment; equal by the next run",
        play: |site| Box::pin(moving::rows_that_change(site, "mysql")),
    },
    Scene {
        name: "PostgreSQL: a login with a time zone, date style, number of digits, encoding and quoting of its own",
        outcome: "equal",
        play: |site| Box::pin(sessions::odd_login(site)),
    },
    Scene {
        name: "PostgreSQL: a table name of 64 bytes beside a table that has its first 63",
        outcome: "refused, the other table is left alone",
        play: |site| Box::pin(sessions::a_name_that_would_be_cut(site)),
    },
];

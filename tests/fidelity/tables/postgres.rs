//! Partitioned tables and inheritance.

use super::case::{
    End::{Equal, Fails, Refused},
    Table, created,
};

const PARTITIONED: &str = "CREATE TABLE {s} (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); \
     CREATE TABLE {s}_low PARTITION OF {s} FOR VALUES FROM (MINVALUE) TO (10); \
     CREATE TABLE {s}_high PARTITION OF {s} FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id); \
     CREATE TABLE {s}_ten PARTITION OF {s}_high FOR VALUES IN (10); \
     CREATE TABLE {s}_rest PARTITION OF {s} DEFAULT; \
     INSERT INTO {s} VALUES (-1, 'a'), (9, 'b'), (10, 'c'), (25, 'd')";
const HEIRS: &str = "CREATE TABLE {s} (id int PRIMARY KEY, v text); \
     CREATE TABLE {s}_child (more int) INHERITS ({s}); \
     CREATE TABLE {s}_grandchild () INHERITS ({s}_child); \
     INSERT INTO {s} VALUES (1, 'a'), (2, 'b'); INSERT INTO {s}_child VALUES (3, 'c', 0); \
     INSERT INTO {s}_grandchild VALUES (4, 'd', 0)";
const TWICE: &str = "CREATE TABLE {s} (id int PRIMARY KEY, v text); \
     CREATE TABLE {s}_child () INHERITS ({s}); \
     INSERT INTO {s} VALUES (1, 'a'), (2, 'b'); INSERT INTO {s}_child VALUES (2, 'other')";
const PLAIN: &str = "CREATE TABLE {s} (id int NOT NULL PRIMARY KEY, v varchar(20)); \
     INSERT INTO {s} VALUES (1, 'a'), (12, 'b')";
const ROWS: &str = "SELECT id, v FROM {t} ORDER BY id";
const PG_ROWS: &str = "SELECT id::text, v FROM {t} ORDER BY {t}.id, v";
const OTHERS: &[(&str, &str)] = &[("postgres", "mysql"), ("postgres", "sqlite")];
const ALIKE: &[(&str, &str)] = &[("postgres", "postgres")];
const KEYED: &str = "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(20))";
const SMALL: &str = r#"{"read_batch": 1, "worker_num": 3}"#;
const BY_ID: &str = r#"{"split": {"pk": ["id"]}, "read_batch": 1, "worker_num": 3}"#;

pub const TABLES: &[Table] = &[
    created(
        "a partitioned table",
        OTHERS,
        PARTITIONED,
        Equal(ROWS, &["-1 a", "9 b", "10 c", "25 d"]),
    )
    .with(SMALL),
    created(
        "a partitioned table",
        ALIKE,
        PARTITIONED,
        Equal(PG_ROWS, &["-1 a", "9 b", "10 c", "25 d"]),
    )
    .with(SMALL),
    created(
        "one partition",
        ALIKE,
        "CREATE TABLE {s}_root (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); \
         CREATE TABLE {s} PARTITION OF {s}_root FOR VALUES FROM (0) TO (10); \
         CREATE TABLE {s}_rest PARTITION OF {s}_root DEFAULT; \
         INSERT INTO {s}_root VALUES (1, 'a'), (12, 'b')",
        Equal(PG_ROWS, &["1 a"]),
    ),
    created(
        "into a partitioned table",
        &[("mysql", "postgres"), ("postgres", "postgres"), ("sqlite", "postgres")],
        PLAIN,
        Equal(
            "SELECT tableoid::regclass::text = '{t}_low', id::text, v FROM {t} ORDER BY {t}.id",
            &["t 1 a", "f 12 b"],
        ),
    )
    .into(
        "CREATE TABLE {t} (id int PRIMARY KEY, v varchar(20)) PARTITION BY RANGE (id); \
         CREATE TABLE {t}_low PARTITION OF {t} FOR VALUES FROM (0) TO (10); \
         CREATE TABLE {t}_high PARTITION OF {t} FOR VALUES FROM (10) TO (20); \
         INSERT INTO {t} VALUES (1, 'old')",
    ),
    created(
        "a row that no partition takes",
        &[("mysql", "postgres"), ("postgres", "postgres"), ("sqlite", "postgres")],
        PLAIN,
        Fails(&["{t}", "no partition"], "0"),
    )
    .into(
        "CREATE TABLE {t} (id int PRIMARY KEY, v varchar(20)) PARTITION BY RANGE (id); \
         CREATE TABLE {t}_low PARTITION OF {t} FOR VALUES FROM (0) TO (10)",
    ),
    created(
        "a table that others inherit from, with their rows",
        OTHERS,
        HEIRS,
        Equal(ROWS, &["1 a", "2 b", "3 c", "4 d"]),
    ),
    created(
        "a table that others inherit from, with their rows",
        ALIKE,
        HEIRS,
        Equal(PG_ROWS, &["1 a", "2 b", "3 c", "4 d"]),
    ),
    created(
        "a table that others inherit from, by a key that holds",
        OTHERS,
        HEIRS,
        Equal(ROWS, &["1 a", "2 b", "3 c", "4 d"]),
    )
    .into(KEYED)
    .with(BY_ID),
    created(
        "a child and its parent share a key, a target without one",
        ALIKE,
        TWICE,
        Equal(PG_ROWS, &["1 a", "2 b", "2 other"]),
    )
    .with(BY_ID),
    created(
        "a child and its parent share a key, a target with one",
        ALIKE,
        TWICE,
        Fails(&["{t}", "key"], "0"),
    )
    .into(KEYED),
    created(
        "a child and its parent share a key, one of both is there",
        ALIKE,
        TWICE,
        Fails(&["{t}", "key"], "1"),
    )
    .into(
        "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v text); INSERT INTO {t} VALUES (2, 'b')",
    ),
    created(
        "a child and its parent share a key, a target with one",
        OTHERS,
        TWICE,
        Fails(&["{t}", "share the key (id)"], "2"),
    )
    .into(KEYED)
    .with(BY_ID),
    created(
        "only a child's rows",
        ALIKE,
        "CREATE TABLE {s}_parent (id int, v text); \
         CREATE TABLE {s} (PRIMARY KEY (id)) INHERITS ({s}_parent); \
         INSERT INTO {s}_parent VALUES (1, 'a'); INSERT INTO {s} VALUES (2, 'b')",
        Equal(PG_ROWS, &["2 b"]),
    ),
    created(
        "into a parent whose child may have the key",
        &[("mysql", "postgres"), ("postgres", "postgres"), ("sqlite", "postgres")],
        PLAIN,
        Refused(&["{t}", "no key that tells rows apart"]),
    )
    .into(
        "CREATE TABLE {t} (id int PRIMARY KEY, v varchar(20)); \
         CREATE TABLE {t}_child () INHERITS ({t}); INSERT INTO {t}_child VALUES (1, 'child')",
    ),
];

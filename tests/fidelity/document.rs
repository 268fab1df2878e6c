//! `docs/FIDELITY.md`: the table that users read.

use crate::case::{Case, Outcome};
use crate::cases;
use crate::scenes::{self, Scene};
use crate::support::ENGINES;
use crate::tables::{self, End, Table};

const HEAD: &str = "# What becomes of each kind of value

Written by `cargo test --test fidelity` from the cases that it runs against real servers; do not edit.
*equal*: the target prints the same value, or the one shown. *fails*: the run fails, naming table, column
and key, and the target holds nothing of that shard. *policy*: the task's `values` say what
becomes of it, and the run says of how many; here with the policy shown. *refused*: the task is refused before a row moves,
naming the column.

Behind the values stand whole tables (keys, names, triggers, partitions, what an application does next),
and scenes that take more than a table: other programs, other sessions. A table that fails since its rows
share a key in the target, or by `verify`, was found out when its rows were in: they stay there, and the
run has failed.

";

/// The whole document.
pub fn text() -> String {
    let pairs = ENGINES.iter().flat_map(|&from| ENGINES.iter().map(move |&to| (from, to)));
    let pairs: Vec<_> = pairs.map(|(from, to)| (from, to, cases::of(from, to))).collect();
    let mut text = HEAD.to_owned();
    text += "| from → to | cases | equal | policy | fails | refused |\n|---|---|---|---|---|---|\n";
    let mut all = Vec::new();
    for (from, to, cases) in &pairs {
        text += &format!("| {from} → {to} {}\n", counts(cases));
        all.extend(cases.iter().copied());
    }
    text += &format!("| all {}\n", counts(&all));
    for (from, to, cases) in &pairs {
        text += &format!(
            "\n## {from} → {to}\n\n| value | source column | target column | outcome |\n|---|---|---|---|\n"
        );
        for case in cases {
            text += &line(case);
        }
    }
    let tables = tables::all();
    text += "\n## Whole tables\n\n| cases | equal | fails | refused |\n|---|---|---|---|\n";
    text += &table_counts(&tables);
    text += "\n| table | from → to | outcome |\n|---|---|---|\n";
    text += &tables.iter().map(table_line).collect::<String>();
    text += "\n## Scenes\n\n| scene | outcome |\n|---|---|\n";
    text += &scenes::ALL.iter().map(scene_line).collect::<String>();
    text
}

/// A table counts once for each pair that it is run over.
fn table_counts(tables: &[Table]) -> String {
    let of = |end: fn(&End) -> bool| {
        tables.iter().filter(|table| end(&table.end)).map(|table| table.pairs.len()).sum::<usize>()
    };
    let equal = of(|end| matches!(end, End::Equal(..)));
    let fails = of(|end| matches!(end, End::Fails(..)));
    let refused = of(|end| matches!(end, End::Refused(..)));
    format!("| {} | {equal} | {fails} | {refused} |\n", equal + fails + refused)
}

fn table_line(table: &Table) -> String {
    let outcome = match table.end {
        End::Equal(..) => "equal",
        End::Fails(..) => "fails",
        End::Refused(..) => "refused",
    };
    let pairs: Vec<_> = table.pairs.iter().map(|(from, to)| format!("{from} → {to}")).collect();
    format!("| {} | {} | {outcome} |\n", table.name.replace('|', "\\|"), pairs.join(", "))
}

fn scene_line(scene: &Scene) -> String {
    format!("| {} | {} |\n", scene.name, scene.outcome)
}

fn counts(cases: &[Case]) -> String {
    let of = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    let (equal, fails, refused) = (of(Outcome::Equal), of(Outcome::Fails), of(Outcome::Refused));
    let policy = cases.len() - equal - fails - refused;
    format!("| {} | {equal} | {policy} | {fails} | {refused} |", cases.len())
}

fn line(case: &Case) -> String {
    let outcome = match case.outcome {
        Outcome::Equal => "equal".to_owned(),
        Outcome::Policy(_) => format!("policy `{}`", case.values),
        Outcome::Fails => "fails".to_owned(),
        Outcome::Refused => "refused".to_owned(),
    };
    let code = |text: &str| format!("`{}`", text.replace('|', "\\|"));
    let to = case.to.map_or("created".to_owned(), code);
    format!("| {} | {} | {to} | {outcome} |\n", case.name.replace('|', "\\|"), code(case.from))
}

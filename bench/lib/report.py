"""report.py FOLDER: what samples.tsv and conditions.tsv there say, as Markdown; the ways by their
names come from `list_ways` on standard input. The bars are those of issue 4."""

import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

ENGINES = {"mysql": "MySQL", "postgres": "PostgreSQL", "sqlite": "SQLite"}
TABLES = ["orders", "lineitem", "wide"]
folder = Path(sys.argv[1])
ways = [tuple(line.rstrip("\n").split(" ", 4)) for line in sys.stdin]
conditions = defaultdict(dict)
for line in (folder / "conditions.tsv").read_text().splitlines():
    table, key, value = line.split("\t", 2)
    conditions[table][key] = value


class Way:
    """The samples of one way in one case on one table."""

    def __init__(self):
        self.seconds, self.peak, self.share, self.bad = [], [], [], []

    def add(self, seconds, peak, own, servers, verdict):
        if verdict != "ok":
            self.bad.append(verdict)
        self.seconds.append(float(seconds))
        if peak != "-":
            self.peak.append(int(peak) / 1024)
            self.share.append(float(own) / max(float(own) + float(servers), 0.01))

    @property
    def failed(self):
        return any(verdict.startswith("failed") for verdict in self.bad)


samples = defaultdict(Way)
for line in (folder / "samples.tsv").read_text().splitlines():
    table, pair, way, _, *figures = line.split("\t")
    samples[table, pair, way].add(*figures)


def time(table, pair, way="goshift"):
    """The median seconds, None if it wasn't measured or failed."""
    found = samples.get((table, pair, way))
    return None if found is None or found.failed else median(found.seconds)


def title(pair):
    return " → ".join(ENGINES[side] for side in pair.split("-"))


def row(table, pair, way, role, name, base):
    found = samples.get((table, pair, way))
    if found is None:
        return None
    if found.failed:
        return f"| {name} | {'**fails**' if role == 'ours' else 'fails'} | | | | | | |"
    seconds = median(found.seconds)
    count = len(found.seconds)
    notes = [] if count > 1 else ["once"]
    if found.bad:
        notes.append("**result differs from the source**")
    cells = [
        name,
        f"{seconds:.2f}",
        f"{min(found.seconds):.2f}–{max(found.seconds):.2f}" if count > 1 else "",
        f"{int(conditions[table]['rows']) / seconds:,.0f}",
        f"{seconds / base:.2f}" if base else "",
        f"{max(found.peak):.0f}" if found.peak else "",
        f"{median(found.share):.0%}" if found.share else "",
        ", ".join(notes),
    ]
    return f"| {' | '.join(cells)} |"


def section(table):
    facts = conditions[table]
    print(f"\n## {table}: {int(facts['rows']):,} rows, {int(facts['bytes']) / 1e6:,.0f} MB as text\n")
    rounds = max(len(way.seconds) for key, way in samples.items() if key[0] == table)
    earlier = " Some of it was measured before that." if facts.get("earlier", "0") != "0" else ""
    print(f"Median of {rounds}; begun {facts['date']} UTC, load average {facts['load']}.{earlier}")
    for pair in dict.fromkeys(way[0] for way in ways):
        base = next((time(table, p, w) for p, w, _, role, _ in ways
                     if p == pair and role == "ours" and time(table, p, w)), None)
        rows = [row(table, pair, w, role, name, base) for p, w, _, role, name in ways if p == pair]
        if any(rows):
            print(f"\n### {title(pair)}\n")
            print("| | seconds | least–most | rows/s | ÷ goshift | peak MiB | CPU | |")
            print("|---|---:|---:|---:|---:|---:|---:|---|")
            print("\n".join(filter(None, rows)))


def small():
    print("\n## A table of 10 rows\n")
    print("| `goshift -id N`, the whole process | median ms | least–most |\n|---|---:|---:|")
    for pair in ("mysql-mysql", "postgres-postgres"):
        if found := samples.get(("small", pair, "goshift")):
            ms = [s * 1000 for s in found.seconds]
            print(f"| {title(pair)} | {median(ms):.1f} | {min(ms):.1f}–{max(ms):.1f} |")


def bar(text, figure, bound, most, unit=" ×"):
    """A line of the table of bars; `most`: whether the bound is an upper one."""
    if figure is None:
        print(f"| {text} | not measured, or it failed | | |")
        return
    met = figure <= bound if most else figure >= bound
    sign = "≤" if most else "≥"
    print(f"| {text} | {figure:.2f}{unit} | {sign} {bound:.2f}{unit} | {'met' if met else '**missed**'} |")


def ratio(above, below):
    return above / below if above and below else None


def table_bars(table, slack):
    """`slack`: how much worse than on orders a ratio may be."""
    def most(text, above, below, bound):
        bar(f"{table}, {text}", ratio(above, below), bound * slack, True)

    def least(text, pair, peer, bound, way="goshift"):
        bar(f"{table}, {text}", ratio(time(table, pair, peer), time(table, pair, way)), bound / slack, False)

    for way, place in (("goshift", "on one server"), ("goshift_apart", "as between two")):
        name, took = f"MySQL → MySQL {place}", time(table, "mysql-mysql", way)
        most(f"{name} ÷ `INSERT … SELECT`", took, time(table, "mysql-mysql", "insert_select"), 1.25)
        least(f"{name}, faster than mydumper + myloader", "mysql-mysql", "mydumper", 1.5, way)
        least(f"{name}, faster than mysqldump \\| mysql", "mysql-mysql", "mysqldump", 2.5, way)
        least(f"{name}, faster than sling", "mysql-mysql", "sling", 15, way)
    created = time(table, "postgres-postgres", "goshift_new")
    most("PostgreSQL → PostgreSQL ÷ pg_dump \\| psql", created, time(table, "postgres-postgres", "pg_dump"), 1.0)
    least("PostgreSQL → PostgreSQL, faster than sling", "postgres-postgres", "sling", 4, "goshift_new")
    least("MySQL → PostgreSQL, faster than pgloader", "mysql-postgres", "pgloader", 3)
    least("MySQL → PostgreSQL, faster than sling", "mysql-postgres", "sling", 3)
    for way, place in (("goshift", "on one server"), ("goshift_apart", "as between two")):
        other = time(table, "mysql-mysql", way)
        most(f"PostgreSQL → MySQL ÷ MySQL → MySQL {place}", time(table, "postgres-mysql"), other, 1.3)
    for pair in ("sqlite-postgres", "sqlite-mysql"):
        most(f"{title(pair)} ÷ loading a ready file", time(table, pair), time(table, pair, "ready_file"), 1.3)
    least("MySQL → SQLite, faster than sling", "mysql-sqlite", "sling", 3)
    for pair, first, again in (
        ("mysql-mysql", "goshift", "again"),
        ("mysql-mysql", "goshift_apart", "again_apart"),
        ("postgres-postgres", "goshift", "again"),
    ):
        place = ", as between two servers" if first == "goshift_apart" else ""
        most(f"{title(pair)} again ÷ first{place}", time(table, pair, again), time(table, pair, first), 2.0)


def peak(table):
    peaks = [mib for key, way in samples.items() if key[0] == table for mib in way.peak]
    return max(peaks, default=None)


def bars():
    print("\n## Bars\n")
    print("lineitem may be 15 % worse than orders; the wide table has bars for memory only. Peak")
    print("memory is the largest of all copies of a table.\n")
    print("| bar | figure | bound | |\n|---|---:|---:|---|")
    table_bars("orders", 1.0)
    table_bars("lineitem", 1.15)
    for table in TABLES:
        bar(f"{table}, peak memory", peak(table), 120, True, " MiB")
    bar("lineitem ÷ orders, peak memory", ratio(peak("lineitem"), peak("orders")), 1.15, True)
    for table in ("orders", "lineitem"):
        found = samples.get((table, "mysql-mysql", "goshift_apart"))
        share = median(found.share) * 100 if found and found.share else None
        bar(f"{table}, MySQL → MySQL, goshift's part of all CPU", share, 25, True, " %")
    for pair in ("mysql-mysql", "postgres-postgres"):
        ms = time("small", pair)
        bar(f"10 rows, {title(pair)}", ms and ms * 1000, 40, True, " ms")


facts = next(iter(conditions.values()))
scale = "" if facts["scale"] == "1" else f" at scale {facts['scale']}"
print(f"""# Copying a table

goshift {facts['goshift']} beside other tools, and beside what the databases themselves can take in.
Written by `make bench`{scale}. The ways take turns, round by round, every other round backwards;
each waits until the servers have put away what the one before left. Every result was compared with the source by row count and by a checksum over all columns of all
rows, which is not part of the time.

- machine: {facts['cores']} cores, {facts['memory']} GiB of memory; servers and tools on it, over loopback
- {facts['mysql']}, buffer pool of {facts['buffers'].split('/')[0]} MiB
- PostgreSQL {facts['postgres']}, shared buffers of {facts['buffers'].split('/')[1]} MiB
- SQLite {facts['sqlite']} (the shell; goshift has its own), mydumper {facts['mydumper']}, pgloader {facts['pgloader']},
  sling {facts['sling']}, with their defaults but for what is named
- goshift's params: `{facts['params']}`

*÷ goshift*: the way's time over that of the first line. *peak*: the most memory goshift itself had
in any round. *CPU*: its part of all CPU time, the servers' included. *once*: a peer that takes over
a minute runs once.""")
for table in TABLES:
    if any(key[0] == table for key in samples):
        section(table)
if any(key[0] == "small" for key in samples):
    small()
bars()

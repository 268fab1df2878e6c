"""compare.py FOLDER: what samples.tsv and conditions.tsv there say, as Markdown; the ways come from
`list_ways` of bench/compare on standard input."""

import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

folder = Path(sys.argv[1])
facts = dict(line.split("\t", 1) for line in (folder / "conditions.tsv").read_text().splitlines())
ways = [line.rstrip("\n").split(" ", 5) for line in sys.stdin]
rows, changed, missing = (int(facts[name]) for name in ("rows", "changed", "missing"))
touched = f"{changed:,} rows changed and {missing} missing"
CASES = {
    "diff_changed": f"Mending, MySQL → MySQL, {touched}",
    "diff_equal": "Mending, MySQL → MySQL, nothing changed",
    "verify_changed": f"Comparing, MySQL and MySQL, {touched}",
    "verify_equal": "Comparing, MySQL and MySQL, nothing changed",
    "verify_postgres": "Comparing, MySQL and PostgreSQL, nothing changed",
}


class Way:
    """The samples of one way in one case."""

    def __init__(self):
        self.seconds, self.peak, self.share, self.bad = [], [], [], []

    def add(self, seconds, peak, own, servers, verdict):
        self.seconds.append(float(seconds))
        if verdict != "ok":
            self.bad.append(verdict)
        if peak != "-":
            self.peak.append(int(peak) / 1024)
            self.share.append(float(own) / max(float(own) + float(servers), 0.01))


samples = defaultdict(Way)
for line in (folder / "samples.tsv").read_text().splitlines():
    case, way, _, *figures = line.split("\t")
    samples[case, way].add(*figures)


def time(case, way):
    """The median seconds, None if any of its results was wrong."""
    found = samples[case, way]
    return None if found.bad or not found.seconds else median(found.seconds)


def row(case, way, role, name, base):
    found = samples[case, way]
    seconds, count = median(found.seconds), len(found.seconds)
    notes = [] if count > 1 else ["once"]
    for verdict in dict.fromkeys(found.bad):
        notes.append(f"**{verdict}**" if role == "ours" else verdict)
    cells = [
        name,
        f"{seconds:.2f}",
        f"{min(found.seconds):.2f}–{max(found.seconds):.2f}" if count > 1 else "",
        f"{seconds / base:.2f}" if base and not found.bad else "",
        f"{max(found.peak):.0f}" if found.peak else "",
        f"{median(found.share):.0%}" if found.share else "",
        ", ".join(notes),
    ]
    return f"| {' | '.join(cells)} |"


def section(case, title):
    mine = [(way, role, name) for c, _, _, way, role, name in ways if c == case]
    base = next(time(case, way) for way, role, _ in mine if role == "ours")
    print(f"\n## {title}\n")
    print("| | seconds | least–most | ÷ goshift | peak MiB | CPU | |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for way, role, name in mine:
        print(row(case, way, role, name, base))


def bar(text, figure, bound, most=False, unit=" ×"):
    """A line of the table of bars; `most`: whether the bound is an upper one."""
    if figure is None:
        print(f"| {text} | not measured, or a result is wrong | | |")
        return
    met = figure <= bound if most else figure >= bound
    sign = "≤" if most else "≥"
    print(f"| {text} | {figure:.2f}{unit} | {sign} {bound:.2f}{unit} | {'met' if met else '**missed**'} |")


def faster(text, case, way, peer_case, peer, bound):
    ours, theirs = time(case, way), time(peer_case, peer)
    bar(f"{text}", theirs / ours if ours and theirs else None, bound)


scale = "" if facts["scale"] == "1" else f" at scale {facts['scale']}"
print(f"""# Comparing two tables, and mending one

Mode `diff` and `goshift verify` {facts['goshift']} beside other tools, on TPC-H's orders: {rows:,} rows,
{int(facts['bytes']) / 1e6:,.0f} MB as text. Written by `make bench-compare`{scale}. The target is a copy of the source, in which
nothing is changed, or {touched}, spread evenly over the key. The ways take
turns, round by round, every other round backwards; each waits until the servers have put away what
the one before left. What a way left in the target was compared with what is due by row count and by a
checksum over all columns of all rows, and the numbers that it reported with what was done to the
copy; neither is part of the time.

- machine: {facts['cores']} cores, {facts['memory']} GiB of memory; servers and tools on it, over loopback
- {facts['mysql']}, buffer pool of {facts['mysql_buffer']} MiB
- PostgreSQL {facts['postgres']}, shared buffers of {facts['postgres_buffer']} MiB
- pt-table-sync {facts['pt_table_sync']}, reladiff {facts['reladiff']}, with their defaults; reladiff compares all
  columns and prints statistics
- goshift's params: `{facts['params']}`

Median of {max(len(way.seconds) for way in samples.values())}; begun {facts['date']} UTC, load average {facts['load']}.

*÷ goshift*: the way's time over that of the first line. *peak*: the most memory the tool itself had
in any round. *CPU*: its part of all CPU time, the servers' included. *once*: measured in one round; a
peer that takes over a minute runs once.""")
for case, title in CASES.items():
    section(case, title)
print("\n## Bars\n")
print("Against reladiff as it compares two servers.\n")
print("| bar | figure | bound | |\n|---|---:|---:|---|")
with_changes, without = "with the changes", "with nothing changed"
faster(f"`diff` {with_changes}, faster than pt-table-sync {with_changes}",
       "diff_changed", "diff", "diff_changed", "pt_table_sync", 5)
faster(f"`diff` {without}, faster than pt-table-sync {without}", "diff_equal", "diff", "diff_equal", "pt_table_sync", 10)
faster(f"`diff` {without}, faster than pt-table-sync {with_changes}",
       "diff_equal", "diff", "diff_changed", "pt_table_sync", 10)
for case, state in (("verify_equal", without), ("verify_changed", with_changes)):
    faster(f"`verify` {state}, faster than reladiff", case, "verify", case, "reladiff", 10)
bar("`verify`, MySQL and PostgreSQL", time("verify_postgres", "verify"), 15, True, " s")

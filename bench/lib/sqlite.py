"""What the sqlite3 shell can't do for bench/run.

sqlite.py load FILE TABLE ROWS: inserts what PostgreSQL's COPY wrote as text.
sqlite.py sum FILE QUERY: runs a query that may use sum60 and micros, prints its row tab-separated.
"""

import hashlib
import re
import sqlite3
import sys

ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}


class Sum60:
    """The sum of the first 60 bits of each row's MD5, as in lib/tables.sh."""

    def __init__(self):
        self.total = 0

    def step(self, *texts):
        digest = hashlib.md5("|".join(texts).encode()).digest()
        self.total += int.from_bytes(digest[:8], "big") >> 4

    def finalize(self):
        return str(self.total)


def micros(text):
    """2020-01-02 03:04:05[.6] with six decimals."""
    whole, _, part = text.replace("T", " ").partition(".")
    return f"{whole}.{part:0<6}"


def cell(text, binary):
    if "\\" not in text:
        return text
    if text == "\\N":
        return None
    text = re.sub(r"\\(.)", lambda escape: ESCAPED.get(escape[1], escape[1]), text)
    return bytes.fromhex(text[2:]) if binary else text


def load(path, table, source):
    db = sqlite3.connect(path)
    binary = [row[2].lower() == "blob" for row in db.execute(f"PRAGMA table_info({table})")]
    insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(binary))})"
    with open(source, newline="\n", encoding="utf-8") as file, db:
        rows = (line.rstrip("\n").split("\t") for line in file)
        db.executemany(insert, ([cell(*pair) for pair in zip(row, binary)] for row in rows))
    db.execute("ANALYZE")
    db.commit()


def total(path, query):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.create_aggregate("sum60", -1, Sum60)
    db.create_function("micros", 1, micros, deterministic=True)
    print(*db.execute(query).fetchone(), sep="\t")


{"load": load, "sum": total}[sys.argv[1]](*sys.argv[2:])

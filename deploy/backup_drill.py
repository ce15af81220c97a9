"""A database and a fresh server enter; a backup is made, restored there and compared, row for row; a report leaves.

    backup_drill.py --source URL --fresh URL [--programs DIRECTORY]

Runs the very backup.sh and restore.sh that production uses. Counts and hashes of the source are taken in the snapshot
that is dumped, so the source may be at work. The database of the fresh URL must not exist. Exit code 1 where anything
differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo, sql

from core.clock import Clock, SystemClock
from core.errors import AnhuError, Misconfigured
from db.migrate import migrate

SETTLE_LOOKS_MAX = 10
SETTLE_SECONDS = 2.0

SCRIPTS = Path(__file__).parent / "backup"
_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}

# Tables and not their partitions; TimescaleDB's hypertables are ordinary tables here.
_TABLES = """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, 2"""
# Continuous aggregates are compared as they are read: a refresh after the restoration changes what is stored. Sums
# of floating-point numbers depend on the order of rows, hence the rounding.
_AGGREGATES = """SELECT view_schema, view_name FROM timescaledb_information.continuous_aggregates ORDER BY 2"""
_AGGREGATE_ROWS = "(SELECT device_key, metric, bucket, count, round(sum::numeric, 3) AS sum, min, max FROM {})"
_PROTECTION = """SELECT (SELECT count(*) FROM pg_policies WHERE schemaname = 'public'),
    (SELECT count(*) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relrowsecurity AND relforcerowsecurity),
    (SELECT coalesce(sum(hashtextextended(concat_ws(' ', c.relname, a.grantee::regrole, a.privilege_type), 0)), 0)::text
     FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace)"""
_SEQUENCES = "SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"


@dataclass(frozen=True, slots=True)
class Contents:
    """What is compared: rows and hash of every table, next numbers, row security and rights."""

    tables: dict[str, tuple[int, str]]
    sequences: dict[str, int]
    policies: int
    forced_tables: int
    rights: str

    @property
    def rows(self) -> int:
        return sum(count for count, _ in self.tables.values())


@dataclass(frozen=True, slots=True)
class Report:
    """How the drill went."""

    agree: bool
    differences: tuple[str, ...]
    tables: int
    rows: int
    dump_bytes: int
    backup_seconds: float
    restore_seconds: float
    schema: int
    timescaledb: str


def read_contents(connection: psycopg.Connection[Any]) -> Contents:
    """Count and hash in the connection's transaction. The hash does not depend on the order of rows."""
    connection.execute("SET LOCAL timezone = 'UTC'")
    sources: dict[str, sql.Composable] = {
        name: sql.Identifier(schema, name) for schema, name in connection.execute(_TABLES).fetchall()
    }
    if connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None:
        for schema, name in connection.execute(_AGGREGATES).fetchall():
            sources[name] = sql.SQL(_AGGREGATE_ROWS).format(sql.Identifier(schema, name))
    tables = {}
    for name, source in sources.items():
        # Two hashes over the whole row as text, added up: 128 bits of agreement.
        statement = sql.SQL(
            "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text"
            " || ':' || coalesce(sum(hashtextextended(t::text, 1)), 0)::text FROM {} t"
        )
        row = connection.execute(statement.format(source)).fetchone()
        assert row is not None  # noqa: S101 -- an aggregate has one row
        tables[name] = (int(row[0]), str(row[1]))
    protection = connection.execute(_PROTECTION).fetchone()
    assert protection is not None  # noqa: S101 -- the same
    return Contents(tables, dict(connection.execute(_SEQUENCES).fetchall()), *protection)


def differences(before: Contents, after: Contents) -> tuple[str, ...]:
    """What is not the same, one sentence each."""
    told = []
    for name in sorted(before.tables.keys() | after.tables.keys()):
        old, new = before.tables.get(name), after.tables.get(name)
        if old != new:
            told.append(f"{name}: {old and old[0]} rows before, {new and new[0]} after; or their contents differ")
    told += [
        f"{what}: {getattr(before, what)} before, {getattr(after, what)} after"
        for what in ("sequences", "policies", "forced_tables", "rights")
        if getattr(before, what) != getattr(after, what)
    ]
    return tuple(told)


def drill(source: str, fresh: str, programs: Path | None = None) -> Report:
    """Back up, restore, compare. Raises Misconfigured where a step fails."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="anhu-drill-") as place, psycopg.connect(source) as connection:
        directory = Path(place) / "backup"
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101 -- a function call has one row
        started = clock.monotonic()
        _run("backup.sh", directory, source, programs, {"SNAPSHOT": row[0]})
        backup_seconds = clock.monotonic() - started
        before = read_contents(connection)
        started = clock.monotonic()
        _run("restore.sh", directory, fresh, programs, {})
        restore_seconds = clock.monotonic() - started
        dump_bytes = (directory / "anhu.dump").stat().st_size
        timescaledb = (directory / "timescaledb").read_text().strip()
    found = list(_compare(before, fresh, clock))
    report = migrate(fresh)
    if report.applied:
        found.append(f"migrate found something to do: {', '.join(report.applied)}")
    return Report(
        agree=not found,
        differences=tuple(found),
        tables=len(before.tables),
        rows=before.rows,
        dump_bytes=dump_bytes,
        backup_seconds=round(backup_seconds, 2),
        restore_seconds=round(restore_seconds, 2),
        schema=report.version,
        timescaledb=timescaledb,
    )


def _compare(before: Contents, url: str, clock: Clock) -> tuple[str, ...]:
    """Look again while only aggregates differ: a refresh that is under way shows a gap until it is done."""
    for _ in range(SETTLE_LOOKS_MAX):
        with psycopg.connect(url) as connection:
            found = differences(before, read_contents(connection))
        if not found or not all(line.startswith("rollup_") for line in found):
            break
        clock.sleep(SETTLE_SECONDS)
    return found


def _run(script: str, directory: Path, url: str, programs: Path | None, more: dict[str, str]) -> None:
    path = os.environ.get("PATH", os.defpath)
    parameters = conninfo.conninfo_to_dict(url)
    environment = {"PATH": f"{programs}{os.pathsep}{path}" if programs else path, "LC_ALL": "C", **more}
    environment |= {_VARIABLES[name]: str(value) for name, value in parameters.items() if name in _VARIABLES}
    command = ["/bin/sh", str(SCRIPTS / script), str(directory)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Misconfigured(f"{script} failed: {(done.stderr or done.stdout).strip()[-1000:]}")


def main(arguments: list[str]) -> int:
    """Run the drill and print its report as JSON."""
    parser = argparse.ArgumentParser(description="Prove that a backup restores to the same rows.")
    parser.add_argument("--source", required=True, help="superuser's URL of the database")
    parser.add_argument("--fresh", required=True, help="superuser's URL of a database to make, on another server")
    parser.add_argument("--programs", type=Path, help="directory of pg_dump, pg_restore, psql, createdb")
    given = parser.parse_args(arguments)
    try:
        report = drill(given.source, given.fresh, given.programs)
    except (AnhuError, psycopg.Error) as error:
        sys.stderr.write(f"drill: {error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(report), indent=1) + "\n")
    return 0 if report.agree else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Migrations: a database of any age enters, one at the newest schema leaves, or an unchanged one and the reason.

Files are `NNNN_name.sql`, or `NNNN_name.plain.sql` and `NNNN_name.timescale.sql` where the two databases differ.
Each runs in one transaction and is recorded in it; an advisory lock lets one migration run at a time.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, cast

import psycopg

from core.errors import Misconfigured, Unavailable
from core.metrics import METRICS
from db.queries import sql

Flavour = Literal["plain", "timescale"]
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)(?:\.(plain|timescale))?\.sql")
POSTGRES_MIN = 150_000
TIMESCALE_MIN = (2, 13)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema for one kind of database."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What `migrate` found and did."""

    flavour: Flavour
    version: int
    applied: tuple[str, ...]


def migrations(flavour: Flavour) -> list[Migration]:
    """Every migration for this kind of database, in order."""
    found: dict[int, Migration] = {}
    for entry in resources.files("db.migrations").iterdir():
        match = _FILE.fullmatch(entry.name)
        if match is None:
            if entry.name.endswith(".sql"):
                raise ValueError(f"migration {entry.name} is not named NNNN_name[.plain|.timescale].sql")
            continue
        number, name, only = int(match[1]), match[2], match[3]
        if only in (None, flavour):
            if number in found:
                raise ValueError(f"two migrations have the number {number:04d}")
            found[number] = Migration(number, name, entry.read_text(encoding="utf-8"))
    return [found[number] for number in sorted(found)]


def migrate(url: str, *, flavour: Flavour | None = None) -> MigrationReport:
    """Bring the database to the newest schema.

    url: of a login that may create roles, tables and (for TimescaleDB) the extension.
    flavour: None chooses TimescaleDB where the server offers it.

    Raises Unavailable when the database cannot be reached, Misconfigured when it is too old, made by a newer
    release, or was changed by hand.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            return _migrate(connection, flavour)
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database cannot be reached: {error}") from error


def _migrate(connection: psycopg.Connection[Any], flavour: Flavour | None) -> MigrationReport:
    if connection.info.server_version < POSTGRES_MIN:
        raise Misconfigured(f"PostgreSQL 15 or newer is needed; this is {connection.info.server_version // 10_000}")
    connection.execute("SET client_min_messages = warning")
    connection.execute(sql("migrate.lock"))
    try:
        connection.execute(sql("migrate.create_record"))
        chosen = flavour or _recorded_flavour(connection) or _offered_flavour(connection)
        if chosen == "timescale":
            _ensure_timescale(connection)
        known = migrations(chosen)
        done = _recorded(connection)
        _check_history(known, done)
        applied = [_apply(connection, step, chosen) for step in known if step.number not in done]
        if chosen == "timescale":
            connection.execute(sql("migrate.set_batch_rows"))
        connection.cursor().executemany(sql("migrate.upsert_metric"), [_metric_row(m) for m in METRICS])
        return MigrationReport(chosen, known[-1].number, tuple(applied))
    finally:
        if not connection.closed:
            connection.execute(sql("migrate.unlock"))


def _apply(connection: psycopg.Connection[Any], step: Migration, flavour: Flavour) -> str:
    with connection.transaction():
        connection.execute(step.text)
        connection.execute(
            sql("migrate.record"),
            {"number": step.number, "name": step.name, "checksum": step.checksum, "flavour": flavour},
        )
    return f"{step.number:04d}_{step.name}"


def _recorded(connection: psycopg.Connection[Any]) -> dict[int, str]:
    return dict(connection.execute(sql("migrate.done")).fetchall())


def _recorded_flavour(connection: psycopg.Connection[Any]) -> Flavour | None:
    row = connection.execute(sql("migrate.flavour")).fetchone()
    return cast("Flavour", row[0]) if row else None


def _offered_flavour(connection: psycopg.Connection[Any]) -> Flavour:
    """TimescaleDB where the server has it and is set up for it."""
    row = connection.execute(sql("migrate.timescale_offered")).fetchone()
    if row is None:
        return "plain"
    version = tuple(int(part) for part in re.findall(r"\d+", row[0])[:2])
    return "timescale" if version >= TIMESCALE_MIN else "plain"


def _ensure_timescale(connection: psycopg.Connection[Any]) -> None:
    try:
        connection.execute(sql("migrate.create_timescale"))
    except psycopg.Error as error:
        raise Misconfigured(
            f"TimescaleDB is installed but cannot be used: {error}. "
            "Add timescaledb to shared_preload_libraries and restart PostgreSQL."
        ) from error


def _check_history(known: list[Migration], done: dict[int, str]) -> None:
    by_number = {step.number: step for step in known}
    newer = sorted(set(done) - set(by_number))
    if newer:
        raise Misconfigured(
            f"the database is at schema {newer[-1]:04d}, newer than this release knows ({known[-1].number:04d}). "
            "Install the release that made it, or a newer one."
        )
    for number, checksum in done.items():
        if by_number[number].checksum != checksum:
            raise Misconfigured(
                f"migration {number:04d} was applied in another wording than this release has. "
                "A released migration never changes: this database was made by an unreleased build."
            )


def _metric_row(metric: Any) -> dict[str, Any]:
    return {
        name: getattr(metric, name)
        for name in ("id", "code", "unit", "ucum", "loinc", "low", "high", "kind", "zh", "en")
    }

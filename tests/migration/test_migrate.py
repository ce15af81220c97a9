"""Migrations: a fresh database, a repeated run, a broken step, a newer database, several at once."""

from __future__ import annotations

import threading

import psycopg
import pytest

import db.migrate
from core.errors import Misconfigured, Unavailable
from core.metrics import METRICS
from db.migrate import Migration, migrate, migrations


def test_fresh_database_reaches_the_newest_schema(empty_database_url: str) -> None:
    report = migrate(empty_database_url, flavour="plain")
    assert report.version == migrations("plain")[-1].number
    assert len(report.applied) == len(migrations("plain"))
    with psycopg.connect(empty_database_url) as connection:
        codes = connection.execute("SELECT count(*) FROM metrics").fetchone()
    assert codes == (len(METRICS),)


def test_second_run_changes_nothing(empty_database_url: str) -> None:
    migrate(empty_database_url, flavour="plain")
    assert migrate(empty_database_url).applied == ()


def test_both_flavours_have_the_same_numbers() -> None:
    assert [(m.number, m.name) for m in migrations("plain")] == [(m.number, m.name) for m in migrations("timescale")]


def test_broken_step_leaves_the_database_at_the_step_before(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = migrations("plain")
    broken = Migration(9999, "broken", "CREATE TABLE half_done (id int); SELECT 1 / 0;")
    monkeypatch.setattr(db.migrate, "migrations", lambda flavour: [*good, broken])
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_database_url, flavour="plain")
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('half_done')").fetchone() == (None,)
        assert connection.execute("SELECT max(number) FROM schema_migrations").fetchone() == (good[-1].number,)


def test_newer_database_is_refused_with_what_to_do(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9000, 'future', 'x', 'plain')")
    with pytest.raises(Misconfigured, match="newer than this release"):
        migrate(database_url)


def test_changed_history_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1")
    with pytest.raises(Misconfigured, match="another wording"):
        migrate(database_url)


def test_two_at_once_do_the_work_once(empty_database_url: str) -> None:
    applied: list[int] = []
    threads = [
        threading.Thread(target=lambda: applied.append(len(migrate(empty_database_url, flavour="plain").applied)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [0, 0, len(migrations("plain"))]


def test_absent_server_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        migrate("postgresql://nobody@127.0.0.1:1/none")

"""The audit log cannot be changed unseen: every way of touching it is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from typer.testing import CliRunner

from cli import audit
from core.clock import ManualClock
from core.settings import Settings
from db import maintenance, retention
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.integration.conftest import Api

Pools = Callable[[DbRole], Pool]
SEALS = "/api/v1/audit/seals"
VERIFY = "/api/v1/audit/verification"


@pytest.fixture
def sealed(api: Api, make_pool_for: Pools) -> Api:
    """An institution with three batches of rows in its log."""
    api.app.state.jobs_pool = make_pool_for("jobs")
    nurse = api.as_user("caregiver")
    for _ in range(3):
        for resident in api.world.a.residents:
            assert nurse.get(f"/api/v1/residents/{resident}").status_code == 200
        assert maintenance.seal_audit(make_pool_for("jobs"), api.clock) >= 2
        api.clock.advance(60)
    return api


def faults(api: Api) -> list[tuple[str, int | None]]:
    answer = api.as_user("admin").get(VERIFY).json()
    found = [(one["fault"], one["row_id"]) for one in answer["faults"]]
    assert answer["ok"] is (not found)
    return found


def run(url: str, statement: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone() if "RETURNING" in statement else connection.execute(statement)
        return row[0] if isinstance(row, tuple) else 0


def some_row(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT min(id) + 2 FROM audit_log WHERE action = 'read'").fetchone()
    assert row
    return row[0]


def test_a_log_that_nobody_touched_is_whole(sealed: Api) -> None:
    admin = sealed.as_user("admin")
    seals = admin.get(SEALS).json()["items"]
    assert [one["number"] for one in seals] == [3, 2, 1]
    assert len({one["hash"] for one in seals}) == 3
    answer = admin.get(VERIFY).json()
    assert answer | {"rows": 0} == {
        "ok": True, "batches": 3, "rows": 0, "hash": seals[0]["hash"], "faults": [], "next": None,
    }  # fmt: skip
    part = admin.get(f"{VERIFY}?batches=2").json()
    assert (part["batches"], part["next"]) == (2, 2)
    assert admin.get(f"{VERIFY}?batches=2&after=2").json()["hash"] == seals[0]["hash"]


def test_sealing_again_seals_nothing_twice(sealed: Api, make_pool_for: Pools, database_url: str) -> None:
    pool = make_pool_for("jobs")
    maintenance.seal_audit(pool, sealed.clock)
    assert maintenance.seal_audit(pool, sealed.clock) == 0
    sealed.clock.advance(7200)
    assert maintenance.seal_audit(pool, sealed.clock) == 0
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT sum(rows) FROM audit_seals").fetchone()
        assert rows == connection.execute("SELECT count(*) FROM audit_log").fetchone()


@pytest.mark.parametrize(
    "change",
    [
        "username = 'somebody else'", "detail = '{\"x\": 1}'", "at = at - interval '1 microsecond'",
        "success = NOT success", "purpose = 'emergency'", "object_id = object_id || ' '",
    ],
)  # fmt: skip
def test_an_edited_row_is_found(sealed: Api, database_url: str, change: str) -> None:
    row = some_row(database_url)
    run(database_url, f"UPDATE audit_log SET {change} WHERE id = {row}")
    assert faults(sealed) == [("row_changed", row)]


def test_a_deleted_row_is_found(sealed: Api, database_url: str) -> None:
    row = some_row(database_url)
    run(database_url, f"DELETE FROM audit_log WHERE id = {row}")
    assert faults(sealed) == [("row_missing", row)]


def test_a_row_moved_to_another_institution_is_found(sealed: Api, database_url: str) -> None:
    row = some_row(database_url)
    other = sealed.world.b.institution_id
    run(database_url, f"UPDATE audit_log SET institution_id = '{other}' WHERE id = {row}")
    assert faults(sealed) == [("row_missing", row)]


def test_a_row_slipped_in_is_found(sealed: Api, database_url: str) -> None:
    """In the place of a number that was handed out and never committed, as a rollback leaves one."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT nextval(pg_get_serial_sequence('audit_log', 'id'))")
    sealed.as_user("admin").get("/api/v1/residents")
    with psycopg.connect(database_url, autocommit=True) as connection:
        maintenance.seal_audit(sealed.app.state.jobs_pool, sealed.clock)
        gap = connection.execute(
            "SELECT i FROM generate_series(1, (SELECT max(id) FROM audit_log)) i"
            " WHERE NOT EXISTS (SELECT FROM audit_log WHERE id = i)"
        ).fetchone()
        assert gap
        connection.execute(
            "INSERT INTO audit_log (id, institution_id, at, action, object_type) OVERRIDING SYSTEM VALUE"
            " SELECT %s, institution_id, at, 'read', 'resident' FROM audit_log WHERE id = %s",
            (gap[0], some_row(database_url)),
        )
    sealed.clock.advance(7200)
    sealed.as_user("admin").get("/api/v1/residents")
    maintenance.seal_audit(sealed.app.state.jobs_pool, sealed.clock)
    assert faults(sealed) == [("row_added", gap[0])]


def test_a_seal_that_was_made_to_fit_breaks_the_chain(sealed: Api, database_url: str) -> None:
    row = some_row(database_url)
    run(database_url, f"UPDATE audit_log SET username = 'x' WHERE id = {row}")
    run(
        database_url,
        "UPDATE audit_seals s SET root = r.root, marks = r.marks FROM ("
        " SELECT q.number, q.institution_id, sha256(string_agg(audit_digest(l), ''::bytea ORDER BY l.id)) AS root,"
        " string_agg(substring(audit_digest(l) FROM 1 FOR 8), ''::bytea ORDER BY l.id) AS marks"
        " FROM audit_seals q JOIN audit_log l ON l.id <@ q.ids AND l.institution_id = q.institution_id"
        " WHERE q.number = 2 GROUP BY 1, 2) r WHERE s.number = r.number AND s.institution_id = r.institution_id",
    )
    assert ("seal_changed", None) in faults(sealed)
    run(database_url, "UPDATE audit_seals s SET hash = audit_seal_hash(s) WHERE number = 2")
    assert faults(sealed) == [("chain_broken", None)]


def test_a_batch_that_was_taken_away_is_found(sealed: Api, database_url: str) -> None:
    run(database_url, "DELETE FROM audit_log l USING audit_seals s WHERE s.number = 2 AND l.id <@ s.ids")
    run(database_url, "DELETE FROM audit_seals WHERE number = 2")
    assert [fault for fault, _ in faults(sealed)] == ["batch_missing", "chain_broken"]


def test_rows_committed_late_are_sealed_late(sealed: Api, database_url: str, make_pool_for: Pools) -> None:
    slow = psycopg.connect(database_url)
    slow.execute(
        "INSERT INTO audit_log (institution_id, at, action, object_type) VALUES (%s, %s, 'slow', 'x')",
        (sealed.world.a.institution_id, sealed.clock.now()),
    )
    sealed.as_user("caregiver").get("/api/v1/residents")
    maintenance.seal_audit(make_pool_for("jobs"), sealed.clock)
    sealed.clock.advance(600)
    slow.commit()
    slow.close()
    sealed.as_user("caregiver").get("/api/v1/residents")
    maintenance.seal_audit(make_pool_for("jobs"), sealed.clock)
    assert faults(sealed) == []


def test_what_is_past_its_age_goes_in_whole_batches_and_the_chain_stays(
    sealed: Api, database_url: str, make_pool_for: Pools
) -> None:
    sealed.clock.advance(timedelta(days=200))
    sealed.as_user("admin").get("/api/v1/residents")
    maintenance.seal_audit(make_pool_for("jobs"), sealed.clock)
    report = retention.apply_retention(make_pool_for("jobs"), sealed.clock, Settings(audit_retention_days=180))
    assert [line for line in report if "audit_log" in line]
    admin = sealed.as_user("admin")
    assert faults(sealed) == []
    assert [one["dropped_at"] is not None for one in admin.get(SEALS).json()["items"]] == [False, True, True, True]
    run(database_url, "DELETE FROM audit_log WHERE action = 'read'")
    run(database_url, "UPDATE audit_seals SET dropped_at = last_at + interval '3 days' WHERE number = 2")
    assert faults(sealed) == [("dropped_too_early", None)]


def test_who_may_verify_what(sealed: Api, database_url: str) -> None:
    b = sealed.world.b
    assert sealed.as_user("admin", b).get(f"{VERIFY}?site=site-a").status_code == 404
    assert sealed.as_user("admin", b).get(VERIFY).json()["batches"] <= 1
    assert sealed.as_user("caregiver").get(VERIFY).status_code == 403
    run(database_url, f"UPDATE users SET institution_id = NULL WHERE id = '{b.users['regulator'].id}'")
    region = sealed.as_user("regulator", b)
    assert region.get(f"{VERIFY}?site=site-a").json()["batches"] == 3
    assert region.get(f"{SEALS}?site=site-a").json()["items"][0]["number"] == 3
    assert region.get(f"{VERIFY}?site=nowhere").status_code == 404
    assert region.get("/api/v1/audit").status_code == 403


def test_the_purpose_of_a_reading_is_on_record(api: Api) -> None:
    nurse, resident = api.as_user("caregiver"), api.world.a.residents[0]
    nurse.get(f"/api/v1/residents/{resident}/latest")
    nurse.get(f"/api/v1/residents/{resident}/latest", headers={"X-Purpose": "emergency"})
    api.as_user("family").get(f"/api/v1/residents/{resident}/latest")
    assert nurse.get(f"/api/v1/residents/{resident}/latest", headers={"X-Purpose": "supervision"}).status_code == 422
    assert nurse.get(f"/api/v1/residents/{resident}/latest", headers={"X-Purpose": "fun"}).status_code == 422
    rows = api.as_user("admin").get(f"/api/v1/audit?object_id={resident}").json()["items"]
    assert [row["purpose"] for row in rows] == ["family", "emergency", "care"]


def test_the_command_names_what_was_touched(
    sealed: Api, database_url: str, make_pool_for: Pools, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:

    with service_transaction(make_pool_for("admin")) as tx:
        before = audit.verify_chain(tx, "site-a", sealed.world.a.institution_id)
    assert (before["ok"], before["batches"]) == (True, 3)
    row = some_row(database_url)
    run(database_url, f"UPDATE audit_log SET role = 'nobody' WHERE id = {row}")
    monkeypatch.setenv("ANHU_DATABASE_URL", database_url)

    told = CliRunner().invoke(audit.app, ["verify", "--site", "site-a", "--json"])
    assert told.exit_code == 1
    assert f'"row_id": {row}' in told.stdout
    head = CliRunner().invoke(audit.app, ["verify", "--site", "site-a", "--head", before["head"]])
    assert "NOT as it was written" in head.stdout
    heads = CliRunner().invoke(audit.app, ["heads", "--site", "site-a"])
    assert before["head"] in heads.stdout
    unknown = CliRunner().invoke(audit.app, ["verify", "--site", "site-b", "--head", before["head"]])
    assert "head_unknown" in unknown.stdout

"""Tenancy in the database itself: every tenant table is closed, no role gets round it, nothing leaks."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from db.pool import DbRole, Pool
from db.tenant import tenant_transaction
from tests.fixtures.world import World

GLOBAL_TABLES = {"metrics", "schema_migrations", "feed_head", "feed_followers", "heartbeats", "supervision_figures"}
"""Tables without rows of any tenant."""

SERIES = {"clock_faults", "feed", "readings", "motion_windows", "latest", "rollup_5m", "rollup_1h", "rollup_1d"}
"""Keyed by device; the application reads them through the tenant views only."""


def test_every_table_is_either_protected_or_closed_to_the_application(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,"
            "       has_table_privilege('anhu_api', c.oid, 'SELECT, INSERT, UPDATE, DELETE')"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        ).fetchall()
    assert len(tables) > 20
    for name, forced, api_has_rights in tables:
        if name in GLOBAL_TABLES:
            continue
        if name in SERIES:
            assert not api_has_rights, f"{name} must be read through its tenant view"
        else:
            assert forced, f"{name} has no forced row security"


def test_partitions_are_closed_to_the_application(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        open_ones = connection.execute(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
            " AND has_table_privilege('anhu_api', oid, 'SELECT, INSERT, UPDATE, DELETE')"
        ).fetchall()
    assert open_ones == []


def test_every_view_of_the_application_is_a_barrier(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        views = connection.execute(
            "SELECT relname, coalesce('security_barrier=true' = ANY (reloptions), false) FROM pg_class"
            " WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
            " AND has_table_privilege('anhu_api', oid, 'SELECT')"
        ).fetchall()
    assert views
    assert [name for name, barrier in views if not barrier] == []


@pytest.mark.parametrize("role", ["api", "ingest", "alerts", "jobs", "admin"])
def test_no_role_can_bypass_row_security_or_owns_anything(database_url: str, role: str) -> None:
    with psycopg.connect(database_url) as connection:
        attributes = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = %s",
            (f"anhu_{role}",),
        ).fetchone()
        owned = connection.execute(
            "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = %s", (f"anhu_{role}",)
        ).fetchone()
    assert attributes == (False, False, False, False, False)
    assert owned == (0,)


TENANT_TABLES = ("residents", "contacts", "consents", "users", "devices", "bindings", "device_status")


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_a_tenant_sees_its_own_rows_and_none_else(
    table: str, world: World, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    seen = {}
    for one in (world.a, world.b):
        with tenant_transaction(make_pool_for("api"), one.institution_id) as tx:
            rows = tx.connection.execute(f"SELECT institution_id FROM {table}").fetchall()
            seen[one.site] = {row["institution_id"] for row in rows}
    assert seen == {"site-a": {world.a.institution_id}, "site-b": {world.b.institution_id}}


def test_without_a_tenant_nothing_is_seen(world: World, make_pool_for: Callable[[DbRole], Pool]) -> None:
    with tenant_transaction(make_pool_for("api"), None) as tx:
        for table in (*TENANT_TABLES, "institutions", "tenant_readings", "tenant_latest"):
            assert tx.connection.execute(f"SELECT * FROM {table}").fetchall() == []


def test_a_row_cannot_be_written_into_another_tenant(world: World, make_pool_for: Callable[[DbRole], Pool]) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        tenant_transaction(make_pool_for("api"), world.a.institution_id) as tx,
    ):
        tx.connection.execute(
            "UPDATE residents SET institution_id = %s WHERE id = %s", (world.b.institution_id, world.a.residents[0])
        )


def test_series_views_show_the_tenants_devices_only(
    world: World, database_url: str, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for one in (world.a, world.b):
            for table in ("readings", "latest"):
                connection.execute(
                    f"INSERT INTO {table} (device_key, metric, time, value, received) VALUES (%s, 1, now(), 70, now())",
                    (one.devices[0].key,),
                )
    for view in ("tenant_readings", "tenant_latest"):
        with tenant_transaction(make_pool_for("api"), world.a.institution_id) as tx:
            rows = tx.connection.execute(f"SELECT device_key FROM {view}").fetchall()
        assert [row["device_key"] for row in rows] == [world.a.devices[0].key]


def test_the_tenant_is_forgotten_when_the_transaction_ends(
    world: World, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    pool = make_pool_for("api")
    with tenant_transaction(pool, world.a.institution_id):
        pass
    with pool.connection() as connection:
        assert connection.execute("SELECT count(*) AS n FROM residents").fetchone() == {"n": 0}


def test_accounts_are_looked_up_through_the_login_door_only(
    world: World, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    with tenant_transaction(make_pool_for("api"), None) as tx:
        row = tx.connection.execute("SELECT * FROM login_by_username('ADMIN-A')").fetchone()
        assert row is not None
        assert row["institution_id"] == world.a.institution_id
        assert tx.connection.execute("SELECT * FROM users").fetchall() == []
    for role in ("ingest", "alerts", "jobs"):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            make_pool_for(role).connection() as connection,  # type: ignore[arg-type]
        ):
            connection.execute("SELECT * FROM login_by_username('admin-a')")


def test_audit_rows_cannot_be_changed_by_those_who_serve(make_pool_for: Callable[[DbRole], Pool]) -> None:
    for statement in ("DELETE FROM audit_log", "UPDATE audit_log SET action = 'x'"):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            make_pool_for("api").connection() as connection,
        ):
            connection.execute(statement)

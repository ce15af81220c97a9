"""True processes: everything killed in the middle of an escalation and started an hour later; a leader killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.clock import ManualClock, SystemClock
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, receiver

HANDOVER_SECONDS = 10.0


@pytest.fixture
def clock() -> ManualClock:
    """The world is made now: processes live by the machine's clock."""
    return ManualClock(SystemClock().time())


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@contextmanager
def processes(database_url: str, directory: Path, **environment: str) -> Iterator[list[Role]]:
    """Two alerts processes, not started; stopped at the end."""
    given = {"ANHU_DATABASE_URL": database_url, "ANHU_WEBHOOK_ALLOW_PRIVATE": "true", **environment}
    made = [Role("alerts", given, directory / f"alerts-{n}.log") for n in (0, 1)]
    try:
        yield made
    finally:
        for role in made:
            role.stop()


def leaders(base: Database) -> list[str]:
    """Instances whose newest sign of life says that they lead."""
    rows = base.rows(
        "SELECT instance FROM heartbeats WHERE role = 'alerts' AND (detail ->> 'leading')::boolean"
        " AND at > now() - interval '8 seconds'"
    )
    return [row["instance"] for row in rows]


def lock_holders(base: Database) -> list[int]:
    """Backends that hold the lock of the leader, as the database itself sees it."""
    rows = base.rows(
        "SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.objsubid = 1"
        " AND l.objid = (hashtext('anhu detectors')::bigint & 4294967295)::oid"
    )
    return [row["pid"] for row in rows]


def test_pain_31_killed_in_the_middle_and_started_an_hour_later(
    base: Database, world: World, database_url: str, tmp_path: Path
) -> None:
    """What fell due meanwhile runs at once, in the order of the plan, once; every page arrives."""
    with receiver() as phone, processes(database_url, tmp_path) as (first, second):
        base.channel(world.a, phone.url, user=world.a.users["caregiver"].id)
        base.channel(world.a, phone.url)
        first.start()
        second.start()
        until(lambda: len(base.rows("SELECT 1 FROM heartbeats WHERE role = 'alerts'")) == 2, "both alive", 60)
        base.event(world.a, "sos", "press-1")
        base.rows("SELECT pg_notify('anhu_event', '')")
        until(lambda: base.rows("SELECT 1 FROM outbox WHERE state = 'sent' AND channel_kind = 'webhook'"), "a page", 30)
        assert len(base.rows("SELECT 1 FROM escalation_steps WHERE state = 'pending'")) == 5
        for role in (first, second):
            role.kill()
        # An hour cannot pass here, so everything that is written down becomes an hour older while nobody lives.
        for table, columns in (
            ("escalation_steps", ("due_at",)),
            ("alerts", ("opened_at", "occurred_at", "last_occurred_at", "deadline_at")),
            ("outbox", ("created_at", "next_attempt_at", "leased_until", "sent_at")),
            ("alert_entries", ("at",)),
            ("heartbeats", ("at",)),
        ):
            base.rows(f"UPDATE {table} SET " + ", ".join(f"{c} = {c} - interval '1 hour'" for c in columns))
        down = base.rows("SELECT now() AS at")[0]["at"]
        for role in (first, second):
            role.start()
        until(lambda: not base.rows("SELECT 1 FROM escalation_steps WHERE state = 'pending'"), "every step", 60)
        until(lambda: not base.rows("SELECT 1 FROM outbox WHERE state = 'pending'"), "every page", 60)
        steps = base.rows("SELECT position, state, done_at FROM escalation_steps ORDER BY position")
        assert [(step["position"], step["state"]) for step in steps] == [(n, "done") for n in range(6)]
        assert all(step["done_at"] > down for step in steps[1:])
        assert (steps[5]["done_at"] - steps[1]["done_at"]).total_seconds() < 5
        paged = base.rows(
            "SELECT data ->> 'step' AS step FROM alert_entries WHERE kind = 'paged' AND data ->> 'step' ~ '^[0-9]+$'"
            " ORDER BY seq"
        )
        # Contact 1 has an account and no channel: paged in the product. Each step once, in order.
        assert [row["step"] for row in paged] == ["0", "1", "2", "3", "4", "5"]
        webhooks = {row["k"] for row in base.rows("SELECT idempotency_key AS k FROM outbox WHERE channel_id IS NOT NULL"
                                                  " AND state = 'sent'")}  # fmt: skip
        assert sorted(phone.keys()) == sorted(webhooks)
        assert len(base.rows("SELECT 1 FROM alert_entries WHERE kind = 'overdue'")) <= 1


def test_one_leads_and_its_death_hands_over_within_ten_seconds(
    base: Database, database_url: str, world: World, tmp_path: Path
) -> None:
    """Also the sign of life to the outside: from the leader alone, and from none while a role is missing."""
    stop = threading.Event()

    def others_live() -> None:  # ingest and jobs, as far as the watch can see
        while not stop.wait(1):
            base.rows(
                "INSERT INTO heartbeats (role, instance, at) SELECT r, 'test', now()"
                " FROM unnest(ARRAY['ingest', 'jobs']) r ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at"
            )

    pulse = threading.Thread(target=others_live, daemon=True)
    with receiver() as outside, processes(database_url, tmp_path, ANHU_HEARTBEAT_URL=outside.url) as roles:
        for role in roles:
            role.start()
        until(lambda: len(base.rows("SELECT 1 FROM heartbeats WHERE role = 'alerts'")) == 2, "both alive", 60)
        until(lambda: leaders(base), "a leader", 30)
        assert len(leaders(base)) == len(lock_holders(base)) == 1
        assert outside.requests == []  # ingest and jobs are missing: all is not well
        pulse.start()
        until(lambda: outside.requests, "a sign of life outside", 30)
        (instance,) = leaders(base)
        (holder,) = lock_holders(base)
        leading = next(role for role in roles if instance.endswith(f":{role.pid}"))
        told = len(outside.requests)
        leading.kill()
        begun = SystemClock().monotonic()
        until(lambda: lock_holders(base) not in ([], [holder]), "another leader", HANDOVER_SECONDS)
        assert SystemClock().monotonic() - begun < HANDOVER_SECONDS
        assert len(lock_holders(base)) == 1
        until(lambda: len(outside.requests) > told, "the new leader's sign of life", 30)
        pings = [json.loads(body) for _, body in outside.requests]
        stop.set()
        pulse.join()
    assert pings == [{"status": "well"}] * len(pings)

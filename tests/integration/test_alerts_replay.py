"""A day of ten thousand residents on a hand-moved clock: two thousand alerts, every role killed again and again.

Real database, real HTTP receiver, the production code of every role; only time is made. A role dies between two of its
queries, before or after a commit, with a page in its hand or an answer not yet written down; its twin takes the turn at
its own next look. The seed is printed: `ANHU_TEST_SEED` plays a day again.
"""

from __future__ import annotations

import heapq
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from alerts import escalation
from alerts.audit import audit
from alerts.events import EventHandler
from alerts.notify.outbox import Outbox
from alerts.service import Actor, Occurrence, act, open_or_append
from core.clock import ManualClock
from core.vocabulary import Severity
from db.pool import DbRole, Pool
from db.tenant import service_transaction, tenant_transaction
from tests.integration.alerts_kit import Database, make_outbox
from tests.integration.replay_kit import TICK_SECONDS, MortalPool, Reaper, pager, people

ALERTS = 2000
FINDINGS = 300
"""Of those, what a detector found; the others are presses."""
REPEATS = 100
"""Second presses of somebody who waits."""
DAY_SECONDS = 86_400
AUDIT_SECONDS = 120.0
KILL_CHANCE = 0.03
LEASE_SECONDS = 12.0


@dataclass(order=True)
class Deed:
    """Something that somebody will do."""

    at: float
    number: int
    alert: UUID = field(compare=False)
    house: UUID = field(compare=False)
    action: str = field(compare=False)
    outcome: str | None = field(compare=False, default=None)


class Day:
    """Everything that happens, in order, and who does it."""

    def __init__(self, base: Database, pools: Callable[[DbRole], Pool], seed: int, residents: list[UUID]) -> None:
        self.base, self.clock = base, base.clock
        self.rng = random.Random(seed)
        self.reaper = Reaper(base.clock, self.rng, KILL_CHANCE)
        mortal: Callable[[DbRole], Any] = lambda role: MortalPool(pools(role), self.reaper.fuse)  # noqa: E731 -- one line beside its use
        self.alerts, self.ingest, self.api = mortal("alerts"), mortal("ingest"), mortal("api")
        self.owner = psycopg.connect(base.url, autocommit=True)
        self.nurses = dict(
            self.owner.execute("SELECT institution_id, id FROM users WHERE username LIKE '%-1'").fetchall()
        )
        self.begin = self.clock.time()
        self.known: set[UUID] = set()
        self.deeds: list[Deed] = []
        self.next_audit = self.begin
        self.dead_lease_until = 0.0
        self.happenings = self._plan(residents)
        self.handler: EventHandler
        self.outbox: Outbox | None = None
        self._new_handler()
        self._new_outbox()

    def _plan(self, residents: list[UUID]) -> list[tuple[float, str, int, UUID]]:
        """(when, what, number, resident) of the day, in order."""
        found = []
        for number, resident in enumerate(self.rng.sample(residents, ALERTS)):
            at = self.begin + self.rng.uniform(0, DAY_SECONDS)
            what = "spo2_low" if number < FINDINGS else self.rng.choice(("sos", "sos", "fall", "smoke"))
            found.append((at, what, number, resident))
            if FINDINGS <= number < FINDINGS + REPEATS:
                found.append((at + self.rng.uniform(2, 15), what, ALERTS + number, resident))
        return sorted(found)

    def _new_handler(self) -> None:
        self.handler = EventHandler(self.alerts, self.clock)

    def _new_outbox(self) -> None:
        if self.outbox is not None:
            self.outbox.close()
            self.dead_lease_until = self.clock.time() + LEASE_SECONDS + TICK_SECONDS
        self.outbox = make_outbox(self.alerts, self.clock, timeout_seconds=LEASE_SECONDS - 10)

    def run(self) -> None:
        """From midnight until nothing is left to do."""
        index = 0
        while True:
            now = self.clock.time()
            while index < len(self.happenings) and self.happenings[index][0] <= now:
                self._happen(*self.happenings[index])
                index += 1
            while self.deeds and self.deeds[0].at <= now:
                self._do(heapq.heappop(self.deeds))
            self._work()
            if self._audited():
                continue
            coming = [self.happenings[index][0]] if index < len(self.happenings) else []
            coming += [self.deeds[0].at] if self.deeds else []
            events, step, page = self._due()
            assert not events
            coming += [due.timestamp() + self.rng.uniform(0, TICK_SECONDS / 2) for due in (step, page) if due]
            if not coming:  # the day is over; what passes its deadline after it is looked for as well
                if not self._someone_waits():
                    return
                coming = [self.next_audit]
            self.clock.advance(max(0.0, min(coming) - self.clock.time()))

    def close(self) -> None:
        """Let go of the receiver and the database."""
        if self.outbox is not None:
            self.outbox.close()
        self.owner.close()

    def _happen(self, at: float, what: str, number: int, resident: UUID) -> None:
        if what == "spo2_low":
            self.reaper.turn("detectors", lambda: self._find(at, resident), queries=25)
            self._meet()
            return
        statement = (
            "INSERT INTO events (device_key, event_id, institution_id, time, received, type, data)"
            " SELECT b.device_key, %s, b.institution_id, %s, %s, %s, '{}' FROM bindings b WHERE b.resident_id = %s"
            " ON CONFLICT DO NOTHING"
        )
        when = datetime.fromtimestamp(at, self.clock.now().tzinfo)

        def deliver() -> None:  # not acknowledged before the commit: the broker hands it over again
            with self.ingest.connection() as connection, connection.transaction():
                connection.execute(statement, (str(number), when, self.clock.now(), what, resident))

        self.reaper.turn("ingest", deliver, queries=3)

    def _find(self, at: float, resident: UUID) -> None:
        when = datetime.fromtimestamp(at, self.clock.now().tzinfo)
        with service_transaction(self.alerts) as tx:
            row = tx.connection.execute(
                "SELECT institution_id, device_key FROM bindings WHERE resident_id = %s", (resident,)
            ).fetchone()
            if tx.connection.execute("SELECT 1 FROM alerts WHERE resident_id = %s", (resident,)).fetchone():
                return  # the follower's number was committed with the finding: it is not read again
            finding = Occurrence(
                row["institution_id"], "spo2_low", Severity.HIGH, "detector", when, resident, row["device_key"]
            )
            open_or_append(tx, self.clock, finding)

    def _work(self) -> None:
        """Every worker that has something to do, until none has: a notification wakes them at once."""
        for _ in range(20):
            events, step, page = self._due()
            now = self.clock.now()
            if not (events or (step and step <= now) or (page and page <= now)):
                break
            if events:
                self.reaper.turn("events", self.handler.handle_all, queries=60, reborn=self._new_handler)
                self._meet()
            if step and step <= now:
                self.reaper.turn("steps", self._escalate, queries=60)
            if page and page <= now:
                self._send()
        else:
            raise AssertionError("the workers do not come to rest")

    def _audited(self) -> bool:
        """Look for missed deadlines, when it is time; whether it was."""
        if self.clock.time() < self.next_audit:
            return False
        self.reaper.turn("auditor", lambda: audit(self.alerts, self.clock), queries=12)
        self.next_audit = self.clock.time() + AUDIT_SECONDS
        return True

    def _escalate(self) -> None:
        escalation.tick(self.alerts, self.clock)
        if self.outbox is not None:
            self.outbox.follow_unseen()

    def _send(self) -> None:
        outbox = self.outbox
        assert outbox is not None
        self.reaper.turn("console", outbox.send_console, queries=2)

        def send() -> None:
            while self.outbox is not None and self.outbox.send_one():
                pass

        if self.clock.time() < self.dead_lease_until:  # two dead at once would hold both places of a channel
            send()
        else:
            self.reaper.turn("pages", send, queries=14, reborn=self._new_outbox)

    def _due(self) -> tuple[int, datetime | None, datetime | None]:
        row = self.owner.execute(
            "SELECT (SELECT count(*) FROM events WHERE handled_at IS NULL),"
            " (SELECT min(due_at) FROM escalation_steps WHERE state = 'pending'),"
            " (SELECT min(greatest(next_attempt_at, leased_until + interval '1 millisecond')) FROM outbox"
            "  WHERE state = 'pending')"
        ).fetchone()
        assert row is not None
        return row

    def _someone_waits(self) -> bool:
        """Whether an alert may still pass a deadline that nobody was told of."""
        row = self.owner.execute(
            "SELECT EXISTS (SELECT FROM alerts a WHERE a.state <> 'resolved' AND NOT EXISTS"
            " (SELECT FROM alert_entries e WHERE e.alert_id = a.id AND e.kind = 'overdue'"
            "  AND (e.data ->> 'deadline_at')::timestamptz = a.deadline_at))"
        ).fetchone()
        return bool(row and row[0])

    def _meet(self) -> None:
        """Decide what people will do about every new alert; one in twenty is never answered."""
        fresh = self.owner.execute(
            "SELECT id, institution_id FROM alerts WHERE opened_at > %s ORDER BY id",
            (self.clock.now() - timedelta(minutes=1),),
        ).fetchall()
        for alert, house in fresh:
            if alert in self.known:
                continue
            self.known.add(alert)
            if self.rng.random() < 0.05:
                continue
            answered = self.clock.time() + self.rng.choice((*[20] * 8, 70, 200)) + self.rng.uniform(0, 30)
            there = answered + self.rng.uniform(60, 3600)
            over = there + self.rng.uniform(60, 1800)
            outcome = self.rng.choice(("assisted", "assisted", "hospital", "false_alarm", "no_action"))
            for at, action, end in (
                (answered, "acknowledge", None),
                (there, "arrive", None),
                (over, "resolve", outcome),
            ):
                heapq.heappush(self.deeds, Deed(at, len(self.known), alert, house, action, end))

    def _do(self, deed: Deed) -> None:
        actor = Actor(self.nurses[deed.house], "护理员1", "caregiver")

        def ask() -> None:
            with tenant_transaction(self.api, deed.house) as tx:
                act(tx, self.clock, alert_id=deed.alert, action=deed.action, actor=actor, outcome=deed.outcome)

        self.reaper.turn("api", ask, queries=12)


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.mark.timeout(900)  # a minute of CPU; on a crowded machine that takes its time
def test_pain_31_a_day_of_kills_leaves_no_alert_behind(
    base: Database, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock
) -> None:
    seed = int(os.environ.get("ANHU_TEST_SEED", "20260301"))
    print(f"seed {seed}: ANHU_TEST_SEED={seed} plays this day again")
    begun = time.process_time()

    with pager(clock) as phone:
        with psycopg.connect(base.url, autocommit=True) as connection:
            residents = people(connection, clock, phone.url)
        day = Day(base, make_pool_for, seed, residents)
        day.run()
        day.close()
    spent = time.process_time() - begun
    print(f"kills {dict(day.reaper.kills)}, pages {len(phone.keys)}, {spent:.1f} s of CPU")
    _every_alert_came_to_its_end(base)
    _every_step_ran_in_time_and_order(base)
    _every_page_arrived_once(base, phone.keys, phone.times)
    _every_missed_deadline_was_told_once(base)
    assert set(day.reaper.kills) == {"ingest", "detectors", "events", "steps", "console", "pages", "auditor", "api"}
    assert min(day.reaper.kills.values()) >= 2


def _every_alert_came_to_its_end(base: Database) -> None:
    (row,) = base.rows("SELECT count(*) AS alerts, sum(occurrences) AS occurrences FROM alerts")
    assert (row["alerts"], row["occurrences"]) == (ALERTS, ALERTS + REPEATS)
    states = {r["state"]: r["n"] for r in base.rows("SELECT state, count(*) AS n FROM alerts GROUP BY state")}
    assert set(states) == {"open", "resolved"}
    assert 0.03 * ALERTS < states["open"] < 0.08 * ALERTS
    assert base.rows("SELECT 1 FROM escalation_steps WHERE state = 'pending'") == []
    ends = base.rows(
        "SELECT a.id FROM alerts a JOIN escalation_steps s ON s.alert_id = a.id WHERE a.state = 'open'"
        " GROUP BY a.id HAVING count(*) FILTER (WHERE s.state = 'done') < 6"
    )
    assert ends == []
    assert base.rows("SELECT 1 FROM events WHERE handled_at IS NULL") == []


def _every_step_ran_in_time_and_order(base: Database) -> None:
    late = base.rows(
        "SELECT alert_id, position, done_at - due_at AS late FROM escalation_steps WHERE state = 'done'"
        " AND done_at - due_at > make_interval(secs => %s)", TICK_SECONDS,
    )  # fmt: skip
    assert late == []
    turned = base.rows(
        "SELECT 1 FROM (SELECT (data ->> 'step')::int AS step, lag((data ->> 'step')::int) OVER w AS before"
        " FROM alert_entries WHERE kind = 'paged' AND data ->> 'step' ~ '^\\d+$' AND data ->> 'occurrence' = '1'"
        " WINDOW w AS (PARTITION BY alert_id ORDER BY seq)) x WHERE step <= before"
    )
    assert turned == []


def _every_page_arrived_once(base: Database, keys: list[str], arrived: list[float]) -> None:
    """At least once each; more than once only where whoever sent it died before writing down that it had."""
    pages = base.rows(
        "SELECT idempotency_key AS key, state, attempts, extract(epoch FROM created_at)::float8 AS created"
        " FROM outbox WHERE channel_kind <> 'console'"
    )
    assert len({page["key"] for page in pages}) == len(pages) > ALERTS
    assert {page["state"] for page in pages} <= {"sent", "cancelled"}
    times, first = Counter(keys), dict(zip(reversed(keys), reversed(arrived), strict=True))
    for page in pages:
        if page["state"] == "cancelled":  # resolved while the page of a dead worker waited
            assert page["attempts"] > 1
            continue
        allowed = TICK_SECONDS + (page["attempts"] - 1) * (LEASE_SECONDS + TICK_SECONDS)
        assert 1 <= times[page["key"]] <= page["attempts"], page
        assert first[page["key"]] - page["created"] <= allowed, page
    assert set(times) <= {page["key"] for page in pages}
    doubled = sum(1 for n in times.values() if n > 1)
    assert 0 < doubled < 0.05 * len(pages)
    assert base.rows("SELECT 1 FROM outbox WHERE channel_kind = 'console' AND state <> 'sent'") == []


def _every_missed_deadline_was_told_once(base: Database) -> None:
    told = base.rows("SELECT alert_id, data ->> 'deadline_at' AS at FROM alert_entries WHERE kind = 'overdue'")
    assert len({(row["alert_id"], row["at"]) for row in told}) == len(told) > 0
    forgotten = base.rows(
        "SELECT 1 FROM alerts a WHERE state = 'open' AND NOT EXISTS"
        " (SELECT FROM alert_entries e WHERE e.alert_id = a.id AND e.kind = 'overdue')"
    )
    assert forgotten == []
    assert base.rows("SELECT 1 FROM alert_entries WHERE kind = 'stuck'") == []

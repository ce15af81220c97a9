"""From committed readings to alerts, through kills, restarts and changes of hands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from alerts import checkpoint
from alerts.detector_set import Detectors
from alerts.detectors.base import make_batch
from alerts.detectors.vitals import VitalsDetector
from alerts.directory import Bindings, Directory
from alerts.feed import STARTING_SECONDS, Follower, LostLead
from alerts.supervision import JITTER_SHARE
from core.clock import ManualClock, from_unix
from core.errors import BadInput
from core.metrics import BY_CODE
from db.feed import MotionColumns, ReadingColumns, append
from db.pool import Pool
from db.tenant import service_transaction
from tests.contract.detector_drivers import fall_signal
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database
from tests.integration.test_alerts_events import Killed, killed_at

SPO2 = BY_CODE["spo2"].id


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def send(make_pool_for: Callable[[str], Pool], clock: ManualClock) -> Callable[..., None]:
    """A function that commits a batch of readings as ingest does: one value a second up to now."""
    ingest = make_pool_for("ingest")

    def do(device_key: int, value: float, n: int = 1, metric: int = SPO2) -> None:
        for _ in range(n):
            clock.advance(10)
            columns = ReadingColumns(
                np.array([device_key], np.int32), np.array([metric], np.int16), np.array([clock.time()]),
                np.array([value]),
            )  # fmt: skip
            with service_transaction(ingest) as tx:
                append(tx, columns, clock.now())

    return do


def started(pool: Pool, clock: ManualClock) -> Follower:
    follower = Follower(pool, clock)
    follower.start()
    return follower


def run(follower: Follower) -> None:
    while follower.step():
        pass


def test_low_oxygen_becomes_one_alert_and_clears_by_note_only(
    base: Database, world: World, pool: Pool, clock: ManualClock, send: Callable[..., None]
) -> None:
    follower = started(pool, clock)
    band = world.a.devices[0].key
    send(band, 97, 5)
    send(band, 84, 60)
    run(follower)
    alert = base.alert()
    assert (alert["type"], alert["resident_id"], alert["source"]) == ("spo2_low", world.a.residents[0], "detector")
    assert alert["evidence"]["detector"] == "vitals"
    assert alert["place"] == "2层 201室"
    send(band, 97, 120)
    run(follower)
    assert base.alert()["state"] == "open"
    assert base.alert()["cleared_at"] is not None


def test_pain_40_a_kill_at_any_statement_neither_loses_nor_doubles(
    base: Database,
    world: World,
    pool: Pool,
    clock: ManualClock,
    send: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Die at every statement of the pass that finds something, each time with a fresh process after it."""
    undisturbed = started(pool, clock)
    send(world.b.devices[0].key, 97, 5)
    send(world.b.devices[0].key, 80, 60)
    run(undisturbed)
    (other,) = base.rows("SELECT * FROM alerts")
    send(world.a.devices[0].key, 97, 5)
    send(world.a.devices[0].key, 80, 60)
    for statement in range(1, 120):
        follower = started(pool, clock)
        with monkeypatch.context() as patch:
            killed_at(patch, statement)
            try:
                run(follower)
            except Killed:
                continue
            break
    assert 10 < statement < 119
    mine = "SELECT * FROM alerts WHERE institution_id = %s"
    (alert,) = base.rows(mine, world.a.institution_id)
    twin = Follower(pool, clock)
    twin.start()
    run(twin)
    assert base.rows(mine, world.a.institution_id) == [alert]
    assert base.timeline(alert["id"]).count("opened") == 1
    assert alert["occurrences"] == other["occurrences"], "as often as without a kill"
    assert base.timeline(alert["id"]).count("occurred") == alert["occurrences"] - 1


def test_a_restart_in_the_middle_changes_nothing(
    base: Database, world: World, pool: Pool, clock: ManualClock, send: Callable[..., None]
) -> None:
    """Memory comes back from the checkpoint and the replay: the finding comes at the very reading."""
    band = world.a.devices[0].key
    follower = started(pool, clock)
    send(band, 97, 10)
    follower.step()
    follower.tick()  # checkpoint
    for _ in range(60):
        send(band, 84)
        follower = started(pool, clock)  # killed and started again after every reading
        run(follower)
    alert = base.alert()
    steady = VitalsDetector()
    found = []
    for row in base.rows("SELECT payload FROM feed WHERE kind = 1 ORDER BY seq"):
        time, value = np.frombuffer(row["payload"], "<f8", 2, 6)
        found += steady.consume(make_batch([(1, SPO2, float(time), float(value))]))
    assert alert["occurred_at"].timestamp() == pytest.approx(found[0].time)
    assert alert["occurrences"] == len(found)


def test_silence_of_a_bound_device_is_an_alert_and_ends_by_itself(
    base: Database, world: World, pool: Pool, clock: ManualClock, send: Callable[..., None]
) -> None:
    follower = started(pool, clock)
    band = world.a.devices[0].key
    send(band, 97)
    run(follower)
    follower.tick()
    clock.advance(3600 * (1 + JITTER_SHARE) + STARTING_SECONDS)
    follower.tick()
    silent = base.rows("SELECT * FROM alerts WHERE type = 'device_silent' ORDER BY resident_id")
    assert len(silent) == 4, "every bound device; the spare ones are nobody's"
    send(band, 97)
    run(follower)
    mine = [row for row in base.rows("SELECT * FROM alerts") if row["resident_id"] == world.a.residents[0]]
    assert [(row["state"], row["outcome"]) for row in mine] == [("resolved", "no_action")]
    again = started(pool, clock)
    run(again)
    clock.advance(STARTING_SECONDS)
    again.tick()
    assert len(base.rows("SELECT 1 FROM alerts")) == 4, "what was raised is remembered over a restart"


def test_silence_of_a_device_that_was_unbound_ends_on_its_alert(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    follower = started(pool, clock)
    clock.advance(3600 * (1 + JITTER_SHARE) + STARTING_SECONDS)
    follower.tick()
    band = world.a.devices[0]
    base.rows("UPDATE bindings SET bound_to = %s WHERE device_key = %s", clock.now(), band.key)
    clock.advance(61)
    follower.step()
    follower.tick()
    (row,) = base.rows("SELECT state FROM alerts WHERE device_key = %s", band.key)
    assert row["state"] == "resolved"


def test_only_one_follows_and_the_other_is_told(
    base: Database, world: World, pool: Pool, clock: ManualClock, send: Callable[..., None]
) -> None:
    old, new = started(pool, clock), started(pool, clock)
    send(world.a.devices[0].key, 97, 3)
    assert new.step() == 3
    send(world.a.devices[0].key, 97, 3)
    with pytest.raises(LostLead):
        old.step()


def test_pain_37_a_condition_that_holds_at_the_first_start_is_seen(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    """A sporadic measurement from before the first start raises at the start, without a further one."""
    glucose = BY_CODE["glucose"].id
    base.rows(
        "INSERT INTO latest (device_key, metric, time, value, received) VALUES (%s, %s, %s, %s, %s)",
        world.a.devices[0].key, glucose, clock.now() - timedelta(minutes=5), 1.8, clock.now(),
    )  # fmt: skip
    follower = started(pool, clock)
    follower.tick()
    assert base.alert()["type"] == "glucose_low"


def test_personal_limits_apply_and_go(
    base: Database, world: World, pool: Pool, clock: ManualClock, send: Callable[..., None]
) -> None:
    follower = started(pool, clock)
    glucose = BY_CODE["glucose"].id
    band = world.a.devices[0].key
    base.rows(
        "INSERT INTO vital_limits (id, institution_id, resident_id, metric, high, author_id, reason, valid_from)"
        " VALUES (gen_random_uuid(), %s, %s, %s, 6.0, %s, 'doctor', %s)",
        world.a.institution_id, world.a.residents[0], glucose, world.a.users["admin"].id, clock.now(),
    )  # fmt: skip
    follower.reload()
    follower.step()
    send(band, 6.5, metric=glucose)
    run(follower)
    assert base.alert()["type"] == "glucose_high"
    send(world.b.devices[0].key, 6.5, metric=glucose)
    run(follower)
    assert len(base.rows("SELECT 1 FROM alerts")) == 1


def send_fall(base: Database, band: int, clock: ManualClock, ingest: Pool) -> None:
    """Commit the windows of a plain fall whose impact was 14 s ago."""
    hz, t0 = 50.0, clock.time() - 20
    samples = fall_signal(np.random.default_rng(0), hz)
    starts = [t0 + start / hz for start in range(0, len(samples), 100)]
    for n, start in enumerate(starts):
        counts = np.round(samples[100 * n : 100 * n + 100] / 0.001).astype("<i2").tobytes()
        base.rows(
            "INSERT INTO motion_windows (device_key, time, hz, scale, counts, received)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            band, from_unix(start), hz, 0.001, counts, clock.now(),
        )  # fmt: skip
    with service_transaction(ingest) as tx:
        append(tx, MotionColumns(np.full(len(starts), band, np.int32), np.array(starts)), clock.now())


def test_a_fall_in_motion_windows_becomes_a_critical_alert(
    base: Database, world: World, pool: Pool, clock: ManualClock, make_pool_for: Callable[[str], Pool]
) -> None:
    """Windows are fetched by their keys, and the alert goes to whoever wore the band at the time of the impact."""
    follower = started(pool, clock)
    send_fall(base, world.a.devices[0].key, clock, make_pool_for("ingest"))
    run(follower)
    clock.advance(10)
    follower.tick()
    alert = base.alert()
    assert (alert["type"], alert["severity"], alert["resident_id"]) == ("fall", "critical", world.a.residents[0])
    assert [one["what"] for one in alert["evidence"]["corroboration"]] == ["still"]
    again = started(pool, clock)
    again.tick()
    assert base.alert()["occurrences"] == 1, "found once, though restarted"
    assert len(base.rows("SELECT 1 FROM escalation_steps")) == 6


def test_whoever_walks_after_a_fall_marks_it_as_over_and_a_person_still_closes_it(
    base: Database,
    world: World,
    pool: Pool,
    clock: ManualClock,
    make_pool_for: Callable[[str], Pool],
    send: Callable[..., None],
) -> None:
    """The fall's watch outlives a restart, and what the home tells later reaches the same alert."""
    follower = started(pool, clock)
    band = world.a.devices[0].key
    send_fall(base, band, clock, make_pool_for("ingest"))
    run(follower)
    clock.advance(10)
    follower.tick()
    follower.stop()
    for count in (500, 512, 540):
        send(band, count, metric=BY_CODE["steps"].id)
    follower = started(pool, clock)
    run(follower)
    follower.tick()
    alert = base.alert()
    assert (alert["state"], alert["occurrences"]) == ("open", 1)
    assert alert["cleared_at"] is not None
    (told,) = base.rows("SELECT data FROM alert_entries WHERE kind = 'cleared'")
    assert [one["what"] for one in told["data"]["evidence"]["corroboration"]] == ["walking"]


def test_a_wristband_is_worn_at_the_wrist_unless_somebody_has_said_other() -> None:
    rows = {
        1: {"kind": "wristband", "position": ""},
        2: {"kind": "wristband", "position": "waist"},
        3: {"kind": "pendant", "position": ""},
        4: {"kind": "pendant", "position": "wrist"},
    }
    known = Directory(rows, Bindings([]), [])
    assert [known.position(key) for key in range(1, 6)] == ["wrist", "waist", "unknown", "wrist", "unknown"]


def test_bindings_are_looked_up_as_a_slow_twin_would() -> None:
    rng = np.random.default_rng(7)
    start = 1_764_000_000
    rows: list[dict[str, Any]] = []
    for device in (3, 4, 90, 2_000_000):
        cuts = np.sort(rng.choice(1000, 6, replace=False)) + start
        rows += [
            {"device_key": device, "bound_from": from_unix(int(a)), "bound_to": from_unix(int(b)) if i < 4 else None,
             "resident_key": device * 10 + i}
            for i, (a, b) in enumerate(pairwise(cuts)) if i != 2
        ]  # fmt: skip
    device = rng.choice([3, 4, 5, 90, 2_000_000], 2000)
    time = start + rng.uniform(-50, 1050, 2000)
    time[:100] = np.round(time[:100])
    time[5] = np.nan

    def twin(key: int, at: float) -> int:
        for row in rows:
            end = row["bound_to"].timestamp() if row["bound_to"] else np.inf
            if row["device_key"] == key and row["bound_from"].timestamp() <= at < end:
                return int(row["resident_key"])
        return -1

    got = Bindings(rows).residents(device, time)
    assert got.tolist() == [twin(int(k), float(t)) for k, t in zip(device, time, strict=True)]
    assert Bindings([]).residents(device, time).tolist() == [-1] * 2000


def test_a_checkpoint_of_another_version_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = checkpoint.save(Detectors().by_name())
    assert checkpoint.restore(Detectors().by_name(), kept) == {}
    monkeypatch.setattr(VitalsDetector, "version", "of tomorrow")
    assert list(checkpoint.restore(Detectors().by_name(), kept)) == ["vitals"]
    with pytest.raises(BadInput):
        checkpoint.restore(Detectors().by_name(), kept[: len(kept) // 2])


@pytest.mark.parametrize(("name", "hours"), [("203 冰箱门磁", 10), ("203 入户门磁", 12)])
def test_who_opens_the_fridge_has_not_gone_out(
    base: Database, world: World, pool: Pool, clock: ManualClock, send: Callable[..., None], name: str, hours: int
) -> None:
    contact = world.a.devices[0].key
    base.rows("UPDATE devices SET name = %s WHERE key = %s RETURNING key", name, contact)
    follower = started(pool, clock)
    send(contact, 1, 1, BY_CODE["door"].id)
    run(follower)
    raised = []
    for step in (timedelta(hours=hours, minutes=-5), timedelta(minutes=6)):
        clock.advance(step)
        follower.tick()
        raised.append(bool(base.rows("SELECT id FROM alerts WHERE type = 'inactivity'")))
    assert raised == [False, True]

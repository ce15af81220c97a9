"""Simulated stories of homes through the production detectors: the right alert for the victim, none for the others."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from alerts.detector_set import Detectors
from alerts.detectors.base import Finding, make_batch
from alerts.detectors.place import Fence
from alerts.feed import Follower
from core.clock import ManualClock
from core.metrics import BY_CODE
from db.feed import ReadingColumns, append
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from simulators.scenarios import Label, cast
from simulators.sensors.befallen import HOME
from simulators.stream import StreamOptions, stream
from simulators.world import make_world
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database
from tests.integration.conftest import Api

MIDNIGHT = 1_764_000_000.0 - 1_764_000_000.0 % 86_400 + 16 * 3600  # in Shanghai
STEP_SECONDS = 300.0
SLOW = frozenset({"pir", "door", "bed"})
OTHERS_MAY = frozenset({"routine_review"})

STILL = {"missed_morning", "inactivity"}
"""One stillness is one alert: whichever of the two is due first tells of it."""

# scenario -> (days before it, hours to watch, devices)
STORIES: dict[str, tuple[int, float, frozenset[str]]] = {
    "night-wandering": (1, 30, SLOW),
    "missed-morning": (9, 30, SLOW),
    "quiet-collapse": (8, 16, SLOW),
    "geofence-exit": (0, 1.5, frozenset({"wristband"})),
    "co-build-up": (0, 1.5, frozenset({"gas"})),
    "water-running": (0, 2.5, frozenset({"gas"})),
    "room-cold": (0, 3.5, frozenset({"smoke"})),
}


def told(scenario: str) -> tuple[Label, list[Finding]]:
    """Play a scenario to two residents and show every message to the detectors of the alerts role."""
    days, hours, kinds = STORIES[scenario]
    at = MIDNIGHT + 9.7 * 3600
    people = make_world(2, 5, "demo").residents
    episodes, (label,) = cast(scenario, people, at)
    begin = at - 86_400 * days - 600
    world = make_world(2, 5, "demo", episodes=episodes)
    detectors, found, rows = Detectors(), [], []
    detectors.place.set_fences({index: [Fence((HOME,), 250.0)] for index in range(2)})
    watching = (detectors.inactivity, detectors.night, detectors.place, detectors.routine_day, detectors.home)
    due = begin + STEP_SECONDS
    for message in stream(world, begin, at + 3600 * hours - begin, options=StreamOptions(kinds=kinds)):
        while message.time >= due:
            batch = make_batch(rows)
            for detector in watching:
                found += detector.consume(batch) + detector.tick(due)
            due, rows = due + STEP_SECONDS, []
        if message.channel == "telemetry":
            body, resident = json.loads(message.payload), int(message.device[-4:]) - 1
            rows += [(resident, BY_CODE[code].id, body["t"], float(value)) for code, value in body["m"].items()]
    return label, [finding for finding in found if finding.phase == "raised"]


@pytest.mark.parametrize("scenario", STORIES)
def test_a_story_raises_its_alert_for_its_victim_alone(scenario: str) -> None:
    label, found = told(scenario)
    during = [f for f in found if f.subject == label.resident and label.start <= f.time <= label.end + 600]
    types = {f.type for f in during}
    if label.alert_type in STILL:
        assert len(types & STILL) == 1
    else:
        assert label.alert_type in types
    others = {f.type for f in found if f.subject != label.resident or f.time < label.start}
    assert others <= OTHERS_MAY


@pytest.fixture
def feed(make_pool_for: Callable[[DbRole], Pool], clock: ManualClock) -> Callable[..., None]:
    """Commit one moment's readings of a device, as ingest does."""
    ingest = make_pool_for("ingest")

    def commit(device_key: int, **readings: float) -> None:
        n = len(readings)
        columns = ReadingColumns(
            np.full(n, device_key, np.int32),
            np.array([BY_CODE[code].id for code in readings], np.int16),
            np.full(n, clock.time()),
            np.array(list(readings.values())),
        )
        with service_transaction(ingest) as tx:
            append(tx, columns, clock.now())

    return commit


def test_co_and_leaving_the_safe_area_become_alerts_of_the_person(
    api: Api,
    database_url: str,
    world: World,
    make_pool_for: Callable[[DbRole], Pool],
    clock: ManualClock,
    feed: Callable[..., None],
) -> None:
    body = {"name": "家", "corners": [HOME], "radius_m": 250}
    answer = api.as_user("caregiver").post(f"/api/v1/residents/{world.a.residents[0]}/fences", json=body)
    assert answer.status_code == 201, answer.text
    follower = Follower(make_pool_for("alerts"), clock)
    follower.start()
    device = world.a.devices[0].key
    for minute in range(4):
        feed(device, co_ppm=350.0, lat=HOME[0] + 0.01 * minute, lon=HOME[1], loc_acc=10.0)
        while follower.step():
            pass
        clock.advance(60)
    rows = Database(database_url, clock).rows(
        "SELECT type, severity, resident_id, source, evidence FROM alerts ORDER BY type"
    )
    assert [(row["type"], row["source"], row["resident_id"]) for row in rows] == [
        ("co", "detector", world.a.residents[0]),
        ("geofence_exit", "detector", world.a.residents[0]),
    ]
    assert rows[0]["severity"] == "critical"
    assert rows[0]["evidence"]["rule"] == "co_ppm >= 300 ppm for 1 min"
    assert not {"lat", "lon"} & rows[1]["evidence"].keys()

"""Believable days: rhythm, ranges, and people who are planned the same way however many they are."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict

import numpy as np
import pytest

from core.errors import BadIdentifier, BadInput
from core.ids import broker_username
from core.vocabulary import DEVICE_KINDS
from simulators.provisioning import plan
from simulators.rng import keyed
from simulators.stream import stream
from simulators.world import AWAY, DAY_SECONDS, IN_BED, LOCAL_OFFSET_SECONDS, Activity, make_world

MIDNIGHT = 20_417 * float(DAY_SECONDS) - LOCAL_OFFSET_SECONDS


def test_a_day_has_a_night_meals_and_an_end() -> None:
    world = make_world(30, 2, "demo")
    for resident in world.residents:
        life = world.life(resident)
        codes = life.activity(MIDNIGHT + 60.0 * np.arange(1440))
        asleep = np.isin(codes, [int(a) for a in IN_BED])
        assert asleep[[180, 1435]].all() or Activity.TOILET in codes[[180, 1435]]
        assert asleep[60:240].mean() > 0.8
        assert not asleep[9 * 60 : 11 * 60].any()
        assert 5.5 * 60 < asleep.sum() < 12 * 60
        assert (codes == Activity.MEAL).sum() >= 30
        assert not np.isin(codes[: 4 * 60], [int(a) for a in AWAY]).any()


def test_a_quiet_day_stays_within_what_alarms_nobody() -> None:
    seen: dict[str, list[float]] = defaultdict(list)
    steps: dict[str, int] = defaultdict(int)
    types = set()
    for message in stream(make_world(12, 9, "demo"), MIDNIGHT, float(DAY_SECONDS)):
        if message.channel == "telemetry":
            metrics = json.loads(message.payload)["m"]
            for code, value in metrics.items():
                seen[code].append(value)
            steps[message.device] = max(steps[message.device], metrics.get("steps", 0))
        elif message.channel == "event":
            types.add(json.loads(message.payload)["type"])
    assert min(seen["heart_rate"]) >= 48
    assert max(seen["heart_rate"]) <= 115
    assert np.std(seen["heart_rate"]) > 4
    assert min(seen["spo2"]) >= 94
    assert 36.0 < min(seen["body_temp"]) < max(seen["body_temp"]) < 37.5
    assert min(seen["resp_rate"]) >= 12
    assert max(seen["resp_rate"]) <= 20
    assert max(seen["gas_lel"]) < 3
    assert set(seen["smoke"]) == {0}
    assert min(seen["battery"]) >= 20
    assert set(seen["bed"]) == set(seen["door"]) == {0, 1}
    walked = [count for device, count in steps.items() if device.startswith("wb")]
    assert 300 < min(walked) < max(walked) < 20_000
    assert types <= {"bed_exit", "bed_return", "door_open", "door_close"}


def test_heart_rate_is_lower_in_sleep_than_on_a_walk() -> None:
    world = make_world(10, 2, "demo")
    night, walk = [], []
    for resident in world.residents:
        life, times = world.life(resident), MIDNIGHT + 60.0 * np.arange(1440)
        rate, codes = life.heart_rate(times, keyed("test")), life.activity(times)
        night += rate[codes == Activity.SLEEP].tolist()
        walk += rate[codes == Activity.WALK_OUT].tolist()
    assert np.mean(walk) - np.mean(night) > 15


def test_steps_only_grow_within_a_day_and_start_again_at_midnight() -> None:
    world = make_world(1, 2, "demo")
    life = world.life(world.residents[0])
    counts = life.steps(MIDNIGHT + 30.0 * np.arange(2880))
    assert counts[0] == 0
    assert (np.diff(counts) >= 0).all()
    assert counts[-1] > 300
    assert life.steps(np.array([MIDNIGHT + DAY_SECONDS + 1.0]))[0] == 0


def test_bed_events_alternate_and_agree_with_the_bed_metric() -> None:
    states: dict[str, list[str]] = defaultdict(list)
    for message in stream(make_world(6, 2, "demo"), MIDNIGHT, 2.0 * DAY_SECONDS):
        if message.channel == "event" and message.device.startswith(("bed", "door")):
            states[message.device].append(json.loads(message.payload)["type"])
    assert any(device.startswith("bed") for device in states)
    for kinds in states.values():
        assert all(a != b for a, b in itertools.pairwise(kinds))


def test_the_plan_is_deterministic_and_a_prefix_of_a_larger_one() -> None:
    assert plan(5, 1, "demo") == plan(9, 1, "demo")[:5]
    assert plan(3, 1, "demo", first=2) == plan(5, 1, "demo")[2:]
    assert plan(5, 1, "demo") != plan(5, 2, "demo")
    assert [r.name_zh for r in plan(20, 1, "demo")] != [r.name_zh for r in plan(20, 1, "other")]


def test_planned_people_are_plausible_and_their_devices_unique() -> None:
    people = plan(300, 1, "demo")
    devices = [d for p in people for d in p.devices]
    assert len({d.id for d in devices}) == len(devices) == 1800
    assert {d.kind for d in devices} <= set(DEVICE_KINDS)
    assert all(d.slot == broker_username("demo", d.id) for d in devices)
    assert len({(p.building, p.room) for p in people}) == 300
    assert {p.gender for p in people} == {"female", "male"}
    assert all(1930 <= p.birth_date.year <= 1956 for p in people)
    assert all(len(p.name_zh) == 3 and p.name_en.isascii() for p in people)
    assert len({p.name_zh for p in people}) > 150


@pytest.mark.parametrize(("count", "first"), [(0, 0), (1, -1), (10_000, 0)])
def test_impossible_plans_are_refused(count: int, first: int) -> None:
    with pytest.raises(BadInput):
        plan(count, 1, "demo", first=first)


def test_a_bad_site_is_refused() -> None:
    with pytest.raises(BadIdentifier):
        plan(1, 1, "Not A Site")


def test_keys_of_different_shape_are_different_streams() -> None:
    draws = {float(keyed(*key).random()) for key in [(1,), (1, 0), ("1",), (1, "a"), (1, "a", 0)]}
    assert len(draws) == 5

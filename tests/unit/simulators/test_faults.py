"""Faults: deterministic, as often as asked, and honest about what they touched."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import cbor2
import pytest

from core.errors import BadInput
from simulators.faults import NO_FAULTS, Faults, Message, apply
from simulators.scenarios import cast
from simulators.stream import stream
from simulators.world import make_world
from tests.unit.simulators.conftest import T0

HOURS = 6


def run(faults: Faults, seed: int = 3) -> list[Message]:
    return list(stream(make_world(4, seed, "demo"), T0, HOURS * 3600.0, faults=faults))


CLEAN = run(NO_FAULTS)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(duplicate=0.1, delay=0.1, lost=0.05, corrupt=0.05, disconnect_per_hour=0.3),
        Faults(clock_drift_ppm_max=100.0, clock_step_per_hour=0.2),
    ],
)
def test_the_same_seed_repeats_the_same_faults(faults: Faults) -> None:
    assert run(faults) == run(faults)
    assert run(faults) != CLEAN


def test_faulty_streams_stay_in_order_of_time() -> None:
    times = [m.time for m in run(Faults(duplicate=0.2, delay=0.3, disconnect_per_hour=0.5))]
    assert times == sorted(times)


def test_duplicates_are_the_same_bytes_and_as_many_as_asked() -> None:
    messages = run(Faults(duplicate=0.2))
    extra = [m for m in messages if m.fault == "duplicate"]
    assert 0.17 < len(extra) / len(CLEAN) < 0.23
    counts = Counter((m.topic, m.payload) for m in messages)
    assert set(counts) == {(m.topic, m.payload) for m in CLEAN}
    assert all(counts[m.topic, m.payload] == 2 for m in extra)


def test_delays_reorder_and_lose_nothing() -> None:
    messages = run(Faults(delay=0.3, delay_seconds_max=300.0))
    assert sorted((m.topic, m.payload) for m in messages) == sorted((m.topic, m.payload) for m in CLEAN)
    per_device: dict[str, list[int]] = defaultdict(list)
    for message in messages:
        if message.channel == "telemetry":
            per_device[message.device].append(json.loads(message.payload)["seq"])
    assert any(numbers != sorted(numbers) for numbers in per_device.values())


def test_a_lost_connection_holds_everything_back_until_the_return() -> None:
    messages = run(Faults(disconnect_per_hour=0.6, disconnect_seconds_max=900.0))
    said = [m for m in messages if not (m.channel == "status" and m.fault == "offline" and b"fw" not in m.payload)]
    assert sorted((m.topic, m.payload) for m in said) == sorted((m.topic, m.payload) for m in CLEAN)
    wills = [m for m in messages if m.payload == b'{"online":false}']
    assert wills
    for will in wills:
        assert will.retain
        assert will.topic == f"anhu/v1/demo/{will.device}/status"
        after = [m for m in messages if m.device == will.device and m.time > will.time]
        assert json.loads(after[0].payload)["online"] is True
        assert all(m.time >= after[0].time for m in after)


def read(message: Message) -> object:
    """What a strict reader makes of a payload: JSON without NaN, or the CBOR map of a motion window."""

    def refuse(constant: str) -> float:
        raise ValueError(constant)

    if message.channel == "motion":
        body = cbor2.loads(message.payload)
        if not isinstance(body, dict):
            raise ValueError(body)
        return body
    return json.loads(message.payload, parse_constant=refuse)


def test_corrupt_payloads_can_never_be_read() -> None:
    assert all(read(message) for message in CLEAN)
    broken = [m for m in run(Faults(corrupt=0.3)) if m.fault == "corrupt"]
    assert len(broken) > 0.2 * len(CLEAN)
    for message in broken:
        with pytest.raises((ValueError, cbor2.CBORDecodeError)):
            read(message)


def test_events_are_spared_unless_asked_for() -> None:
    people = make_world(4, 3, "demo").residents
    episodes, labels = cast("sos", people, T0 + 500.0)
    world = make_world(4, 3, "demo", episodes=episodes)

    def presses(faults: Faults) -> list[Message]:
        found = stream(world, T0, 3600.0, faults=faults)
        return [m for m in found if m.channel == "event" and b'"sos"' in m.payload]

    assert len(presses(Faults(lost=1.0))) == 1
    assert presses(Faults(corrupt=1.0))[0].fault == ""
    assert presses(Faults(lost=1.0, events=True)) == []
    assert labels[0].alert_type == "sos"


def test_clocks_drift_and_step_within_their_bounds_and_times_of_sending_stay() -> None:
    drift, step = Faults(clock_drift_ppm_max=200.0), Faults(clock_step_per_hour=0.5, clock_step_seconds_max=900.0)
    for faults, most, least in ((drift, 200e-6 * HOURS * 3600 + 0.002, 0.5), (step, 900.002, 60.0)):
        messages = run(faults)
        assert [(m.time, m.topic) for m in messages] == [(m.time, m.topic) for m in CLEAN]
        errors = [
            abs(json.loads(a.payload)["t"] - json.loads(b.payload)["t"])
            for a, b in zip(messages, CLEAN, strict=True)
            if a.channel == "telemetry"
        ]
        assert least < max(errors) <= most


def test_no_faults_pass_the_stream_through() -> None:
    assert list(apply(iter(CLEAN), NO_FAULTS, 1)) == CLEAN


@pytest.mark.parametrize(
    "make",
    [
        lambda: Faults(duplicate=1.1),
        lambda: Faults(lost=-0.1),
        lambda: Faults(delay_seconds_max=-1.0),
        lambda: Faults(disconnect_seconds_max=4000.0),
    ],
)
def test_impossible_faults_are_refused(make: object) -> None:
    with pytest.raises(BadInput):
        make()  # type: ignore[operator]

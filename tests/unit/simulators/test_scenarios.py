"""What a label promises is in the stream: who, when, and what the platform is to notice."""

from __future__ import annotations

import json

import cbor2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BadInput
from core.vocabulary import ALERT_TYPES, EMERGENCY_EVENTS
from simulators.faults import Message
from simulators.scenarios import SCENARIOS, Label, cast
from simulators.sensors.base import SensorOptions
from simulators.stream import StreamOptions, stream
from simulators.world import make_world
from tests.unit.simulators.conftest import T0


def play(
    scenario: str, seconds: float = 5400.0, at: float = T0 + 1234.5, seed: int = 6, motion: str = "falls"
) -> tuple[Label, list[Message]]:
    people = make_world(3, seed, "demo").residents
    episodes, labels = cast(scenario, people, at)
    assert len(labels) == 1
    world = make_world(3, seed, "demo", episodes=episodes)
    options = StreamOptions(SensorOptions(motion=motion))  # type: ignore[arg-type]
    return labels[0], list(stream(world, T0, seconds, options=options))


def events(messages: list[Message]) -> list[tuple[str, float, str]]:
    bodies = [(m.device, json.loads(m.payload)) for m in messages if m.channel == "event"]
    return [(device, body["t"], body["type"]) for device, body in bodies]


def series(messages: list[Message], device: str, metric: str) -> NDArray[np.float64]:
    found = []
    for message in messages:
        if message.device == device and message.channel == "telemetry":
            body = json.loads(message.payload)
            if metric in body["m"]:
                found.append((body["t"], float(body["m"][metric])))
    return np.array(found)


def acceleration(messages: list[Message], device: str, start: float, end: float) -> NDArray[np.float64]:
    """Rows of (t, x, y, z) in g."""
    rows = []
    for message in messages:
        if message.device == device and message.channel == "motion":
            body = cbor2.loads(message.payload)
            acc = np.frombuffer(body["acc"], dtype="<i2").reshape(-1, 3) * body["scale"]
            times = body["t0"] + np.arange(len(acc)) / body["hz"]
            rows.append(np.column_stack([times, acc]))
    joined = np.concatenate(rows) if rows else np.empty((0, 4))
    return joined[(joined[:, 0] >= start) & (joined[:, 0] < end)]


def test_labels_use_the_platforms_words_and_name_one_real_device() -> None:
    for code in SCENARIOS:
        people = make_world(4, 1, "demo").residents
        episodes, labels = cast(code, people, T0)
        assert len(episodes) == len(labels) == (0 if code == "quiet-day" else 1)
        for label in labels:
            assert label.alert_type in ALERT_TYPES
            assert label.name_zh == people[label.resident].name_zh
            assert label.device in {d.id for d in people[label.resident].devices}
            assert label.start < label.end


def test_a_quiet_day_has_no_emergency() -> None:
    messages = stream(make_world(10, 8, "demo"), T0, 86_400.0)
    assert not {kind for _, _, kind in events(list(messages))} & set(EMERGENCY_EVENTS)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("motion", ["falls", "continuous"])
def test_a_fall_looks_like_one_at_the_labelled_time(seed: int, motion: str) -> None:
    label, messages = play("fall", seed=seed, seconds=2400.0, motion=motion)
    acc = acceleration(messages, label.device, label.start - 20.0, label.start + 60.0)
    assert len(acc) == 80 * 50
    np.testing.assert_allclose(np.diff(acc[:, 0]), 0.02, atol=0.0021)
    size = np.linalg.norm(acc[:, 1:], axis=1)
    since = acc[:, 0] - label.start
    assert abs(since[size.argmax()]) < 0.5
    assert size.max() > 2.0
    assert size[(since > -1.0) & (since < 0.0)].min() < 0.75
    assert 0.9 < size[since < -2.0].mean() < 1.15
    assert size[since > 5.0].std() < 0.05
    before, after = acc[since < -2.0, 1:].mean(axis=0), acc[since > 5.0, 1:].mean(axis=0)
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert np.degrees(np.arccos(cosine)) > 45.0
    assert 0.95 < np.linalg.norm(after) < 1.05


def test_after_a_fall_the_person_lies_still() -> None:
    label, messages = play("fall")
    steps = series(messages, label.device, "steps")
    lying = steps[(steps[:, 0] > label.start + 60) & (steps[:, 0] < label.end)]
    assert len(lying) >= 12
    assert len(set(lying[:, 1])) == 1
    beds = series(messages, label.device.replace("wb", "bed"), "bed")
    assert not beds[(beds[:, 0] > label.start) & (beds[:, 0] < label.end), 1].any()
    # The wristband leaves it to the platform to see the fall.
    assert not [e for e in events(messages) if e[2] == "fall"]


def test_ordinary_movement_has_no_impact() -> None:
    world = make_world(2, 8, "demo")
    options = StreamOptions(SensorOptions(motion="continuous"), kinds=frozenset({"wristband"}))
    messages = list(stream(world, T0, 4 * 3600.0, options=options))
    for device in ("wb-0001", "wb-0002"):
        size = np.linalg.norm(acceleration(messages, device, T0, T0 + 4 * 3600.0)[:, 1:], axis=1)
        assert len(size) > 4 * 3600 * 50 * 0.99
        assert size.max() < 2.0
        assert 0.98 < np.median(size) < 1.02


def test_sos_is_pressed_once_by_the_victim() -> None:
    label, messages = play("sos")
    assert [e for e in events(messages) if e[2] == "sos"] == [(label.device, label.start, "sos")]


def test_tachycardia_is_sustained_at_rest_and_over_afterwards() -> None:
    label, messages = play("tachycardia")
    rate, steps = series(messages, label.device, "heart_rate"), series(messages, label.device, "steps")
    inside = (rate[:, 0] > label.start + 60) & (rate[:, 0] < label.end)
    assert label.end - label.start > 600
    assert np.diff(rate[inside, 0]).max() <= 20
    assert rate[inside, 1].min() >= 128
    assert abs(rate[inside, 1].mean() - 135) < 2
    assert rate[rate[:, 0] < label.start, 1].max() < 115
    assert rate[rate[:, 0] > label.end + 400, 1].max() < 115
    assert np.ptp(steps[inside, 1]) <= 40


def test_a_gas_leak_raises_the_level_sounds_the_alarm_and_is_aired() -> None:
    label, messages = play("gas-leak")
    found = [e for e in events(messages) if e[2] in ("gas", "restore")]
    assert [(device, kind) for device, _, kind in found] == [(label.device, "gas"), (label.device, "restore")]
    assert 15.0 <= found[0][1] - label.start <= 60.0
    level = series(messages, label.device, "gas_lel")
    assert level[(level[:, 0] > label.start + 60) & (level[:, 0] < label.end - 150), 1].min() > 20
    assert level[level[:, 0] > label.end, 1].max() < 3


def test_a_silent_wristband_says_nothing_more_and_the_rest_of_the_home_goes_on() -> None:
    label, messages = play("device-silent")
    wristband = [m.time for m in messages if m.device == label.device]
    assert wristband[0] < label.start
    assert label.start - 120 < wristband[-1] < label.start
    assert max(m.time for m in messages if m.device == "bed-0001") > T0 + 5000
    assert max(m.time for m in messages if m.device == "wb-0002") > T0 + 5300


def test_unknown_scenarios_and_missing_victims_are_refused() -> None:
    with pytest.raises(BadInput, match="quiet-day"):
        cast("earthquake", make_world(1, 1, "demo").residents, T0)
    with pytest.raises(BadInput):
        cast("fall", (), T0)

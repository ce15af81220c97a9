"""Payloads against the contract, read by small checks written for this file and by nothing of the product."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.metrics import BY_CODE
from core.vocabulary import EVENT_TYPES
from simulators import wire
from simulators.scenarios import cast
from simulators.sensors.base import SensorOptions
from simulators.stream import StreamOptions, stream
from simulators.world import make_world
from tests.unit.simulators.conftest import T0

TOPIC = re.compile(r"anhu/v1/([a-z0-9-]{1,32})/([A-Za-z0-9_-]{1,64})/(telemetry|event|motion|status)")
VALUES = st.dictionaries(
    st.sampled_from(sorted(BY_CODE)), st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6), min_size=1, max_size=8
)
TIMES = st.floats(1.6e9, 2.0e9)


def check_metrics(metrics: dict[str, Any]) -> None:
    assert metrics
    for code, value in metrics.items():
        metric = BY_CODE[code]
        assert type(value) in (int, float)
        assert metric.low <= value <= metric.high, (code, value)


def check_telemetry(body: dict[str, Any], sent: float) -> None:
    assert type(body["seq"]) is int
    instants = body.get("s", [body])
    for instant in instants:
        assert sent - 3600.0 * 2 <= instant["t"] <= sent + 0.002
        check_metrics(instant["m"])


def check_motion(body: dict[str, Any], sent: float) -> None:
    assert body["unit"] == "g"
    assert body["hz"] == 50
    if isinstance(body["acc"], bytes):
        counts = np.frombuffer(body["acc"], dtype="<i2").reshape(-1, 3)
        acc = counts * body["scale"]
    else:
        acc = np.array(body["acc"])
    assert acc.shape == (250, 3)
    assert 0.7 < np.linalg.norm(acc, axis=1).mean() < 1.5
    # Sent after its last sample, soon.
    assert 0.0 <= sent - (body["t0"] + 250 / 50) < 1.0


@pytest.mark.parametrize("pack", [1, 7])
@pytest.mark.parametrize("motion", ["cbor", "json"])
def test_every_message_of_every_scenario_keeps_the_contract(pack: int, motion: str) -> None:
    seen: set[str] = set()
    for scenario in ("fall", "sos", "tachycardia", "gas-leak"):
        world = make_world(3, 5, "site-1")
        episodes, _ = cast(scenario, world.residents, T0 + 900.0)
        world = make_world(3, 5, "site-1", episodes=episodes)
        options = StreamOptions(SensorOptions(pack=pack), motion=motion)  # type: ignore[arg-type]
        for message in stream(world, T0, 2 * 3600.0, options=options):
            match = TOPIC.fullmatch(message.topic)
            assert match is not None
            assert match[1] == "site-1"
            assert match[2] == message.device
            assert message.qos == 1
            assert message.retain is (match[3] == "status")
            assert len(message.payload) <= 256 * 1024
            seen.add(match[3])
            if match[3] == "motion":
                check_motion(cbor2.loads(message.payload) if motion == "cbor" else json.loads(message.payload),
                             message.time)  # fmt: skip
                continue
            body = json.loads(message.payload)
            if match[3] == "telemetry":
                check_telemetry(body, message.time)
            elif match[3] == "event":
                assert body["type"] in EVENT_TYPES
                assert 1 <= len(body["id"]) <= 128
                assert abs(body["t"] - message.time) < 0.002
            else:
                assert body["online"] is True
                assert 0 <= body["battery"] <= 100
                assert -120 <= body["rssi"] <= 0
                assert body["fw"]
    assert seen == {"telemetry", "event", "motion", "status"}


@settings(max_examples=60, deadline=None)
@given(t=TIMES, seq=st.integers(0, 2**31), metrics=VALUES)
def test_telemetry_says_exactly_what_it_was_given(t: float, seq: int, metrics: dict[str, float]) -> None:
    body = json.loads(wire.telemetry(t, seq, metrics))
    assert body == {"t": round(t, 3), "seq": seq, "m": metrics}
    packed = json.loads(wire.pack(seq, [(t, metrics), (t + 1, metrics)]))
    assert [i["t"] for i in packed["s"]] == [round(t, 3), round(t + 1, 3)]
    assert all(i["m"] == metrics for i in packed["s"])


@settings(max_examples=60, deadline=None)
@given(instants=st.lists(st.tuples(TIMES, VALUES), min_size=1, max_size=5))
def test_senml_resolves_to_the_same_instants_in_both_encodings(instants: list[tuple[float, dict[str, float]]]) -> None:
    labels = {-3: "bt", 0: "n", 1: "u", 2: "v"}
    from_cbor = [{labels[k]: v for k, v in record.items()} for record in cbor2.loads(wire.senml_cbor(instants))]
    for records in (json.loads(wire.senml_json(instants)), from_cbor):
        base, resolved = 0.0, []
        for record in records:
            base = record.get("bt", base)
            resolved.append((base, record["n"], record["v"]))
        assert resolved == [(round(t, 3), code, value) for t, metrics in instants for code, value in metrics.items()]


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.tuples(*[st.integers(-32768, 32767)] * 3), min_size=1, max_size=50))
def test_motion_is_the_same_in_cbor_and_json(counts: list[tuple[int, int, int]]) -> None:
    array, scale = np.array(counts, dtype=np.int16), 1 / 2048
    binary, text = (
        cbor2.loads(wire.motion_cbor(T0, 50.0, array, scale)),
        json.loads(wire.motion_json(T0, 50.0, array, scale)),
    )
    # int16, little-endian, x then y then z of each sample.
    first = int.from_bytes(binary["acc"][2:4], "little", signed=True)
    assert first == counts[0][1]
    decoded = np.frombuffer(binary["acc"], dtype="<i2").reshape(-1, 3) * binary["scale"]
    assert np.abs(decoded - np.array(text["acc"])).max() <= 0.5e-4 + 1e-9


def test_numbers_that_json_does_not_know_are_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        wire.telemetry(T0, 1, {"heart_rate": math.nan})


def test_a_last_will_is_offline_and_carries_no_time() -> None:
    assert json.loads(wire.last_will()) == {"online": False}

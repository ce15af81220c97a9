"""Every kind of bad input becomes one rejection with its reason, and what is good beside it lands."""

from __future__ import annotations

import json
import math
from typing import Any
from uuid import UUID

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics import BY_CODE
from core.readings import Flag
from devices.registry import DeviceEntry, Directory
from ingest.batch import Message
from ingest.interpret import Interpreted, interpret

NOW = 1_764_000_000.0
HERE = UUID(int=1)
ENTRY = DeviceEntry(7, HERE, "home", "band", "wristband", 900, "wrist")
DIRECTORY = Directory(
    {"home": HERE, "other": UUID(int=2)},
    {("home", "band"): ENTRY, ("other", "far"): DeviceEntry(8, UUID(int=2), "other", "far", "pir", 900, "")},
    frozenset({"band", "far"}),
)


def run(payload: Any, topic: str = "anhu/v1/home/band/telemetry", **options: Any) -> Interpreted:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return interpret(Message(topic, raw, 1, 1, NOW, 1, **options), DIRECTORY)


def reasons(result: Interpreted) -> list[str]:
    return [rejection.reason for rejection in result.rejections]


def test_one_instant() -> None:
    result = run({"t": NOW - 1, "seq": 5, "m": {"heart_rate": 72, "spo2": 97.5}})
    assert {(r.metric, r.time, r.value, r.flags) for r in result.readings} == {
        (1, NOW - 1, 72.0, 0),
        (2, NOW - 1, 97.5, 0),
    }
    assert result.rejections == []


def test_pack_of_instants() -> None:
    result = run({"seq": 1, "s": [{"t": NOW - k, "m": {"heart_rate": 60 + k}} for k in range(20)]})
    assert len(result.readings) == 20
    assert {r.time for r in result.readings} == {NOW - k for k in range(20)}


def test_booleans_for_two_state_metrics() -> None:
    assert [r.value for r in run({"t": NOW, "m": {"bed": True, "door": False}}).readings] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"not json at all", "not_json"),
        (b"", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b'{"t": 1', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"m": ' * 40_000, "not_json"),
        (b"[1, 2]", "wrong_type"),
        (b'"text"', "wrong_type"),
        (b'{"t": 1764000000, "m": [1]}', "wrong_type"),
        (b'{"t": 1764000000, "s": {"m": 1}}', "wrong_type"),
        (b'{"t": "noon", "m": {"heart_rate": 70}}', "wrong_type"),
        (b'{"t": 1764000000}', "missing_field"),
        (b'{"t": 1764000000, "m": {}}', "missing_field"),
        (b'{"t": 1764000000, "m": {"heart_rate": "fast"}}', "wrong_type"),
        (b'{"t": 1764000000, "m": {"heart_rate": true}}', "wrong_type"),
        (b'{"t": 1764000000, "m": {"heart_rate": null}}', "wrong_type"),
        (b'{"t": 1764000000, "m": {"heart_rate": {"v": 3}}}', "wrong_type"),
        (b'{"t": 1764000000, "m": {"heart_rate": NaN}}', "not_finite"),
        (b'{"t": 1764000000, "m": {"heart_rate": Infinity}}', "not_finite"),
        (b'{"t": 1764000000, "m": {"heart_rate": 1e999}}', "not_finite"),
        (b'{"t": 1764000000, "m": {"heart_rate": 900}}', "out_of_range"),
        (b'{"t": 1764000000, "m": {"heart_rate": -1}}', "out_of_range"),
        (b'{"t": 1764000000, "m": {"mood": 5}}', "unknown_metric"),
        (b" " * (256 * 1024 + 1), "oversized"),
    ],
)
def test_each_bad_payload_is_one_rejection(payload: bytes, reason: str) -> None:
    result = run(payload)
    assert reasons(result) == [reason]
    assert result.readings == []
    assert result.institution_id == HERE


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("anhu/v1/home/nobody/telemetry", "unknown_device"),
        ("anhu/v1/nowhere/band/telemetry", "unknown_site"),
        ("anhu/v1/home/far/telemetry", "wrong_site"),
        ("anhu/v1/home/band/gossip", "bad_topic"),
        ("anhu/v2/home/band/telemetry", "bad_topic"),
        ("anhu/v1/HOME/band/telemetry", "bad_topic"),
        ("anhu/v1/home/band/telemetry/more", "bad_topic"),
    ],
)
def test_each_bad_address_is_one_rejection(topic: str, reason: str) -> None:
    assert reasons(run({"t": NOW, "m": {"heart_rate": 70}}, topic)) == [reason]


def test_good_values_land_beside_bad_ones_and_each_reason_is_told_once() -> None:
    result = run(
        b'{"t": 1764000000, "m": {"heart_rate": 72, "mood": 1, "luck": 2, "spo2": 400, "steps": NaN, "bed": "yes"}}'
    )
    assert [(r.metric, r.value) for r in result.readings] == [(1, 72.0)]
    told = {rejection.reason: rejection.detail for rejection in result.rejections}
    assert told == {
        "unknown_metric": "mood, luck",
        "out_of_range": "spo2=400",
        "not_finite": "steps",
        "wrong_type": "bed",
    }


def test_a_hundred_thousand_metric_names_are_one_short_rejection() -> None:
    result = run(json.dumps({"t": NOW, "m": {f"m{k}": 1 for k in range(20_000)}}).encode())
    assert reasons(result) == ["oversized"]
    assert len(result.rejections[0].detail) < 200


def test_pain_17_seconds_and_milliseconds_are_told_apart() -> None:
    assert [r.time for r in run({"t": NOW * 1000 - 500, "m": {"spo2": 97}}).readings] == [NOW - 0.5]


@pytest.mark.parametrize("t", [946_684_800, NOW - 8 * 86_400, NOW + 301, 0, -5, None])
def test_pain_18_a_clock_that_is_wrong_gives_way_to_the_time_of_receipt(t: float | None) -> None:
    result = run({"t": t, "m": {"spo2": 97}})
    assert [(r.time, r.flags) for r in result.readings] == [(NOW, Flag.CLOCK)]
    assert result.clock_digest is not None


@pytest.mark.parametrize("t", [NOW - 7 * 86_400, NOW + 300])
def test_the_edges_of_the_clock_window_are_inside(t: float) -> None:
    assert [(r.time, r.flags) for r in run({"t": t, "m": {"spo2": 97}}).readings] == [(t, 0)]


def event(**changes: Any) -> dict[str, Any]:
    return {"id": "e1", "t": NOW, "type": "sos", "data": {}} | changes


def test_event() -> None:
    result = run(event(data={"button": 1}), "anhu/v1/home/band/event")
    assert result.event is not None
    assert (result.event.event_id, result.event.type, result.event.data) == ("e1", "sos", {"button": 1})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (event(type="party"), "unknown_event"),
        (event(id=""), "out_of_range"),
        (event(id="x" * 200), "out_of_range"),
        (event(id=5), "wrong_type"),
        ({"t": NOW, "type": "sos"}, "missing_field"),
        (event(data={"x": "y" * 20_000}), "oversized"),
        (b"{", "not_json"),
    ],
)
def test_bad_events(payload: Any, reason: str) -> None:
    assert reasons(run(payload, "anhu/v1/home/band/event")) == [reason]


def test_pain_27_a_retained_event_is_an_old_press_and_does_nothing() -> None:
    result = run(event(), "anhu/v1/home/band/event", retain=True)
    assert result.items == 0


def test_motion_json_and_cbor_agree() -> None:
    samples = np.array([[0.0, 0.02, 1.0], [0.5, -0.5, 2.0], [-3.0, 0.0, 0.25]])
    topic = "anhu/v1/home/band/motion"
    as_json = run({"t0": NOW, "hz": 50, "unit": "g", "acc": samples.tolist()}, topic).window
    raw = np.rint(samples / 0.001).astype("<i2").tobytes()
    as_cbor = run(cbor2.dumps({"t0": NOW, "hz": 50, "unit": "g", "acc": raw, "scale": 0.001}), topic).window
    assert as_json is not None
    assert as_cbor is not None
    assert as_json == as_cbor
    assert as_json.samples == 3


def test_motion_in_metres_per_second_squared_becomes_g() -> None:
    window = run({"t0": NOW, "hz": 50, "unit": "m/s2", "acc": [[0, 0, 9.80665]]}, "anhu/v1/home/band/motion").window
    assert window is not None
    assert np.frombuffer(window.counts, "<i2")[2] * window.scale == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hz": 0}, "out_of_range"),
        ({"hz": 1e6}, "out_of_range"),
        ({"acc": []}, "wrong_type"),
        ({"acc": [[1, 2]]}, "wrong_type"),
        ({"acc": [[1, 2, "x"]]}, "wrong_type"),
        ({"acc": [[1, 2, 3], [1, 2]]}, "wrong_type"),
        ({"acc": [[0, 0, 500]]}, "out_of_range"),
        ({"unit": "furlong"}, "out_of_range"),
        ({"acc": [[0, 0, math.nan]]}, "not_finite"),
        ({"acc": [[0, 0, 1]] * 30_000}, "oversized"),
    ],
)
def test_bad_motion(changes: dict[str, Any], reason: str) -> None:
    message = {"t0": NOW, "hz": 50, "unit": "g", "acc": [[0, 0, 1]]} | changes
    assert reasons(run(message, "anhu/v1/home/band/motion")) == [reason]


@pytest.mark.parametrize("raw", [b"\x81" * 50_000, b"\xbf" * 9, b"\xa1", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_crafted_cbor_is_refused(raw: bytes) -> None:
    assert reasons(run(raw, "anhu/v1/home/band/motion")) == ["not_cbor"]


def test_status_with_impossible_battery_keeps_the_rest() -> None:
    status = run(
        {"online": True, "t": NOW, "battery": 900, "rssi": -60, "fw": "1.2"}, "anhu/v1/home/band/status"
    ).status
    assert status is not None
    assert (status.online, status.battery, status.rssi, status.firmware) == (True, None, -60, "1.2")


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(sorted(BY_CODE)), st.text(max_size=12)),
        st.one_of(st.floats(), st.integers(), st.text(max_size=5), st.booleans(), st.none(), st.lists(st.integers())),
        max_size=12,
    )
)
def test_every_value_is_either_stored_or_complained_about(metrics: dict[str, Any]) -> None:
    result = run({"t": NOW, "m": metrics})
    landed = {r.metric for r in result.readings}
    assert len(landed) == len(result.readings)
    for code in metrics:
        if code in BY_CODE and BY_CODE[code].id in landed:
            continue
        assert result.rejections


@given(st.binary(max_size=300), st.sampled_from(["telemetry", "event", "motion", "status", "command/ack"]))
def test_no_bytes_whatever_raise(payload: bytes, channel: str) -> None:
    result = run(payload, f"anhu/v1/home/band/{channel}")
    assert result.items >= 1

"""SenML packs, JSON and CBOR: base fields, times, units, and a reason for each record of no use (RFC 8428)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics import BY_CODE, BY_ID
from core.readings import Flag
from devices.registry import DeviceEntry, Directory
from ingest.batch import Message
from ingest.interpret import Interpreted, interpret
from ingest.senml import is_pack
from simulators import wire

NOW = 1_764_000_000.0
HERE = UUID(int=1)
ENTRY = DeviceEntry(7, HERE, "home", "band", "wristband", 900, "wrist")
DIRECTORY = Directory({"home": HERE}, {("home", "band"): ENTRY}, frozenset({"band"}))


def run(pack: Any, received: float = NOW) -> Interpreted:
    raw = pack if isinstance(pack, bytes) else json.dumps(pack).encode()
    return interpret(Message("anhu/v1/home/band/telemetry", raw, 1, 1, received, 1), DIRECTORY)


def values(result: Interpreted) -> dict[str, float]:
    return {BY_ID[one.metric].code: one.value for one in result.readings}


def reasons(result: Interpreted) -> list[str]:
    return sorted(one.reason for one in result.rejections)


INSTANTS = [(NOW - 60, {"heart_rate": 72.0, "room_temp": 21.5, "door": 1.0}), (NOW, {"lat": 39.9, "lon": 116.4})]


@pytest.mark.parametrize("encode", [wire.senml_json, wire.senml_cbor])
def test_packs_as_the_simulators_write_them(encode: Any) -> None:
    result = run(encode(INSTANTS))
    found = {(BY_ID[r.metric].code, r.time, r.value, r.flags) for r in result.readings}
    assert found == {(code, t, value, 0) for t, metrics in INSTANTS for code, value in metrics.items()}
    assert result.rejections == []


def test_both_forms_come_to_the_same() -> None:
    assert run(wire.senml_json(INSTANTS)).readings == run(wire.senml_cbor(INSTANTS)).readings


def test_every_metric_without_a_unit_is_in_ours() -> None:
    result = run([{"n": code, "v": metric.low, "t": NOW} for code, metric in BY_CODE.items()])
    assert values(result) == {code: metric.low for code, metric in BY_CODE.items()}


def test_base_name_time_and_value_hold_until_they_change() -> None:
    pack = [
        {"bn": "urn:dev:mac:0024befffe804ff1:", "bt": NOW - 100, "bv": 36, "bu": "Cel", "n": "body_temp", "v": 0.6},
        {"n": "room_temp", "v": -14.5, "t": 10},
        {"bt": NOW, "bv": 0, "bu": "beat/min", "n": "heart_rate", "v": 71},
    ]
    found = {(BY_ID[r.metric].code, r.time, r.value) for r in run(pack).readings}
    assert found == {
        ("body_temp", NOW - 100, 36.6), ("room_temp", NOW - 90, 21.5), ("heart_rate", NOW, 71.0),
    }  # fmt: skip


def test_a_base_value_alone_is_the_value_and_base_fields_alone_are_no_record() -> None:
    assert values(run([{"bn": "x:", "bt": NOW, "bu": "kg"}, {"bv": 61.5, "n": "weight"}])) == {"weight": 61.5}


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ({}, NOW),
        ({"t": 0}, NOW),
        ({"t": -30}, NOW - 30),
        ({"bt": -40, "t": 10}, NOW - 30),
        ({"t": 20}, NOW + 20),
        ({"bt": 200_000_000.0, "t": 60_000_000}, NOW),
        ({"bt": 1_764_000_000.0 - 268_435_456, "t": 268_435_456}, NOW),
    ],
)
def test_times(time: dict[str, float], expected: float) -> None:
    [reading] = run([{"n": "spo2", "v": 97, **time}]).readings
    absolute = sum(time.values()) >= 2**28
    assert (reading.time, reading.flags) == (expected, 0 if absolute else Flag.CLOCK)


def test_a_pack_of_relative_times_is_known_when_it_comes_again() -> None:
    pack = [{"n": "spo2", "v": 97, "t": -5}, {"n": "heart_rate", "v": 70, "t": NOW}]
    first, again = run(pack), run(pack, NOW + 30)
    assert first.clock_digest is not None
    assert first.clock_digest == again.clock_digest


@pytest.mark.parametrize(
    ("code", "unit", "told", "stored"),
    [
        ("body_temp", "K", 310.15, 37.0),
        ("room_temp", "Cel", 21.0, 21.0),
        ("heart_rate", "1/s", 1.2, 72.0),
        ("heart_rate", "Hz", 1.5, 90.0),
        ("spo2", "/", 0.97, 97.0),
        ("humidity", "%RH", 51.0, 51.0),
        ("weight", "g", 61500, 61.5),
        ("bp_sys", "kPa", 16.0, 120.01),
        ("bp_dia", "mmHg", 80.0, 80.0),
        ("glucose", "mg/dL", 100.0, 5.551),
        ("power_w", "kW", 1.8, 1800.0),
        ("rssi", "dBW", -97.0, -67.0),
        ("rssi", "dBm", -67.0, -67.0),
        ("loc_acc", "km", 0.02, 20.0),
        ("battery", "%EL", 83.0, 83.0),
        ("co_ppm", "ppb", 9000.0, 9.0),
        ("water_flow", "m3", 0.01, 10.0),
        ("lat", "lat", 39.9, 39.9),
    ],
)
def test_units(code: str, unit: str, told: float, stored: float) -> None:
    assert values(run([{"n": code, "u": unit, "v": told, "t": NOW}])) == {code: pytest.approx(stored, rel=1e-4)}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"n": "weight", "u": "lb", "v": 100}, "unit_mismatch"),
        ({"n": "heart_rate", "u": "Cel", "v": 37}, "unit_mismatch"),
        ({"n": "mood", "v": 3}, "unknown_metric"),
        ({"n": "urn:dev:x:", "v": 3}, "unknown_metric"),
        ({"v": 3}, "bad_name"),
        ({"n": ":heart_rate", "v": 70}, "bad_name"),
        ({"n": "heart rate", "v": 70}, "bad_name"),
        ({"n": "heart_rate", "vs": "72"}, "wrong_type"),
        ({"n": "heart_rate", "vd": "aGk"}, "wrong_type"),
        ({"n": "heart_rate", "v": "72"}, "wrong_type"),
        ({"n": "heart_rate", "v": None}, "wrong_type"),
        ({"n": "heart_rate", "v": True}, "wrong_type"),
        ({"n": "heart_rate", "vb": True}, "wrong_type"),
        ({"n": "door", "vb": 1}, "wrong_type"),
        ({"n": "heart_rate", "v": 70, "vb": True}, "wrong_type"),
        ({"n": "heart_rate"}, "missing_field"),
        ({"n": "power_w", "u": "W", "s": 512}, "unsupported_field"),
        ({"n": "heart_rate", "v": 500}, "out_of_range"),
        ({"n": "heart_rate", "v": 10**400}, "not_finite"),
    ],
)
def test_a_bad_record_has_its_reason_and_its_neighbour_lands(record: dict[str, Any], reason: str) -> None:
    result = run([{**record, "t": NOW}, {"n": "spo2", "v": 97, "t": NOW}])
    assert reasons(result) == [reason]
    assert values(result) == {"spo2": 97.0}


def test_one_rejection_for_each_reason() -> None:
    result = run([{"n": name, "v": 1, "t": NOW} for name in ("a", "b", "c", "d")])
    assert [(r.reason, r.detail) for r in result.rejections] == [("unknown_metric", "a, b, c, d")]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ([], "wrong_type"),
        ([1], "wrong_type"),
        ([{"bver": 11, "n": "spo2", "v": 97}], "unsupported_version"),
        ([{"bver": "5", "n": "spo2", "v": 97}], "wrong_type"),
        ([{"n": "spo2", "v": 97}, {"n": "heart_rate", "v": 70, "must_": 1}], "unsupported_field"),
        ([{"bn": 5, "n": "spo2", "v": 97}], "wrong_type"),
        ([{"n": "spo2", "v": 97, "t": "now"}], "wrong_type"),
        (b"[{", "not_json"),
        (b"\x82\xa1", "not_cbor"),
        (cbor2.dumps([{0: "spo2", 2: 97}]) + b"\x00", "not_cbor"),
    ],
)
def test_a_bad_pack_is_one_rejection(pack: Any, reason: str) -> None:
    result = run(pack)
    assert (reasons(result), result.readings) == ([reason], [])


def test_a_sum_beside_a_value_is_left_alone() -> None:
    assert values(run([{"n": "power_w", "u": "W", "v": 60, "s": 512, "bs": 1, "t": NOW}])) == {"power_w": 60.0}


def test_names_may_be_urns_or_paths_and_of_one_device_only() -> None:
    pack = [
        {"bn": "urn:dev:ow:10e2073a01080063", "n": "/3303/0/room_temp", "v": 21, "t": NOW},
        {"n": ":humidity", "v": 40, "t": NOW},
        {"bn": "urn:dev:ow:ffffffffffffffff:", "n": "heart_rate", "v": 70, "t": NOW},
    ]
    result = run(pack)
    assert values(result) == {"room_temp": 21.0, "humidity": 40.0}
    assert reasons(result) == ["other_device"]


def test_cbor_has_numbers_that_json_has_not() -> None:
    pack = cbor2.dumps([{0: "body_temp", 2: Decimal("36.6"), 6: int(NOW)}, {0: "weight", 2: float("nan"), 6: int(NOW)}])
    result = run(pack)
    assert (values(result), reasons(result)) == ({"body_temp": 36.6}, ["not_finite"])


def test_the_same_value_twice_at_one_time_stays_two_readings_for_the_natural_key() -> None:
    assert len(run([{"n": "spo2", "v": 97, "t": NOW}, {"n": "spo2", "v": 96, "t": NOW}]).readings) == 2


@pytest.mark.parametrize(("payload", "pack"), [
    (b"[]", True), (b" \n[1]", True), (b"\x80", True), (b"\x9f\xff", True), (b"{}", False), (b"", False),
    (b"\xa0", False), (b" {}", False),
])  # fmt: skip
def test_the_first_byte_decides(payload: bytes, pack: bool) -> None:
    assert is_pack(payload) is pack


labels = st.sampled_from(["bver", "bn", "bt", "bu", "bv", "bs", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd", "x_"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["spo2", "", "Cel", "%", "a:b/c"])


@given(pack=st.lists(st.dictionaries(labels, scalars, max_size=6), max_size=8))
def test_any_pack_is_readings_and_rejections(pack: list[dict[str, Any]]) -> None:
    result = run(pack)
    assert len(reasons(result)) == len(set(reasons(result)))
    assert all(BY_ID[r.metric].low <= r.value <= BY_ID[r.metric].high for r in result.readings)


@given(first=st.sampled_from([b"[", b"\x80", b"\x85", b"\x9f"]), rest=st.binary(max_size=60))
def test_any_bytes_are_readings_or_rejections(first: bytes, rest: bytes) -> None:
    result = run(first + rest)
    assert result.readings or result.rejections or result.items == 0

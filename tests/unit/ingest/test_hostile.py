"""Messages made to do harm: each ends soon, in readings or rejections that the database can hold."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import bombs
from core.errors import Rejected
from core.limits import CLOCK_FUTURE_SECONDS
from devices.registry import DeviceEntry, Directory
from ingest import cbor, understand
from ingest.batch import Message
from ingest.columns import ColumnReader
from ingest.interpret import Interpreted, interpret, storable
from simulators import wire

NOW = 1_764_000_000.0
HERE = UUID(int=1)
ENTRY = DeviceEntry(7, HERE, "home", "band", "wristband", 900, "wrist")
DIRECTORY = Directory({"home": HERE}, {("home", "band"): ENTRY}, frozenset({"band"}))
SECONDS_MAX = 2.0
"""Far above what any takes alone (0.1 s), far below what each took that did harm."""


def message(channel: str, payload: bytes) -> Message:
    return Message(f"anhu/v1/home/band/{channel}", payload, 1, 1, NOW, 1)


def run(channel: str, payload: bytes) -> Interpreted:
    one = message(channel, payload)
    ColumnReader().read([one], DIRECTORY)
    return interpret(one, DIRECTORY)


@pytest.mark.parametrize("number", range(len(bombs.every())))
def test_pain_05_a_bomb_ends_soon_and_can_be_filed(number: int) -> None:
    channel, payload = bombs.every()[number]
    started = time.monotonic()
    result = run(channel, payload)
    assert time.monotonic() - started < SECONDS_MAX
    assert result.items >= 1
    for told in result.rejections:
        assert told.detail.encode() is not None
        assert len(told.payload) <= 2048


@pytest.mark.parametrize(
    "payload",
    [
        b"\x81\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
        b"\x82\xd8\x1c\x80\xd8\x1d\x00",
        b"\xc0\x74" + b"2013-03-21T20:04:00Z",
        b"\xd9\x01\x02\x81\x01",  # a set
        b"\xd9\x01\x00\x81\x61a",  # a namespace of repeated strings
        b"\xd8\x23\x61a",  # a regular expression
        b"\xd8\x24\x61a",  # a mail message
        b"\xd8\x25\x50" + bytes(16),
        b"\xd9\xd9\xf7\x01",
        b"\xd8\x80\x01",  # a tag that nobody knows
        b"\xa1\x01\x02",  # a key that is no text
        b"\xa1\x81\x01\x02",
        b"\x81" * 17 + b"\x01",
        b"\x01\x02",
    ],
)
def test_cbor_holds_no_more_than_a_device_needs(payload: bytes) -> None:
    with pytest.raises(Rejected, match="not_cbor"):
        cbor.load(payload)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=30)
    | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(plain)
def test_plain_cbor_is_read_as_the_library_reads_it(value: Any) -> None:
    assert cbor.load(cbor2.dumps(value)) == value


labels = st.integers(-24, 23) | st.text(max_size=40)


@given(st.lists(st.dictionaries(labels, plain, max_size=5), max_size=30), st.booleans())
def test_records_are_read_as_the_library_reads_them(records: list[dict[Any, Any]], open_ended: bool) -> None:
    assert cbor.load_records(cbor2.dumps(records, indefinite_containers=open_ended)) == records


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xa0", b"\x81\x01", b"\x81\xa1\x81\x01\x01", b"\x81\xa1\x18\x20\x01", b"\x81\xa1\xc2\x41\x01\x01",
     b"\x82\xa0", b"\x9f\xa0", b"\x81\xbf\x00\x01", b"\x81\xa1\x78", b"\x81\xa1\x61\xff\x01", b"\x9c", b"\x80\x00"],
)  # fmt: skip
def test_records_that_are_none_are_refused(payload: bytes) -> None:
    with pytest.raises(Rejected, match="not_cbor"):
        cbor.load_records(payload)


def test_half_a_character_is_told_as_unreadable() -> None:
    assert storable("a\ud800b\x00c") == "a?b�c"
    result = run("telemetry", b'{"m":{"\\ud800":1,"spo2":97}}')
    assert [(one.reason, one.detail) for one in result.rejections] == [("unknown_metric", "?")]
    assert len(result.readings) == 1


TRUE = {
    "json": ("telemetry", wire.telemetry(NOW, 7, {"heart_rate": 72, "spo2": 97.5})),
    "pack": ("telemetry", wire.pack(8, [(NOW - 60, {"steps": 4}), (NOW, {"steps": 5, "lat": 39.9})])),
    "senml json": ("telemetry", wire.senml_json([(NOW - 60, {"room_temp": 21.5}), (NOW, {"door": 1})])),
    "senml cbor": ("telemetry", wire.senml_cbor([(NOW - 60, {"room_temp": 21.5}), (NOW, {"door": 1})])),
    "motion cbor": ("motion", wire.motion_cbor(NOW, 50, np.arange(60, dtype=np.int16).reshape(-1, 3), 0.001)),
    "motion json": ("motion", wire.motion_json(NOW, 50, np.arange(60, dtype=np.int16).reshape(-1, 3), 0.001)),
    "event": ("event", wire.event("e1", NOW, "fall", {"sure": 0.9})),
    "status": ("status", wire.status(NOW, 3, battery=80, rssi=-60)),
    "answer": ("command/ack", wire.command_ack("00000000-0000-0000-0000-000000000001", ok=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_true_payloads_are_flawless(name: str) -> None:
    result = run(*TRUE[name])
    assert result.rejections == []
    assert result.items >= 1


edits = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["set", "cut", "insert", "repeat"]), st.binary(max_size=6)),
    min_size=1, max_size=6,
)  # fmt: skip


def mutate(payload: bytes, changes: list[tuple[int, str, bytes]]) -> bytes:
    raw = bytearray(payload)
    for at, what, data in changes:
        position = at % (len(raw) + 1)
        if what == "set":
            raw[position : position + len(data)] = data
        elif what == "cut":
            del raw[position : position + len(data) + 1]
        elif what == "insert":
            raw[position:position] = data
        else:
            raw[position:position] = raw[position : position + 20] * 3
    return bytes(raw)


@pytest.mark.parametrize("name", TRUE)
@settings(max_examples=150, deadline=None)
@given(changes=edits)
def test_a_mutated_true_payload_ends_in_readings_or_rejections(
    name: str, changes: list[tuple[int, str, bytes]]
) -> None:
    channel, payload = TRUE[name]
    result = run(channel, mutate(payload, changes))
    assert result.items >= 1
    assert all(storable(one.detail) == one.detail for one in result.rejections)
    assert all(one.time <= NOW + CLOCK_FUTURE_SECONDS for one in result.readings)


def test_pain_05_a_mistake_of_ours_costs_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(one: Message, directory: Directory) -> Interpreted:
        if one.payload == b"poison":
            raise ZeroDivisionError("as if we had not thought of something")
        return interpret(one, directory)

    monkeypatch.setattr(understand, "interpret", careless)
    good = json.dumps({"t": NOW, "m": {"spo2": 97}}).encode()
    payloads = [good, b"poison", good, good]
    found = understand.understand([message("telemetry", payload) for payload in payloads], DIRECTORY)
    assert [len(one.readings) for one in found] == [1, 0, 1, 1]
    [told] = found[1].rejections
    assert (told.reason, told.device, found[1].institution_id) == ("not_readable", "band", HERE)


def test_a_mistake_in_the_columns_leaves_the_batch_to_the_plain_way() -> None:
    class Careless(ColumnReader):
        def read(self, *_: Any) -> Any:
            raise IndexError

    batch = [message("telemetry", b"{}")]
    clean, rest = understand.read_columns(Careless(), batch, DIRECTORY)
    assert (len(clean), rest) == (0, batch)

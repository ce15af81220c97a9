"""The fast way and the plain way agree: whatever a batch holds, both come to the same readings and rejections."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from core.metrics import BY_CODE
from core.readings import Reading
from devices.registry import DeviceEntry, Directory
from ingest.batch import Message
from ingest.columns import ColumnReader
from ingest.interpret import interpret

NOW = 1_764_000_000.0
HERE = UUID(int=1)
BAND = DeviceEntry(7, HERE, "home", "band", "wristband", 900, "wrist")
BED = DeviceEntry(9, HERE, "home", "bed", "bed", 900, "")
DIRECTORY = Directory(
    {"home": HERE}, {("home", "band"): BAND, ("home", "bed"): BED}, frozenset({"band", "bed"})
)  # fmt: skip

values = st.one_of(
    st.floats(0, 120), st.integers(-5, 400), st.booleans(), st.none(), st.sampled_from(["fast", 1e999, 1e300, [1], {}])
)
metrics = st.dictionaries(st.sampled_from([*BY_CODE, "mood", "luck", ""]), values, max_size=6)
good_metrics = st.dictionaries(st.sampled_from(["humidity", "battery", "gas_lel"]), st.floats(0, 100), min_size=1)
times = st.one_of(
    st.floats(NOW - 700_000, NOW + 400),
    st.floats(NOW - 100, NOW).map(lambda t: round(t * 1000)),
    st.sampled_from([None, 0, "noon", True, 1e999, -1, NOW - 7 * 86_400, NOW + 300]),
)
moments = st.fixed_dictionaries({"m": metrics | good_metrics}, optional={"t": times})
documents = st.one_of(
    moments,
    st.fixed_dictionaries({"t": st.floats(NOW - 100, NOW), "m": good_metrics}),
    st.fixed_dictionaries({"s": st.lists(moments, max_size=4)}, optional={"m": metrics, "seq": st.integers()}),
    st.sampled_from([[], 3, {"m": 3}, {"s": {}}, {}]),
)
payloads = st.one_of(documents.map(lambda d: json.dumps(d).encode()), st.binary(max_size=20))
topics = st.sampled_from(
    [f"anhu/v1/home/{name}" for name in ("band/telemetry", "bed/telemetry", "ghost/telemetry", "band/status")] + ["x"]
)
messages = st.builds(
    lambda topic, payload, retain, late: Message(topic, payload, 1, 1, NOW + late, 1, retain),
    topics,
    payloads,
    st.booleans(),
    st.integers(0, 3),
)


def fast(batch: list[Message]) -> tuple[list[Reading], list[Message]]:
    clean, rest = ColumnReader().read(batch, DIRECTORY)
    rows = zip(clean.device_key, clean.metric, clean.time, clean.value, strict=True)
    readings = [Reading(int(device), int(metric), float(t), float(value)) for device, metric, t, value in rows]
    return readings, rest


@settings(max_examples=400, deadline=None)
@given(st.lists(messages, max_size=12))
def test_fast_and_plain_come_to_the_same(batch: list[Message]) -> None:
    readings, rest = fast(batch)
    left = [id(message) for message in rest]
    order = [id(message) for message in batch]
    assert left == [one for one in order if one in set(left)], "what is left keeps its order"
    plain = [interpret(message, DIRECTORY) for message in batch if id(message) not in set(left)]
    assert all(not one.rejections and one.clock_digest is None and one.readings for one in plain), (
        "only flawless messages go the fast way"
    )
    assert readings == [reading for one in plain for reading in one.readings]


@given(st.lists(st.tuples(good_metrics, st.floats(NOW - 1000, NOW)), min_size=1, max_size=20))
def test_flawless_messages_do_go_the_fast_way(said: list[tuple[dict[str, float], float]]) -> None:
    batch = [
        Message("anhu/v1/home/band/telemetry", json.dumps({"t": t, "m": m}).encode(), 1, 1, NOW, 1) for m, t in said
    ]
    readings, rest = fast(batch)
    assert rest == []
    assert len(readings) == sum(len(m) for m, _ in said)


def test_one_flaw_leaves_its_message_to_the_plain_way_and_no_other() -> None:
    def message(metrics: dict[str, Any]) -> Message:
        return Message("anhu/v1/home/band/telemetry", json.dumps({"t": NOW, "m": metrics}).encode(), 1, 1, NOW, 1)

    batch = [message({"spo2": 97}), message({"spo2": 197, "steps": 3}), message({"spo2": 96})]
    readings, rest = fast(batch)
    assert [reading.value for reading in readings] == [97, 96]
    assert rest == [batch[1]]


def test_each_message_keeps_its_device_and_its_newest_time() -> None:
    pack = {"s": [{"t": NOW - k, "m": {"spo2": 97}} for k in (5, 1, 3)]}
    batch = [
        Message("anhu/v1/home/bed/telemetry", json.dumps(pack).encode(), 1, 1, NOW, 1),
        Message("anhu/v1/home/band/telemetry", json.dumps({"t": NOW, "m": {"spo2": 300}}).encode(), 1, 2, NOW, 1),
        Message("anhu/v1/home/band/telemetry", json.dumps({"t": NOW - 9, "m": {"spo2": 95}}).encode(), 1, 3, NOW, 1),
    ]
    clean, rest = ColumnReader().read(batch, DIRECTORY)
    assert (clean.entries, clean.newest.tolist(), rest) == ([BED, BAND], [NOW - 1, NOW - 9], [batch[1]])


def test_another_registry_is_asked_anew() -> None:
    reader = ColumnReader()
    batch = [Message("anhu/v1/home/band/telemetry", json.dumps({"t": NOW, "m": {"spo2": 95}}).encode(), 1, 1, NOW, 1)]
    assert reader.read(batch, DIRECTORY)[1] == []
    assert reader.read(batch, Directory({"home": HERE}, {}))[1] == batch, "a retired device is known no more"

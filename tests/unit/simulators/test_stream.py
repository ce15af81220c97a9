"""Same seed, same bytes; people and sensors do not disturb each other; order; bounded memory."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections import defaultdict
from dataclasses import replace

import pytest

from core.errors import BadInput
from simulators.faults import Message
from simulators.sensors.base import SensorOptions
from simulators.stream import StreamOptions, stream
from simulators.world import Episode, EpisodeKind, World, make_world
from tests.unit.simulators.conftest import T0


def run(world: World, start: float = T0, seconds: float = 5400.0, **options: object) -> list[Message]:
    return list(stream(world, start, seconds, **options))  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    assert run(make_world(4, 11, "demo")) == run(make_world(4, 11, "demo"))
    one, other = run(make_world(4, 11, "demo")), run(make_world(4, 12, "demo"))
    assert {m.payload for m in one if m.channel == "telemetry" and m.device.startswith("wb")}.isdisjoint(
        m.payload for m in other if m.device.startswith("wb")
    )


def test_more_residents_change_nobody() -> None:
    few, many = run(make_world(2, 3, "demo")), run(make_world(5, 3, "demo"))
    known = {m.device for m in few}
    assert [m for m in many if m.device in known] == few
    later = run(make_world(1, 3, "demo", first=1))
    assert later == [m for m in few if m.device.endswith("-0002")]


def test_another_sensor_changes_no_other_sensor() -> None:
    world = make_world(2, 3, "demo")
    without = replace(
        world,
        residents=tuple(replace(r, devices=tuple(d for d in r.devices if d.kind != "bed")) for r in world.residents),
    )
    assert run(without) == [m for m in run(world) if not m.device.startswith("bed")]


def test_residents_differ() -> None:
    rates: dict[str, list[int]] = defaultdict(list)
    for message in run(make_world(6, 3, "demo"), seconds=3600.0):
        if message.device.startswith("wb") and message.channel == "telemetry":
            rates[message.device].append(json.loads(message.payload)["m"]["heart_rate"])
    assert len({tuple(values[:20]) for values in rates.values()}) == 6


def test_what_befalls_one_resident_leaves_the_others_as_they_were() -> None:
    fall = Episode(EpisodeKind.FALL, 0, T0 + 1000.0, 900.0)
    quiet, sad = run(make_world(3, 3, "demo")), run(make_world(3, 3, "demo", episodes=[fall]))
    assert [m for m in sad if not m.device.endswith("-0001")] == [m for m in quiet if not m.device.endswith("-0001")]
    assert sad != quiet


def test_values_do_not_depend_on_where_the_stream_starts() -> None:
    def values(messages: list[Message]) -> list[tuple[float, str, object]]:
        bodies = [(m.time, m.device, json.loads(m.payload)) for m in messages if m.channel == "telemetry"]
        return [(time, device, body["m"]) for time, device, body in bodies]

    world = make_world(2, 3, "demo")
    whole = values(run(world, T0, 7200.0))
    # In its first second each device measures because it comes up.
    late = [v for v in values(run(world, T0 + 4321.0, 7200.0 - 4321.0)) if v[0] >= T0 + 4322.0]
    assert late == [v for v in whole if v[0] >= T0 + 4322.0]


@pytest.mark.parametrize("pack", [1, 10])
def test_messages_come_in_order_with_gapless_sequences(pack: int) -> None:
    messages = run(make_world(3, 4, "demo"), T0 + 77.0, 8000.0, options=StreamOptions(SensorOptions(pack=pack)))
    times = [m.time for m in messages]
    assert times == sorted(times)
    assert times[0] >= T0 + 77.0
    assert times[-1] <= T0 + 77.0 + 8000.0
    numbers: dict[str, list[int]] = defaultdict(list)
    for message in messages:
        if message.channel in ("telemetry", "status"):
            numbers[message.topic].append(json.loads(message.payload)["seq"])
    assert all(found == list(range(len(found))) for found in numbers.values())


def test_packs_hold_the_same_readings_as_single_messages() -> None:
    world = make_world(2, 4, "demo")

    def instants(pack: int) -> set[tuple[str, float, str]]:
        found = set()
        for m in run(world, options=StreamOptions(SensorOptions(pack=pack), kinds=frozenset({"wristband", "bed"}))):
            if m.channel == "telemetry":
                body = json.loads(m.payload)
                found |= {(m.device, i["t"], json.dumps(i["m"])) for i in body.get("s", [body])}
        return found

    assert instants(1) == instants(13)


def test_every_device_says_at_once_that_it_is_there() -> None:
    first: dict[str, Message] = {}
    for message in run(make_world(3, 4, "demo"), T0 + 1234.5, 60.0):
        first.setdefault(message.device, message)
    assert len(first) == 18
    boots = [m for m in first.values() if m.channel == "status" and m.time < T0 + 1235.5]
    assert {json.loads(m.payload)["seq"] for m in boots} == {0}
    assert len(boots) >= 15  # another message may by chance fall into a device's first second


def test_what_stands_in_a_home_measures_as_soon_as_it_comes_up() -> None:
    measured = {
        (m.device, metric)
        for m in run(make_world(3, 4, "demo"), T0 + 1234.5, 1.0)
        if m.channel == "telemetry"
        for metric in json.loads(m.payload)["m"]
    }
    for number in range(1, 4):
        wanted = {("bed", "bed"), ("door", "door"), ("smoke", "smoke"), ("gas", "gas_lel"), ("pir", "motion")}
        assert {(f"{kind}-{number:04d}", metric) for kind, metric in wanted} <= measured


def test_an_endless_stream_is_lazy_and_its_memory_bounded() -> None:
    messages = stream(make_world(20, 1, "demo"), T0)
    for _ in itertools.islice(messages, 5_000):
        pass
    tracemalloc.start()
    for _ in itertools.islice(messages, 5_000):
        pass
    settled = tracemalloc.get_traced_memory()[0]
    for _ in itertools.islice(messages, 15_000):
        pass
    grown = tracemalloc.get_traced_memory()[0] - settled
    tracemalloc.stop()
    assert grown < 2_000_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: SensorOptions(pack=0),
        lambda: SensorOptions(wristband_seconds=0.0),
        lambda: SensorOptions(motion="sometimes"),  # type: ignore[arg-type]
        lambda: StreamOptions(telemetry="xml"),  # type: ignore[arg-type]
        lambda: StreamOptions(motion="xml"),  # type: ignore[arg-type]
    ],
)
def test_options_that_make_no_sense_are_refused(make: object) -> None:
    with pytest.raises(BadInput):
        make()  # type: ignore[operator]

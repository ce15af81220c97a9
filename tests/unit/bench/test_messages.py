"""The load generator's packets are what the contract says, each with a key of its own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.messages import METRICS, Stream, remaining_length
from core.metrics import BY_CODE


@pytest.mark.parametrize("instants", [1, 3])
def test_payloads_are_contract_telemetry(instants: int) -> None:
    stream = Stream("home", 10, 1_764_000_000_000, instants)
    document = stream.payload(1234)
    moments = [document] if instants == 1 else document["s"]
    assert [m["t"] for m in moments] == [(1_764_000_000_000 + 1234 * instants + i) / 1000 for i in range(instants)]
    for moment in moments:
        assert tuple(moment["m"]) == METRICS
        assert all(BY_CODE[code].low <= value <= BY_CODE[code].high for code, value in moment["m"].items())
    assert stream.readings_per_message == instants * 5


def test_packets_are_mqtt_publications() -> None:
    stream = Stream("home", 10, 1_764_000_000_000)
    numbers, mids = np.array([7, 18]), np.array([300, 65_535])
    for packet, device, mid in zip(stream.packets(numbers, mids), ("d000007", "d000008"), mids, strict=True):
        raw = packet.tobytes()
        assert raw[0] == 0x32, "QoS 1, not retained"
        body = raw[1 + len(remaining_length(len(raw) - 3)) :]
        length = int.from_bytes(body[:2])
        assert body[2 : 2 + length] == f"anhu/v1/home/{device}/telemetry".encode()
        assert int.from_bytes(body[2 + length : 4 + length]) == mid
        assert isinstance(json.loads(body[4 + length :]), dict)


def test_keys_never_repeat() -> None:
    stream = Stream("home", 3, 1_764_000_000_000, 2)
    times = [m["t"] for n in range(50) for m in stream.payload(n)["s"]]
    assert len(set(times)) == 100


@pytest.mark.parametrize(
    ("value", "packed"),
    [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (16_383, b"\xff\x7f"), (16_384, b"\x80\x80\x01")],
)
def test_remaining_length_as_in_the_standard(value: int, packed: bytes) -> None:
    assert remaining_length(value) == packed

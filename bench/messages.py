"""Numbers of messages enter, ready MQTT PUBLISH packets leave as one array of bytes; nothing is encoded one by one.

Every packet of a stream has the same length: fields of fixed width are written into a template, a column of digits at
a time. The number of a message can be told from the time of each of its readings, so that a count can be exact.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

METRICS = ("heart_rate", "spo2", "resp_rate", "body_temp", "steps")
_PUBLISH_QOS1 = 0x32
_SEQ_FIRST = 10_000_000
_MID_OFFSET = "mid"
_MARK = "\x01"


@dataclass(frozen=True, slots=True)
class Stream:
    """Telemetry of `devices` devices in turn: message n comes from device n mod `devices`.

    base_ms: Unix milliseconds of instant 0; instant i of message n lies at base_ms + n * instants + i.
    """

    site: str
    devices: int
    base_ms: int
    instants: int = 1

    @property
    def readings_per_message(self) -> int:
        return self.instants * len(METRICS)

    def device_id(self, number: int) -> str:
        return f"d{number:06d}"

    def packets(self, numbers: NDArray[np.int64], mids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """PUBLISH packets, QoS 1, shape (n, bytes of a packet). numbers, mids: shape (n,)."""
        template, fields = _layout(self)
        out = np.tile(np.frombuffer(template, np.uint8), (len(numbers), 1))
        for name, instant, offset, width in fields:
            if name == _MID_OFFSET:
                out[:, offset] = mids >> 8
                out[:, offset + 1] = mids & 255
            else:
                _write_digits(out, offset, width, self._field(name, instant, numbers))
        return out

    def payload(self, number: int) -> dict[str, Any]:
        """What message `number` says, decoded."""
        packet = self.packets(np.array([number]), np.array([1])).tobytes()
        document: dict[str, Any] = json.loads(packet[packet.index(b"{") :])
        return document

    def _field(self, name: str, instant: int, n: NDArray[np.int64]) -> NDArray[np.int64]:
        k = n * self.instants + instant
        values: dict[str, NDArray[np.int64]] = {
            "device": n % self.devices,
            "seq": _SEQ_FIRST + n,
            "seconds": (self.base_ms + k) // 1000,
            "milliseconds": (self.base_ms + k) % 1000,
            "heart_rate": 60 + k * 7 % 40,
            "spo2": 90 + k % 10,
            "resp_rate": 12 + k % 8,
            "body_temp": k % 10,
            "steps": 1000 + k % 9000,
        }
        return values[name]


def _layout(stream: Stream) -> tuple[bytes, list[tuple[str, int, int, int]]]:
    """The template of a packet, and its fields: (name, instant, offset, width)."""
    topic = f"anhu/v1/{stream.site}/d{_mark('device', 0, 6)}/telemetry"
    moments = [
        f'{{"t":{_mark("seconds", i, 10)}.{_mark("milliseconds", i, 3)},%s"m":{{'
        f'"heart_rate":{_mark("heart_rate", i, 2)},"spo2":{_mark("spo2", i, 2)},"resp_rate":{_mark("resp_rate", i, 2)},'
        f'"body_temp":36.{_mark("body_temp", i, 1)},"steps":{_mark("steps", i, 4)}}}}}'
        for i in range(stream.instants)
    ]
    seq = f'"seq":{_mark("seq", 0, 8)},'
    text = moments[0] % seq if stream.instants == 1 else f'{{{seq}"s":[{",".join(m % "" for m in moments)}]}}'
    body, fields = _resolve(text)
    address, address_fields = _resolve(topic)
    remaining = 2 + len(address) + 2 + len(body)
    head = bytes([_PUBLISH_QOS1]) + remaining_length(remaining) + len(address).to_bytes(2, "big")
    start = len(head) + len(address)
    moved = [(name, i, offset + len(head), width) for name, i, offset, width in address_fields]
    moved.append((_MID_OFFSET, 0, start, 2))
    moved += [(name, i, offset + start + 2, width) for name, i, offset, width in fields]
    return head + address + b"\0\0" + body, moved


def remaining_length(value: int) -> bytes:
    """The length field of an MQTT packet (MQTT 3.1.1, section 2.2.3)."""
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (128 if value else 0))
        if not value:
            return bytes(out)


def _mark(name: str, instant: int, width: int) -> str:
    return f"{_MARK}{name},{instant},{width}{_MARK}"


def _resolve(text: str) -> tuple[bytes, list[tuple[str, int, int, int]]]:
    """Marks replaced by zeros of their width, and where they stood."""
    out, fields = b"", []
    for position, part in enumerate(text.split(_MARK)):
        if position % 2 == 0:
            out += part.encode()
        else:
            name, instant, width = part.split(",")
            fields.append((name, int(instant), len(out), int(width)))
            out += b"0" * int(width)
    return out, fields


def _write_digits(out: NDArray[np.uint8], offset: int, width: int, values: NDArray[np.int64]) -> None:
    for column in range(offset + width - 1, offset - 1, -1):
        values, digit = np.divmod(values, 10)
        out[:, column] = digit + ord("0")

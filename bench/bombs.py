"""A size enters; messages made to do harm leave: too deep, too large, too long, or never ending when decoded.

Used by `anhu bench hostile` and by the tests of ingest. Each fits a payload that ingest looks into.
"""

from __future__ import annotations

import itertools
import json

import cbor2

from core.limits import PAYLOAD_BYTES_MAX

Bomb = tuple[str, bytes]
DEEP = 100_000
_KEY = cbor2.dumps("heart_rate")
_MIME, _REGEX = b"\xd8\x24", b"\xd8\x23"


def every() -> list[Bomb]:
    """(channel, payload) of each."""
    return [*_of_telemetry(), *_of_packs(), *_of_motion(), *_of_events()]


def _of_telemetry() -> list[Bomb]:
    digits = b"9" * 200_000
    some = [
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"m":' * (DEEP // 2),
        b'{"m":{"x":' + b"[" * DEEP + b"]" * DEEP + b"}}",
        b'{"m":{"heart_rate":' + digits + b"}}",
        b'{"m":{"heart_rate":1e999999999}}',
        b'{"m":{"heart_rate":0.' + b"1" * 250_000 + b"}}",
        b'{"t":1e999999,"seq":1e300,"m":{"spo2":1}}',
        b'{"seq":' + b"9" * 30 + b',"m":{"spo2":1}}',
        b'{"m":{' + b",".join(b'"heart_rate":%d' % n for n in range(1000, 14_000)) + b"}}",
        b"{" + b",".join([b'"m":{"heart_rate":700}'] * 10_000) + b"}",
        b'{"s":[' + b",".join([b'{"m":{}}'] * 29_000) + b"]}",
        # Half a character, which JSON may name and no database can hold.
        b'{"m":{"\\ud800":1}}',
        b'{"m":{"a\\u0000b":1}}',
        json.dumps({"m": {f"name_{n}": 1 for n in range(15_000)}}).encode(),
    ]
    return [("telemetry", raw) for raw in some]


def _of_packs() -> list[Bomb]:
    def of_value(value: bytes) -> bytes:
        return b"\x81\xa2\x00" + _KEY + b"\x02" + value

    some = [
        b"\x81" * DEEP,
        b"\x9f" * DEEP,
        b"\x81" + b"\xc1" * DEEP,
        b"\x9b" + b"\xff" * 8,
        b"\x9a\x7f\xff\xff\xff",
        of_value(b"\xc2" + cbor2.dumps(b"\xff" * 250_000)),
        of_value(b"\xd8\x1e\x82" + 2 * (b"\xc2" + cbor2.dumps(b"\xff" * 100_000))),
        of_value(b"\xc4\x82" + cbor2.dumps(2**40) + b"\x01"),
        of_value(b"\xc5\x82" + cbor2.dumps(2**28) + b"\x01"),
        b"\x81" + _MIME + cbor2.dumps("a: b\n" * 50_000),
        b"\x81" + _REGEX + cbor2.dumps("(" * 80_000),
        b"\x81\xd8\x1c\x81\xd8\x1d\x00",
        b"\x81" + _same_hash(12_000),
        b'[{"n":"\\ud800","v":1}]',
        b'[{"n":"spo2","u":"\\ud800","v":1}]',
        b"[" + b",".join([b"{}"] * 80_000) + b"]",
        b'[{"bn":"' + b"x" * 60_000 + b'"},' + b",".join([b'{"n":"y","v":1}'] * 7_000) + b"]",
        b"[" + b",".join(b'{"n":"n%d","v":1}' % n for n in range(7_999)) + b"]",
    ]
    return [("telemetry", raw) for raw in some]


def _same_hash(number: int) -> bytes:
    """A map of that many keys which Python's dictionary cannot tell apart by their hash: -1 and -2 have the same."""
    keys = itertools.islice(itertools.product((-1, -2), repeat=14), number)
    return b"\xb9" + number.to_bytes(2, "big") + b"".join(cbor2.dumps(list(key)) + b"\x00" for key in keys)


def _of_motion() -> list[Bomb]:
    head = b"\xa2\x62hz\x18\x32\x63acc"
    doubling = b"\x98\x1d\xd8\x1c\x82\x00\x00"
    doubling += b"".join(b"\xd8\x1c\x82" + 2 * (b"\xd8\x1d" + cbor2.dumps(n)) for n in range(28))
    some = [
        head + b"\xd8\x1c\x82\xd8\x1d\x00\xd8\x1d\x00",  # a list that holds itself twice: 19 bytes, 2^32 numbers
        head + doubling,
        head + b"\x81" * DEEP,
        b"\xa1\x00" * DEEP,
        _same_hash(12_000),
        b'{"hz":50,"acc":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"hz":50,"unit":"\\ud800","acc":[[0,0,1]]}',
    ]
    return [("motion", raw) for raw in some]


def _of_events() -> list[Bomb]:
    def nested(depth: int) -> bytes:
        return b'{"id":"deep-%d","type":"test","data":' % depth + b'{"a":' * depth + b"1" + b"}" * (depth + 1)

    some = [
        nested(DEEP // 3),
        nested(900),
        b'{"id":"\\ud800","type":"test"}',
        b'{"id":"nul","type":"test","data":{"a":"\\u0000"}}',
        b'{"id":"half","type":"test","data":{"a":"\\udfff"}}',
        b'{"id":"huge","type":"test","data":{"a":' + b"9" * 10_000 + b"}}",
    ]
    return [("event", raw) for raw in some] + [("status", b'{"online":true,"fw":"\\ud800","seq":' + b"9" * 18 + b"}")]


def topics(site: str) -> list[bytes]:
    """Topics that are no UTF-8, or hold what MQTT forbids (MQTT 3.1.1, section 1.5.3)."""
    bodies = (b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"a\x00b", b"\xf8\x88\x80\x80\x80")
    return [b"anhu/v1/" + site.encode() + b"/" + body + b"/telemetry" for body in bodies]


assert all(len(raw) <= PAYLOAD_BYTES_MAX for _, raw in every())

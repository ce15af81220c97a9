"""Bytes of a CBOR message (RFC 8949) enter, plain values leave, or Rejected: no more of CBOR than a device needs.

The library knows far more, and each piece of it is work that a stranger may order: shared references that make a list
contain itself, regular expressions, mail messages, keys that all have one hash. Here a message is numbers, text,
bytes, arrays and maps; tags are those of numbers alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, TypeVar

import cbor2

from core.errors import Rejected

DEPTH_MAX: Final = 16
_REFUSED_TAGS: Final = (0, 1, 25, 28, 29, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
"""Those for which the library has a reader, beside the numbers (2, 3, 4, 5 and 30)."""

# RFC 8949, section 3: the type in the upper three bits of an item's first byte, a small argument in the lower five.
_TYPE, _SMALL = 0xE0, 0x1F
_POSITIVE, _NEGATIVE, _TEXT, _ARRAY, _MAP = 0x00, 0x20, 0x60, 0x80, 0xA0
_ONE_BYTE, _EIGHT_BYTES, _INDEFINITE, _BREAK = 24, 27, 31, 0xFF

_Item = TypeVar("_Item")


class _Refused(ValueError):
    """Nothing that a device needs."""


def load(payload: bytes) -> Any:
    """One value whose maps have keys of text. Raises Rejected("not_cbor")."""
    return _whole(payload, cbor2.CBORDecoder.decode)


def load_records(payload: bytes) -> Any:
    """An array of maps whose keys are text or small integers, as SenML has them. Raises Rejected("not_cbor").

    Maps are read by hand as far as their keys: the library would take any value for a key, and some thousands of them
    with one and the same hash take it seconds.
    """
    return _whole(payload, _read_records)


def _whole(payload: bytes, read: Callable[[cbor2.CBORDecoder], Any]) -> Any:
    decoder = cbor2.CBORDecoder(
        io.BytesIO(payload),
        semantic_decoders=dict.fromkeys(_REFUSED_TAGS, _refuse),
        tag_hook=_refuse,
        max_depth=DEPTH_MAX,
        strict_hashable_types=True,
    )
    try:
        document = read(decoder)
    except Exception as error:
        # The library documents CBORDecodeError but lets others through on crafted input (MemoryError, …).
        raise Rejected("not_cbor", f"{type(error).__name__}: {error}"[:200]) from error
    try:
        decoder.read(1)
    except cbor2.CBORDecodeEOF:
        return document
    raise Rejected("not_cbor", "bytes after the end")


def _refuse(*_: Any) -> NoReturn:
    raise _Refused("a tag that is no number")


def _read_records(decoder: cbor2.CBORDecoder) -> list[Any]:
    head = decoder.read(1)[0]
    if head & _TYPE != _ARRAY:
        raise _Refused("no array of records")
    return list(_items(decoder, head, _read_record))


def _read_record(decoder: cbor2.CBORDecoder, head: int) -> dict[Any, Any]:
    if head & _TYPE != _MAP:
        raise _Refused("a record is a map")
    return dict(_items(decoder, head, _read_pair))


def _read_pair(decoder: cbor2.CBORDecoder, head: int) -> tuple[Any, Any]:
    kind, small = head & _TYPE, head & _SMALL
    if kind in (_POSITIVE, _NEGATIVE) and small < _ONE_BYTE:
        return small if kind == _POSITIVE else -1 - small, decoder.decode()
    if kind == _TEXT and small <= _ONE_BYTE:
        length = decoder.read(1)[0] if small == _ONE_BYTE else small
        return decoder.read(length).decode(), decoder.decode()
    raise _Refused("a label is a small integer or a short text")


def _items(decoder: cbor2.CBORDecoder, head: int, read: Callable[[cbor2.CBORDecoder, int], _Item]) -> Iterator[_Item]:
    """The items of an array or a map, whose first byte was read: each by `read`, which is given its first byte."""
    small = head & _SMALL
    if small == _INDEFINITE:
        while (first := decoder.read(1)[0]) != _BREAK:
            yield read(decoder, first)
        return
    if small > _EIGHT_BYTES:
        raise _Refused("no length")
    # A length that was promised and does not come ends at the end of the payload.
    for _ in range(small if small < _ONE_BYTE else int.from_bytes(decoder.read(1 << (small - _ONE_BYTE)), "big")):
        yield read(decoder, decoder.read(1)[0])

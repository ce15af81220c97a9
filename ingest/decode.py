"""Bytes of one message enter, plain values of known shape leave, or Rejected with the reason.

Fast paths are typed msgspec decoders. What they refuse is decoded once more, loosely, so that one bad value does not
cost its neighbours, and so that the reason can be told.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from core.errors import Rejected
from core.limits import INSTANTS_PER_MESSAGE_MAX, PAYLOAD_BYTES_MAX
from ingest import cbor


class Instant(NamedTuple):
    """The values of one moment; `t` None where the device gave no usable time."""

    t: float | None
    metrics: dict[str, Any]


class Telemetry(NamedTuple):
    """One telemetry message."""

    instants: list[Instant]
    seq: int | None


class EventMessage(msgspec.Struct):
    """One event, as the contract has it."""

    id: str
    type: str
    t: float | None = None
    data: dict[str, Any] = {}


class StatusMessage(msgspec.Struct):
    """One status, as the contract has it."""

    online: bool
    t: float | None = None
    seq: int | None = None
    battery: float | None = None
    rssi: float | None = None
    fw: str | None = None


class MotionMessage(NamedTuple):
    """One motion window: `acc` is a list of [x, y, z], or int16 bytes with `scale`."""

    t0: float | None
    hz: float
    unit: str
    acc: Any
    scale: float | None


class CommandAnswer(msgspec.Struct):
    """A device's answer to a command."""

    id: UUID
    ok: bool
    result: dict[str, Any] = {}


class _Moment(msgspec.Struct, gc=False):
    m: dict[str, float]
    t: float | None = None


class _TelemetryMessage(msgspec.Struct, gc=False):
    t: float | None = None
    seq: int | None = None
    m: dict[str, float] | None = None
    s: list[_Moment] | None = None


TELEMETRY = msgspec.json.Decoder(_TelemetryMessage)
"""Strict: what it refuses is not flawless, but may still hold good values. `m` or `s`, or both, may be missing."""
_event = msgspec.json.Decoder(EventMessage)
_status = msgspec.json.Decoder(StatusMessage)
_answer = msgspec.json.Decoder(CommandAnswer)


def check_size(payload: bytes) -> None:
    """Raises Rejected("oversized")."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Rejected("oversized", f"{len(payload)} bytes; {PAYLOAD_BYTES_MAX} are allowed")


def decode_telemetry(payload: bytes) -> Telemetry:
    """One instant or a pack. Raises Rejected."""
    try:
        message = TELEMETRY.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_telemetry_loosely(payload)
    if message.s is not None:
        instants = [Instant(one.t, one.m) for one in message.s]
    elif message.m is not None:
        instants = [Instant(message.t, message.m)]
    else:
        raise Rejected("missing_field", "neither m nor s")
    return _bounded(Telemetry(instants, message.seq))


def decode_event(payload: bytes) -> EventMessage:
    """An event. Raises Rejected."""
    return _strict(_event, payload)


def decode_status(payload: bytes) -> StatusMessage:
    """A status. Raises Rejected."""
    return _strict(_status, payload)


def decode_answer(payload: bytes) -> CommandAnswer:
    """An answer to a command. Raises Rejected."""
    return _strict(_answer, payload)


def decode_motion(payload: bytes) -> MotionMessage:
    """A motion window, JSON or CBOR. Raises Rejected."""
    document = _loads(payload) if payload[:1] == b"{" else cbor.load(payload)
    if not isinstance(document, dict):
        raise Rejected("wrong_type", "a motion window is an object")
    for name in ("hz", "acc"):
        if name not in document:
            raise Rejected("missing_field", name)
    return MotionMessage(
        _number(document.get("t0"), "t0"),
        _required_number(document["hz"], "hz"),
        str(document.get("unit", "g")),
        document["acc"],
        _number(document.get("scale"), "scale"),
    )


_Message = TypeVar("_Message")


def _strict(decoder: msgspec.json.Decoder[_Message], payload: bytes) -> _Message:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        text = str(error)
        reason = "missing_field" if "missing required field" in text else "wrong_type"
        raise Rejected(reason, text) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected("not_json", _short(error)) from error


def _decode_telemetry_loosely(payload: bytes) -> Telemetry:
    document = _loads(payload)
    if not isinstance(document, dict):
        raise Rejected("wrong_type", "telemetry is an object")
    seq = document.get("seq")
    moments = document.get("s", [document])
    if not isinstance(moments, list):
        raise Rejected("wrong_type", "s is a list")
    instants = []
    for moment in moments:
        metrics = moment.get("m") if isinstance(moment, dict) else None
        if not isinstance(metrics, dict):
            raise Rejected("missing_field" if isinstance(moment, dict) and metrics is None else "wrong_type", "m")
        instants.append(Instant(_number(moment.get("t"), "t"), metrics))
    return _bounded(Telemetry(instants, seq if type(seq) is int else None))


def _bounded(telemetry: Telemetry) -> Telemetry:
    if len(telemetry.instants) > INSTANTS_PER_MESSAGE_MAX:
        raise Rejected("oversized", f"{len(telemetry.instants)} instants; {INSTANTS_PER_MESSAGE_MAX} are allowed")
    return telemetry


def _loads(payload: bytes) -> Any:
    """JSON with the NaN and Infinity that some firmwares write, so that the value at fault can be named."""
    try:
        return json.loads(payload)
    except RecursionError as error:
        raise Rejected("not_json", "nested too deeply") from error
    except ValueError as error:
        raise Rejected("not_json", _short(error)) from error


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    return _required_number(value, name)


def _required_number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected("wrong_type", f"{name} is a number")
    try:
        return float(value)
    except OverflowError as error:
        raise Rejected("out_of_range", name) from error


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]

"""A SenML pack (RFC 8428), JSON or CBOR, enters; readings leave, and complaints about the records of no use.

Base fields are resolved as section 4.6 says. A time below 2^28 is relative to now, which here is the time of receipt:
such readings carry Flag.CLOCK, like every reading whose own device could not date it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from core.errors import Rejected
from core.limits import INSTANTS_PER_MESSAGE_MAX, METRICS_PER_INSTANT_MAX
from core.metrics import BY_CODE
from core.readings import Reading
from ingest import cbor, validate
from ingest.decode import Instant, Telemetry

RELATIVE_BELOW: Final = 2.0**28
VERSION_MAX: Final = 10
NAME_CHARS_MAX: Final = 256
RECORDS_MAX: Final = 4 * INSTANTS_PER_MESSAGE_MAX

_LABELS: Final = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
"""RFC 8428, table 4."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
_VALUES: Final = ("v", "vb", "vs", "vd")

_RATE: Final = {"beat/min": 1.0, "1/min": 1.0, "/min": 1.0, "1/s": 60.0, "Hz": 60.0}
_SHARE: Final = {"%": 1.0, "/": 100.0}
_KELVIN_ZERO: Final = 273.15
_PASCAL: Final = {"mmHg": 1.0, "mm[Hg]": 1.0, "Pa": 1 / 133.322387415, "hPa": 1 / 1.33322387415, "kPa": 7.50061683}

_FACTORS: Final[dict[str, dict[str, float]]] = {
    "heart_rate": _RATE,
    "resp_rate": _RATE,
    "spo2": _SHARE,
    "bp_sys": _PASCAL,
    "bp_dia": _PASCAL,
    "glucose": {"mmol/L": 1.0, "mmol/l": 1.0, "mol/m3": 1.0, "mg/dL": 1 / 18.016, "mg/dl": 1 / 18.016},
    "weight": {"kg": 1.0, "g": 0.001},
    "steps": {"count": 1.0},
    "motion": {"count": 1.0},
    "humidity": {"%RH": 1.0, **_SHARE},
    "co_ppm": {"ppm": 1.0, "ppb": 0.001, "/": 1e6},
    "gas_lel": _SHARE,
    "water_flow": {"l": 1.0, "L": 1.0, "m3": 1000.0},
    "power_w": {"W": 1.0, "kW": 1000.0, "mW": 0.001, "VA": 1.0},
    "lat": {"lat": 1.0, "deg": 1.0},
    "lon": {"lon": 1.0, "deg": 1.0},
    "loc_acc": {"m": 1.0, "km": 1000.0, "mm": 0.001},
    "battery": {"%EL": 1.0, **_SHARE},
    "rssi": {"dBm": 1.0, "dBW": 1.0},
    **{code: {"/": 1.0, "count": 1.0} for code in ("door", "bed", "smoke", "water_leak", "sleep_stage")},
    **{code: {"Cel": 1.0, "K": 1.0} for code in ("body_temp", "room_temp")},
}
"""Units of the SenML registry (RFC 8428 section 12.1, RFC 8798) by metric, with the factor to ours."""

_OFFSETS: Final = {"K": -_KELVIN_ZERO, "dBW": 30.0}


@dataclass(slots=True)
class _Base:
    name: str = ""
    time: float = 0.0
    unit: str | None = None
    value: float | None = None


def is_pack(payload: bytes) -> bool:
    """Whether the first byte opens a JSON array or a CBOR array."""
    first = payload[:1]
    return first == b"[" or b"\x80" <= first <= b"\x9f" or (first in b" \t\r\n" and payload.lstrip()[:1] == b"[")


def readings_of(device_key: int, payload: bytes, now: float, complaints: validate.Complaints) -> list[Reading]:
    """Every usable value of a pack; the others go to `complaints`. Raises Rejected for a pack that is none."""
    dated: dict[float, list[dict[str, Any]]] = {}
    relative: dict[float, list[dict[str, Any]]] = {}
    for code, time, value in _records(_load(payload), complaints):
        instants = (relative if time < RELATIVE_BELOW else dated).setdefault(time, [{}])
        if code in instants[-1] or len(instants[-1]) >= METRICS_PER_INSTANT_MAX:
            instants.append({})
        instants[-1][code] = value
    if len(dated) + len(relative) > INSTANTS_PER_MESSAGE_MAX:
        raise Rejected("oversized", f"more than {INSTANTS_PER_MESSAGE_MAX} instants")
    message = Telemetry([Instant(t, metrics) for t, some in dated.items() for metrics in some], None)
    found: list[Reading] = []
    # Those first that have no time of their own: by the first reading the whole message is known when it comes again.
    for offset, some in relative.items():
        # Far from now in either direction is a mistake, as for any device time: the receive time stands in.
        at, _ = validate.settle_time(now + offset, now)
        undated = Telemetry([Instant(None, metrics) for metrics in some], None)
        found += validate.readings_of(device_key, undated, at, complaints)
    return found + validate.readings_of(device_key, message, now, complaints)


def _load(payload: bytes) -> list[dict[str, Any]]:
    pack = _from_json(payload) if payload.lstrip()[:1] == b"[" else _from_cbor(payload)
    if not isinstance(pack, list) or not pack or not all(isinstance(record, dict) for record in pack):
        raise Rejected("wrong_type", "a SenML pack is a list of records, not empty")
    if len(pack) > RECORDS_MAX:
        raise Rejected("oversized", f"{len(pack)} records; {RECORDS_MAX} are allowed")
    return pack


def _from_json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Rejected("not_json", f"{type(error).__name__}: {error}"[:200]) from error


def _from_cbor(payload: bytes) -> Any:
    return [_labelled(record) for record in cbor.load_records(payload)]


def _labelled(record: dict[int | str, Any]) -> dict[str, Any]:
    """Integer labels as the words of the JSON form; an unknown one is seen as such."""
    return {_LABELS.get(key, str(key)) if isinstance(key, int) else key: value for key, value in record.items()}


def _records(pack: list[dict[str, Any]], complaints: validate.Complaints) -> Iterator[tuple[str, float, Any]]:
    """(metric, time, value in our unit) of each usable record, base fields resolved."""
    base = _Base()
    of_device: str | None = None
    for record in pack:
        _check_fields(record)
        _take_base(base, record)
        if not record.keys() & {*_VALUES, "n", "s"} and base.value is None:
            continue  # base fields alone
        name = base.name + _text(record.get("n", ""), "n")
        code, device = _metric_of(name)
        if code is None:
            known = _NAME.fullmatch(name) is not None
            complaints.add("unknown_metric" if known else "bad_name", name[:64] or "a record without a name")
            continue
        of_device = of_device or device
        if device and device != of_device:
            complaints.add("other_device", device[:64])
            continue
        time = base.time + _number(record.get("t", 0.0), "t")
        value = _value(record, base, code, complaints)
        if value is not None:
            yield code, time if math.isfinite(time) else 0.0, value


def _check_fields(record: dict[str, Any]) -> None:
    for label in record:
        if isinstance(label, str) and label.endswith("_"):
            # A trailing underscore means: who does not understand this must not use the pack.
            raise Rejected("unsupported_field", label[:64])
    version = record.get("bver", VERSION_MAX)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Rejected("wrong_type", "bver is a positive integer")
    if version > VERSION_MAX:
        raise Rejected("unsupported_version", f"bver {version}; up to {VERSION_MAX} is understood")


def _take_base(base: _Base, record: dict[str, Any]) -> None:
    if "bn" in record:
        base.name = _text(record["bn"], "bn")
    if "bt" in record:
        base.time = _number(record["bt"], "bt")
    if "bu" in record:
        base.unit = _text(record["bu"], "bu")
    if "bv" in record:
        base.value = _number(record["bv"], "bv")


def _metric_of(name: str) -> tuple[str | None, str]:
    """The metric that a resolved name ends in, and the device that the part before it names ("" for none)."""
    if not _NAME.fullmatch(name):
        return None, ""
    code = re.split(r"[:/]", name)[-1]
    if code not in BY_CODE:
        return None, ""
    return code, name[: -len(code)].partition("/")[0].rstrip(":")


def _value(record: dict[str, Any], base: _Base, code: str, complaints: validate.Complaints) -> Any:
    """The record's value in our unit; None after a complaint."""
    kinds = [kind for kind in _VALUES if kind in record]
    if len(kinds) > 1:
        complaints.add("wrong_type", f"{code} has {' and '.join(kinds)}")
        return None
    if not kinds and base.value is None:
        reason = "unsupported_field" if "s" in record else "missing_field"
        complaints.add(reason, f"{code} has {'a sum only' if 's' in record else 'no value'}")
        return None
    kind = kinds[0] if kinds else "v"
    if kind in ("vs", "vd") or (kind == "vb" and not isinstance(record["vb"], bool)):
        complaints.add("wrong_type", code)
        return None
    if kind == "vb":
        return record["vb"]
    raw = _plain(record.get("v", 0))
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        complaints.add("wrong_type", code)
        return None
    unit = _unit(record, base)
    factor = 1.0 if unit is None else _FACTORS.get(code, {}).get(unit)
    if factor is None:
        complaints.add("unit_mismatch", f"{code} in {unit}"[:64])
        return None
    try:
        return (float(raw) + (base.value or 0.0)) * factor + _OFFSETS.get(unit or "", 0.0)
    except OverflowError:
        complaints.add("not_finite", code)
        return None


def _unit(record: dict[str, Any], base: _Base) -> str | None:
    return _text(record["u"], "u") if "u" in record else base.unit


def _plain(value: Any) -> Any:
    """Decimal fractions and rationals of CBOR as floats."""
    if isinstance(value, Decimal | Fraction):
        try:
            return float(value)
        except (OverflowError, ValueError):
            return math.nan
    return value


def _number(value: Any, label: str) -> float:
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected("wrong_type", f"{label} is a number")
    try:
        return float(value)
    except OverflowError as error:
        raise Rejected("out_of_range", label) from error


def _text(value: Any, label: str) -> str:
    if not isinstance(value, str):
        raise Rejected("wrong_type", f"{label} is text")
    if len(value) > NAME_CHARS_MAX:
        # A base name is put before the name of each of thousands of records.
        raise Rejected("oversized", f"{label} has {len(value)} characters; {NAME_CHARS_MAX} are allowed")
    return value

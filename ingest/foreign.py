"""Messages of gateways enter; one interpreted message for the gateway and one for each device behind it leave.

What a mapped device says goes through the same checks as what a native one says. What an unmapped one says becomes a
sighting with a rejection. Of retained messages only states of connection and discovery are taken: the broker repeats
them at every subscription, so a value would be an old one and an event an old event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from core.errors import Rejected
from core.readings import Rejection, Status
from devices import adapters
from devices.adapters.base import SAMPLES_MAX, Sample
from devices.foreign import MappedDevice
from devices.registry import DeviceEntry, Directory
from ingest import validate
from ingest.decode import EventMessage, Instant, StatusMessage, Telemetry
from ingest.interpret import Interpreted, rejection
from ingest.sightings import Sighting, StateChanges
from ingest.topics import parse_topic

LIVE_SECONDS: Final = 3600.0
"""A sample older than this says that the device spoke once, not that it is there now."""
DIGEST_BYTES: Final = 16


def expand(batch: Sequence[Interpreted], directory: Directory) -> list[Interpreted]:
    """Put in the place of each gateway's message what it comes to; everything else stays as it is."""
    result: list[Interpreted] = []
    for one in batch:
        result.append(one)
        if one.foreign_path is not None and one.device is not None:
            result += _read(one, one.device, one.foreign_path, directory)
    return result


def _read(parent: Interpreted, gateway: DeviceEntry, foreign_path: str, directory: Directory) -> list[Interpreted]:
    """The children of one gateway's message; sightings and rejections stay with the parent."""
    name: str = ""
    samples: list[Sample] = []
    try:
        name, samples = _samples(gateway, foreign_path, parent.message.payload, directory)
    except Rejected as error:
        parent.rejections.append(_rejection(parent, error.reason, error.detail))
    children: list[Interpreted] = []
    for sample in samples:
        if not sample.native_id:
            parent.status = _own_status(gateway, sample, parent)
            continue
        mapped = directory.foreign.mappings.get((gateway.key, name, sample.native_id))
        device = directory.lookup(mapped.site, mapped.device) if mapped is not None else None
        if mapped is None or device is None:
            parent.sightings.append(_unmapped(parent, gateway, name, sample))
            continue
        parent.sightings.append(
            Sighting(
                gateway.institution_id, gateway.key, name, sample.native_id, sample.facts, sample.link_quality,
                mapped=True,
            )
        )  # fmt: skip
        if sample.speaks:
            children.append(_child(parent, device, mapped, f"{name}/{sample.native_id}", sample))
    return children


def _samples(gateway: DeviceEntry, foreign_path: str, payload: bytes, directory: Directory) -> tuple[str, list[Sample]]:
    word, _, path = foreign_path.partition("/")
    name = adapters.canonical(word)
    if name is None:
        raise Rejected("unknown_adapter", f"{word[:32]}; there are: {', '.join(adapters.NAMES)}")
    samples = directory.foreign.adapter(gateway.key, name).parse(path, payload)
    if len(samples) > SAMPLES_MAX:
        raise Rejected("oversized", f"{len(samples)} devices in a message; {SAMPLES_MAX} are allowed")
    return name, samples


def _own_status(gateway: DeviceEntry, sample: Sample, parent: Interpreted) -> Status:
    told = StatusMessage(online=bool(sample.online), t=sample.t, fw=sample.firmware)
    return validate.status_of(gateway.key, told, parent.message.received)


def _unmapped(parent: Interpreted, gateway: DeviceEntry, adapter: str, sample: Sample) -> Sighting:
    complaint = None
    if sample.speaks and not parent.message.retain:
        complaint = _rejection(parent, "unmapped_device", f"{adapter}/{sample.native_id} is not mapped to a device")
    return Sighting(
        gateway.institution_id, gateway.key, adapter, sample.native_id, sample.facts, sample.link_quality,
        rejection=complaint,
    )  # fmt: skip


def _child(parent: Interpreted, device: DeviceEntry, mapped: MappedDevice, name: str, sample: Sample) -> Interpreted:
    """What a mapped device said, as if it had said so itself."""
    message = parent.message
    child = Interpreted(message, device=device, institution_id=parent.institution_id, via=mapped.id)
    complaints = validate.Complaints()
    metrics = _fitted(sample.metrics, device.kind)
    if metrics and not (message.retain and sample.t is None):
        told = Telemetry([Instant(sample.t, metrics)], None)
        child.readings = validate.readings_of(device.key, told, message.received, complaints)
    child.rejections = [_rejection(parent, why, f"{name}: {what}") for why, what in complaints]
    child.status = _status(device, sample, message.received, retained=message.retain)
    if message.retain:
        return child
    time, flags = validate.settle_time(sample.t, message.received)
    digest = _digest(parent, sample)
    dated = not flags and sample.identity is None
    origin = f"{name}/{sample.t!r}" if dated else f"{name}/{digest.hex()}/{message.received!r}"
    try:
        event = _event(sample, mapped, device.kind, origin)
        if event is not None:
            child.event = validate.event_of(device.key, event, message.received)
    except Rejected as error:
        child.rejections.append(_rejection(parent, error.reason, f"{name}: {error.detail}"))
    if sample.states:
        child.changes = StateChanges(mapped.id, sample.states, time, flags, origin)
    if not dated and (child.readings or child.event is not None or child.changes is not None):
        child.clock_digest = digest
    return child


def _fitted(metrics: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Presence in front of a bed sensor is somebody in bed; a body's thermometer measures no room."""
    fitted = dict(metrics)
    if kind == "bed" and "motion" in fitted:
        fitted["bed"] = fitted.pop("motion")
    if kind == "wristband" and "room_temp" in fitted:
        fitted.pop("room_temp")
    return fitted


def _status(device: DeviceEntry, sample: Sample, received: float, *, retained: bool) -> Status | None:
    """Who speaks is there. A retained message is nobody speaking now, but may tell of the connection."""
    live = not retained and not (sample.t is not None and sample.t < received - LIVE_SECONDS)
    if sample.online is None and not live:
        return None
    told = StatusMessage(
        online=sample.online if sample.online is not None else True,
        t=sample.t,
        battery=_number(sample.metrics.get("battery")),
        rssi=_number(sample.metrics.get("rssi")),
        fw=sample.firmware,
    )
    return validate.status_of(device.key, told, received)


def _event(sample: Sample, mapped: MappedDevice, kind: str, origin: str) -> EventMessage | None:
    """The event that a sample holds in itself: what the system calls one, or a button pressed for help."""
    if sample.event is not None:
        identifier = sample.event.id or event_id(origin, sample.event.type)
        return EventMessage(identifier, sample.event.type, sample.t, dict(sample.event.data))
    if sample.action is not None and mapped.calls_for_help(sample.action, kind):
        return EventMessage(event_id(origin, "sos"), "sos", sample.t, {"action": sample.action})
    return None


def event_id(origin: str, word: str) -> str:
    """The id of an event that came without one; the same for the same origin."""
    return "x-" + hashlib.blake2b(f"{origin}/{word}".encode(), digest_size=DIGEST_BYTES).hexdigest()


def _digest(parent: Interpreted, sample: Sample) -> bytes:
    told = parent.message.payload if sample.identity is None else sample.identity.encode()
    key = hashlib.blake2b(parent.message.topic.encode(), digest_size=32).digest()
    return hashlib.blake2b(told, digest_size=DIGEST_BYTES, key=key).digest()


def _rejection(parent: Interpreted, reason: str, detail: str) -> Rejection:
    return rejection(parent.message, parse_topic(parent.message.topic), reason, detail)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

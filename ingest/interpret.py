"""One message and the device registry enter, what is to be stored of it leaves: values, or rejections with reasons."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

from core.errors import Rejected
from core.limits import REJECTION_PAYLOAD_BYTES, REJECTION_TOPIC_CHARS
from core.readings import Event, Flag, MotionWindow, Reading, Rejection, Status
from devices.registry import DeviceEntry, Directory
from ingest import decode, senml, validate
from ingest.batch import Message
from ingest.sightings import Sighting, StateChanges
from ingest.topics import Address, parse_topic


@dataclass(slots=True)
class Interpreted:
    """What one message came to. An empty one was ignored on purpose."""

    message: Message
    device: DeviceEntry | None = None
    institution_id: UUID | None = None
    readings: list[Reading] = field(default_factory=list)
    event: Event | None = None
    window: MotionWindow | None = None
    status: Status | None = None
    answer: decode.CommandAnswer | None = None
    rejections: list[Rejection] = field(default_factory=list)
    clock_digest: bytes | None = None
    """Identifies a message whose own time was of no use, so that its redelivery is known as such."""
    foreign_path: str | None = None
    """Of a gateway's message: what follows `x/` in the topic. `ingest.foreign` reads it."""
    via: int | None = None
    """The foreign device that this was told of, by a gateway."""
    sightings: list[Sighting] = field(default_factory=list)
    changes: StateChanges | None = None

    @property
    def items(self) -> int:
        """How many things are to be counted as stored, duplicate or rejected."""
        single = sum(part is not None for part in (self.event, self.window, self.status, self.answer, self.changes))
        unmapped = sum(one.rejection is not None for one in self.sightings) if self.sightings else 0
        return len(self.readings) + single + len(self.rejections) + unmapped


def interpret(message: Message, directory: Directory) -> Interpreted:
    """Decode and check one message. Never raises for what a device may have sent."""
    result = Interpreted(message)
    address: Address | None = None
    try:
        address = parse_topic(message.topic)
        result.institution_id = directory.sites.get(address.site)
        decode.check_size(message.payload)
        result.device = _find(directory, address)
        if address.channel.startswith("x/"):
            result.foreign_path = address.channel[2:]
        else:
            _READERS[address.channel](result, result.device)
    except Rejected as error:
        result.rejections.append(rejection(message, address, error.reason, error.detail))
    if (result.readings and result.readings[0].flags & Flag.CLOCK) or (
        result.window is not None and result.window.flags & Flag.CLOCK
    ):
        result.clock_digest = hashlib.blake2b(message.payload, digest_size=16, key=message.topic.encode()[:64]).digest()
    return result


def rejection(message: Message, address: Address | None, reason: str, detail: str) -> Rejection:
    """A rejection of a message, clipped to what is kept."""
    return Rejection(
        reason=reason,
        detail=storable(detail)[:500],
        topic=storable(message.topic)[:REJECTION_TOPIC_CHARS],
        payload=message.payload[:REJECTION_PAYLOAD_BYTES],
        received=message.received,
        site=address.site if address else None,
        device=address.device if address else None,
    )


def storable(text: str) -> str:
    """The text as the database can hold it: JSON may name half a character (a lone surrogate), or the character 0."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode()


def _find(directory: Directory, address: Address) -> DeviceEntry:
    entry = directory.lookup(address.site, address.device)
    if entry is not None:
        return entry
    if address.site not in directory.sites:
        raise Rejected("unknown_site", address.site)
    if directory.is_elsewhere(address.site, address.device):
        raise Rejected("wrong_site", f"{address.device} is registered at another institution")
    raise Rejected("unknown_device", f"{address.device} is not registered at {address.site}")


def _read_telemetry(result: Interpreted, device: DeviceEntry) -> None:
    message = result.message
    complaints = validate.Complaints()
    if message.payload[:1] != b"{" and senml.is_pack(message.payload):
        result.readings = senml.readings_of(device.key, message.payload, message.received, complaints)
    else:
        result.readings = validate.readings_of(
            device.key, decode.decode_telemetry(message.payload), message.received, complaints
        )
    address = parse_topic(message.topic)
    result.rejections = [rejection(message, address, reason, detail) for reason, detail in complaints]


def _read_event(result: Interpreted, device: DeviceEntry) -> None:
    if result.message.retain:
        # A retained press is an old press: the broker would repeat it at every subscription.
        return
    result.event = validate.event_of(device.key, decode.decode_event(result.message.payload), result.message.received)


def _read_motion(result: Interpreted, device: DeviceEntry) -> None:
    result.window = validate.window_of(
        device.key, decode.decode_motion(result.message.payload), result.message.received
    )


def _read_status(result: Interpreted, device: DeviceEntry) -> None:
    result.status = validate.status_of(
        device.key, decode.decode_status(result.message.payload), result.message.received
    )


def _read_answer(result: Interpreted, device: DeviceEntry) -> None:
    del device
    result.answer = decode.decode_answer(result.message.payload)


_READERS = {
    "telemetry": _read_telemetry,
    "event": _read_event,
    "motion": _read_motion,
    "status": _read_status,
    "command/ack": _read_answer,
}

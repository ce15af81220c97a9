"""A topic enters, the address of a device and the channel it speaks on leave."""

from __future__ import annotations

import re
from typing import NamedTuple

from core.errors import Rejected
from core.ids import DEVICE_PATTERN, SITE_PATTERN

PREFIX = "anhu/v1"
TELEMETRY_CHANNELS = ("telemetry", "motion", "status", "command/ack")
EVENT_CHANNEL = "event"

_TOPIC = re.compile(
    rf"anhu/v1/({SITE_PATTERN})/({DEVICE_PATTERN})/(telemetry|event|motion|status|command/ack|x/.+)", re.DOTALL
)


class Address(NamedTuple):
    """Who speaks, and about what."""

    site: str
    device: str
    channel: str


def parse_topic(topic: str) -> Address:
    """Take a topic apart. Raises Rejected("bad_topic")."""
    address = find_address(topic)
    if address is None:
        raise Rejected("bad_topic", "expected anhu/v1/{site}/{device}/{channel}")
    return address


def find_address(topic: str) -> Address | None:
    """As `parse_topic`; None where the topic is not ours."""
    match = _TOPIC.fullmatch(topic)
    return Address(*match.groups()) if match else None


def gateway_subscriptions() -> list[str]:
    """The filter of everything that gateways publish in their own systems' words."""
    return [f"{PREFIX}/+/+/x/#"]


def subscriptions(*, events: bool) -> list[str]:
    """The filters of one lane: the emergency lane, or everything else."""
    channels = (EVENT_CHANNEL,) if events else TELEMETRY_CHANNELS
    return [f"{PREFIX}/+/+/{channel}" for channel in channels]

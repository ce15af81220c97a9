"""Identifiers: text from outside enters, checked typed ids leave; new ids sort by time (UUID version 7)."""

from __future__ import annotations

import os
import re
import uuid
from typing import NewType

from core.clock import Clock
from core.errors import BadIdentifier

SiteCode = NewType("SiteCode", str)
DeviceId = NewType("DeviceId", str)

SITE_PATTERN = r"[a-z0-9-]{1,32}"
DEVICE_PATTERN = r"[A-Za-z0-9_-]{1,64}"
_SITE = re.compile(SITE_PATTERN)
_DEVICE = re.compile(DEVICE_PATTERN)


def site_code(text: str) -> SiteCode:
    """Check an institution's code. Raises BadIdentifier."""
    if not _SITE.fullmatch(text):
        raise BadIdentifier(f"site code must match {SITE_PATTERN}, got {text[:80]!r}")
    return SiteCode(text)


def device_id(text: str) -> DeviceId:
    """Check a device id. Raises BadIdentifier."""
    if not _DEVICE.fullmatch(text):
        raise BadIdentifier(f"device id must match {DEVICE_PATTERN}, got {text[:80]!r}")
    return DeviceId(text)


def broker_username(site: str, device: str) -> str:
    """The name under which a device signs in at the broker; neither part can contain the dot."""
    return f"{site}.{device}"


def new_id(clock: Clock) -> uuid.UUID:
    """A fresh UUID version 7 (RFC 9562): 48 bits of milliseconds, then random bits."""
    milliseconds = int(clock.time() * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds << 80) | (7 << 76) | ((random >> 62 & 0xFFF) << 64) | (2 << 62) | (random & ((1 << 62) - 1))
    return uuid.UUID(int=value)

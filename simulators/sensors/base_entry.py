"""What every sensor's word is made of: time, channel and content."""

from __future__ import annotations

from typing import Any, NamedTuple


class Entry(NamedTuple):
    """Something a device has to say."""

    time: float
    channel: str
    content: Any

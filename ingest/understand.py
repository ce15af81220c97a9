"""Messages and the device registry enter, what each comes to leaves; a mistake of ours costs one message, not a lane.

`interpret` and `expand` never raise for what a device may have sent. Should they do so all the same, the message at
fault must not come back for ever and hold up everybody behind it: it is set aside as a rejection, and logged.
"""

from __future__ import annotations

from collections.abc import Sequence

from core import logging
from devices.registry import Directory
from ingest.batch import Message
from ingest.columns import NO_READINGS, CleanReadings, ColumnReader
from ingest.foreign import expand
from ingest.interpret import Interpreted, interpret, rejection
from ingest.topics import find_address

log = logging.get(__name__)


def understand(messages: Sequence[Message], directory: Directory) -> list[Interpreted]:
    """Each message by itself, and the devices that gateways speak for."""
    try:
        return expand([interpret(message, directory) for message in messages], directory)
    except Exception as error:
        if len(messages) == 1:
            log.exception("a message could not be read; it is set aside", topic=messages[0].topic)
            return [set_aside(messages[0], directory, "not_readable", error)]
    half = len(messages) // 2
    return understand(messages[:half], directory) + understand(messages[half:], directory)


def read_columns(
    reader: ColumnReader, messages: Sequence[Message], directory: Directory
) -> tuple[CleanReadings, Sequence[Message]]:
    """The readings of flawless telemetry, and the messages that are left for `understand`."""
    try:
        return reader.read(messages, directory)
    except Exception:
        log.exception("a batch could not be read as columns", messages=len(messages))
        return NO_READINGS, messages


def set_aside(message: Message, directory: Directory, reason: str, error: Exception) -> Interpreted:
    """The message as a rejection, filed where its topic says."""
    address = find_address(message.topic)
    alone = Interpreted(message, institution_id=directory.sites.get(address.site) if address else None)
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    alone.rejections = [rejection(message, address, reason, told)]
    return alone

"""Every bound of the platform in one place; nothing grows without one of these."""

from __future__ import annotations

from typing import Final

# What a device may send.
PAYLOAD_BYTES_MAX: Final = 256 * 1024
INSTANTS_PER_MESSAGE_MAX: Final = 2_000
METRICS_PER_INSTANT_MAX: Final = 64
EVENT_ID_CHARS_MAX: Final = 128
EVENT_DATA_BYTES_MAX: Final = 16 * 1024
MOTION_SAMPLES_MAX: Final = 24_000
MOTION_HZ_MIN: Final = 5.0
MOTION_HZ_MAX: Final = 400.0
ACCELERATION_G_MAX: Final = 64.0

# Device time outside [now - past, now + future] is replaced by the receive time and flagged.
CLOCK_PAST_SECONDS: Final = 7 * 86_400
CLOCK_FUTURE_SECONDS: Final = 5 * 60
MILLISECONDS_ABOVE: Final = 1e11

# What ingest keeps in memory. The broker's session is the buffer for everything beyond it.
INFLIGHT_MESSAGES_MAX: Final = 4_000
REJECTION_PAYLOAD_BYTES: Final = 2_048
REJECTION_TOPIC_CHARS: Final = 512

# Every role writes a sign of life each five seconds; without one for so long it is missing.
ROLE_SILENT_SECONDS: Final = 30.0

# HTTP.
PAGE_LIMIT_DEFAULT: Final = 50
PAGE_LIMIT_MAX: Final = 500
REQUEST_BYTES_MAX: Final = 1024 * 1024
POINTS_MAX: Final = 10_000
STREAM_LISTENERS_MAX: Final = 2_000

"""A broker's URL enters, where it is and how to sign in leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and how to sign in."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: bool
    ca_file: Path | None = None


def parse_broker_url(url: str, ca_file: Path | None = None, *, variable: str = "ANHU_MQTT_URL") -> BrokerAddress:
    """Take mqtt://user:password@host:port apart; `variable` is where it came from. Raises Misconfigured."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise Misconfigured(f"{variable} must look like mqtt://user:password@host:1883 (mqtts:// for TLS)")
    tls = parts.scheme == "mqtts"
    try:
        port = parts.port or (8883 if tls else 1883)
    except ValueError as error:
        raise Misconfigured(f"{variable}: {error}") from error
    return BrokerAddress(
        parts.hostname,
        port,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        tls,
        ca_file,
    )

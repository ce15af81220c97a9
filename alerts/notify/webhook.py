"""Webhooks: a page and a URL enter, one signed POST leaves.

The signature is `X-Anhu-Signature: t=<unix seconds>,v1=<hex>`, where v1 is HMAC-SHA256 over `<t>.<body>` with the
channel's secret: a receiver checks both the sender and that the request is not an old one. `Idempotency-Key` is the
same for every attempt of the same page.

Addresses are checked after the name has been resolved, and the connection is made to the address that was checked:
a name that answers differently the second time gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from alerts.notify.errors import NotifyError
from core.clock import Clock

RESPONSE_BYTES_MAX = 64 * 1024
RECEIPT_CHARS_MAX = 100
_RETRYABLE_STATUS = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver said of a page that it took: its own name for it, that a person has seen it, that it had it."""

    id: str = ""
    seen: bool = False
    duplicate: bool = False


def read_receipt(answer: bytes) -> Receipt:
    """The receipt in an answer's body: a JSON object with `receipt`, `seen`, `duplicate`; anything else is none."""
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return Receipt()
    if not isinstance(told, dict):
        return Receipt()
    name = told.get("receipt")
    known = name if isinstance(name, str) and len(name) <= RECEIPT_CHARS_MAX and name.isprintable() else ""
    return Receipt(known, told.get("seen") is True, told.get("duplicate") is True)


class Webhook:
    """Sends pages to webhook URLs; safe to share between threads."""

    def __init__(self, clock: Clock, *, timeout_seconds: float, allow_private: bool) -> None:
        self._clock = clock
        self._allow_private = allow_private
        self._timeout = timeout_seconds
        # No proxy from the environment: a proxy would resolve the name again, behind the check.
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=min(5.0, timeout_seconds)),
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30),
        )

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def send(self, url: str, secret: str, key: str, message: dict[str, Any]) -> Receipt:
        """POST one page. Raises NotifyError; any status 2xx, with or without a body, is a delivery.

        A receiver that says 409 to a repeated page has had it before: its answer was lost on the way, the page was not.
        """
        parts, address = self._target(url)
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "Anhu"}
        if secret:
            headers["X-Anhu-Signature"] = sign(body, secret, int(self._clock.time()))
        pinned = httpx.URL(url).copy_with(host=address)
        headers["Host"] = parts.netloc.rpartition("@")[2]
        request = self._client.build_request("POST", pinned, content=body, headers=headers)
        request.extensions["sni_hostname"] = parts.hostname or ""
        status, answer = self._exchange(request)
        if 200 <= status < 300:
            return read_receipt(answer)
        if status == 409 and message.get("attempt", 1) > 1:
            return Receipt(duplicate=True)
        retryable = status >= 500 or status in _RETRYABLE_STATUS
        raise NotifyError(f"the receiver answered {status}", retryable=retryable)

    def _exchange(self, request: httpx.Request) -> tuple[int, bytes]:
        """Status and body; the time allowed is for the whole exchange, also of a receiver that answers drop by drop."""
        end = self._clock.monotonic() + self._timeout
        try:
            response = self._client.send(request, stream=True)
            try:
                answer = b""
                for part in response.iter_raw():
                    answer += part
                    if len(answer) > RESPONSE_BYTES_MAX or self._clock.monotonic() > end:
                        break  # the status is known; nobody needs the rest
            finally:
                response.close()
        except httpx.TimeoutException as error:
            raise NotifyError(f"no answer within {self._timeout:g} s", retryable=True) from error
        except httpx.RemoteProtocolError as error:
            raise NotifyError("the receiver closed the connection or spoke no HTTP", retryable=True) from error
        except httpx.TransportError as error:
            raise NotifyError(f"no connection: {type(error).__name__}", retryable=True) from error
        return response.status_code, answer

    def _target(self, url: str) -> tuple[Any, str]:
        """The parts of a URL and the address to connect to. Raises NotifyError."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise NotifyError("the URL is not valid", retryable=False) from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotifyError("a webhook needs an http or https URL", retryable=False)
        return parts, resolve(parts.hostname, port, allow_private=self._allow_private)


def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """The address of a host that may be connected to.

    Raises NotifyError: retryable when the name does not resolve now, not when any of its addresses is forbidden.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotifyError("the name of the receiver does not resolve", retryable=True) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise NotifyError("private and loopback addresses are not allowed", retryable=False)
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet: not private, loopback, link-local, multicast or reserved."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # an IPv4 address behind NAT64
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


def sign(body: bytes, secret: str, at: int) -> str:
    """The value of X-Anhu-Signature for a body at a time (Unix seconds)."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def verify(header: str, body: bytes, secret: str, now: int, *, tolerance_seconds: int = 300) -> bool:
    """Whether a signature is right and fresh; what a receiver does, in a few lines to copy."""
    fields = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    if not fields.get("t", "").isdigit() or abs(now - int(fields["t"])) > tolerance_seconds:
        return False
    return hmac.compare_digest(header, sign(body, secret, int(fields["t"])))

"""What surrounds every request: an id, a size bound, security headers, a log line, figures for Prometheus."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import HTTPException
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import TOO_LARGE, TOO_MANY, problem, render
from api.limits import RateLimit, is_limited, network_of
from core.clock import Clock
from core.limits import REQUEST_BYTES_MAX, ROLE_SILENT_SECONDS
from core.logging import get

_access = get("api.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

SECURITY_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
}
DOCS_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'"
)


class RequestMetrics:
    """Counts and durations by route template; a label never holds an id."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "anhu_api_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "anhu_api_request_seconds",
            "Time to answer.",
            ("method", "route"),
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
            registry=self.registry,
        )
        self.limited = Counter("anhu_api_limited", "Requests refused as too many.", ("by",), registry=self.registry)
        self.role_age = Gauge(
            "anhu_role_age_seconds", "Age of a role's last sign of life.", ("role",), registry=self.registry
        )
        self.role_missing = Gauge(
            "anhu_role_missing", "1 where a role has given no sign of life for 30 s.", ("role",), registry=self.registry
        )

    def show_roles(self, ages_seconds: Mapping[str, float]) -> None:
        """Show how long each role has been silent, and which are missing; a role that is not named is not shown."""
        self.role_age.clear()
        self.role_missing.clear()
        for role, age in ages_seconds.items():
            self.role_age.labels(role).set(age)
            self.role_missing.labels(role).set(age > ROLE_SILENT_SECONDS)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        method = method if method in _METHODS else "other"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


class Envelope:
    """The outermost layer; also the last net under exceptions that nothing else rendered."""

    def __init__(self, app: ASGIApp, *, clock: Clock, metrics: RequestMetrics, addresses: RateLimit) -> None:
        self.app = app
        self.clock = clock
        self.metrics = metrics
        self.addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = self.clock.monotonic()
        status = 0

        async def send_out(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        try:
            wait = self._wait_seconds(scope)
            if wait:
                self.metrics.limited.labels("address").inc()
                told = problem(TOO_MANY, "too many requests from this address", headers={"Retry-After": str(wait)})
                await told(scope, receive, send_out)
            elif _declared_bytes(headers) > REQUEST_BYTES_MAX:
                await problem(TOO_LARGE, _bound_told())(scope, receive, send_out)
            else:
                await self.app(scope, _bounded(receive), send_out)
        except Exception as error:
            if status:
                raise  # the answer has begun; the server ends the connection
            await render(error)(scope, receive, send_out)
        finally:
            seconds = self.clock.monotonic() - started
            self.metrics.observe(scope["method"], route_template(scope), status, seconds)
            _access.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round(seconds * 1000, 1),
                address=(scope.get("client") or ("",))[0],
            )
            structlog.contextvars.unbind_contextvars("request_id")

    def _wait_seconds(self, scope: Scope) -> int:
        if not is_limited(scope["path"]):
            return 0
        return self.addresses.take(network_of((scope.get("client") or ("",))[0]))


def route_template(scope: Scope) -> str:
    """The path of the matched route with its parameters' names, or `unmatched`."""
    effective: Any = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(effective, "path", None) or getattr(scope.get("route"), "path", None)
    return path or "unmatched"


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _declared_bytes(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _bound_told() -> str:
    return f"a request body may have {REQUEST_BYTES_MAX} bytes at most"


def _bounded(receive: Receive) -> Receive:
    """Count what arrives, for bodies that do not declare their length."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > REQUEST_BYTES_MAX:
                raise HTTPException(413, _bound_told())
        return message

    return counted


def _dress(headers: MutableHeaders, path: str, request_id: str) -> None:
    headers["x-request-id"] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if path.startswith("/docs"):
        headers["content-security-policy"] = DOCS_POLICY
    if path.startswith("/api/"):
        headers.setdefault("cache-control", "no-store")

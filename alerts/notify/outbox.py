"""The outbox: committed pages enter, deliveries leave; every attempt is recorded on the alert's timeline.

A worker leases one page, sends it outside any transaction, and records the result. A worker that dies leaves a lease
that runs out, and the page is sent again with the same idempotency key: at least once at the receiver, one row here.
Failures that can pass are tried again with growing, jittered pauses; the recipient's next channel is started after the
second failure, or at once where trying again cannot help.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from alerts import escalation, timeline
from alerts.escalation import Recipient, Run
from alerts.notify import apprise_channel, message
from alerts.notify.errors import NotifyError
from alerts.notify.webhook import Webhook
from alerts.timeline import Kind
from core.clock import Clock
from core.logging import get
from db.pool import Pool
from db.tenant import Transaction, service_transaction

log = get(__name__)
_RANDOM = random.SystemRandom()
Result = Literal["sent", "retry", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Pauses in seconds: base, doubled each time up to cap, times 0.5 to 1.5; given up once a page is so old."""

    base: float = 1.0
    cap: float = 60.0
    give_up_after: float = 3600.0
    failover_after_attempts: int = 2

    def pause(self, attempts: int, chance: float) -> float:
        """The pause after so many attempts; chance in [0, 1)."""
        doubled: float = self.base * 2.0 ** min(attempts - 1, 16)
        return min(self.cap, doubled) * (0.5 + chance)


class Outbox:
    """Takes and sends pages; several may run in one process and in several processes at once."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        *,
        timeout_seconds: float,
        allow_private: bool,
        retry: RetryPolicy | None = None,
        on_result: Callable[[str, str], None] | None = None,
        chance: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._retry = retry or RetryPolicy()
        self._allow_private = allow_private
        self._lease = timedelta(seconds=timeout_seconds + 10)
        self._webhook = Webhook(clock, timeout_seconds=timeout_seconds, allow_private=allow_private)
        self._on_result = on_result or (lambda _channel, _result: None)
        self._chance = chance

    def close(self) -> None:
        """Let go of connections to receivers."""
        self._webhook.close()

    def send_console(self) -> int:
        """Mark the pages inside the product as sent; how many."""
        with service_transaction(self._pool) as tx:
            rows = tx.all("outbox.send_console", now=self._clock.now())
        for _ in rows:
            self._on_result("console", "sent")
        return len(rows)

    def send_one(self) -> bool:
        """Send one page that is due; whether there was one. Raises Unavailable when the database is away."""
        with service_transaction(self._pool) as tx:
            tx.run("outbox.lease_turn")
            now = self._clock.now()
            page = tx.first("outbox.lease", now=now, leased_until=now + self._lease)
            if page is None:
                return False
            target = tx.one("outbox.target", channel_id=page["channel_id"], alert_id=page["alert_id"])
        if target["alert_state"] == "resolved":
            self._record(page, "cancelled", "报警已解除，不再发送 / The alert is resolved")
        elif target["target"] is None:
            self._record(page, "failed", "渠道已删除或停用 / The channel was removed or switched off")
        else:
            self._attempt(page, target)
        return True

    def _attempt(self, page: dict[str, Any], target: dict[str, Any]) -> None:
        try:
            self._send(page, target)
        except NotifyError as error:
            age = (self._clock.now() - page["created_at"]).total_seconds()
            again = error.retryable and age < self._retry.give_up_after
            self._record(page, "retry" if again else "failed", str(error))
        except Exception as error:  # a fault in a service's own code must cost this page's attempt, not the worker
            log.exception("page_failed", page=str(page["id"]), channel=page["channel_kind"])
            again = page["attempts"] < 5
            self._record(page, "retry" if again else "failed", f"unexpected: {type(error).__name__}")
        else:
            self._record(page, "sent", "")

    def _send(self, page: dict[str, Any], target: dict[str, Any]) -> None:
        if page["channel_kind"] == "apprise":
            apprise_channel.send(target["target"], page["message"], allow_private=self._allow_private)
            return
        body = {
            "id": str(page["id"]),
            "alert_id": str(page["alert_id"]),
            "recipient": page["recipient_name"],
            "created_at": timeline.stamp(page["created_at"]),
            "attempt": page["attempts"],
            "message": page["message"],
        }
        self._webhook.send(target["target"], target["secret"], page["idempotency_key"], body)

    def _record(self, page: dict[str, Any], result: Result, error: str) -> None:
        """Write how an attempt went, in one transaction with its timeline entry and the next channel's page."""
        now = self._clock.now()
        pause = self._retry.pause(page["attempts"], self._chance()) if result == "retry" else 0.0
        with service_transaction(self._pool) as tx:
            timeline.enter(tx, page["institution_id"])
            held = tx.run(
                "outbox.finish",
                id=page["id"],
                attempts=page["attempts"],
                state="pending" if result == "retry" else result,
                last_error=error,
                now=now,
                next_attempt_at=now + timedelta(seconds=pause),
            )
            if not held:  # the lease ran out and another worker has it: its record counts
                return
            self._tell(tx, page, result, error)
            if result == "failed" or (result == "retry" and page["attempts"] == self._retry.failover_after_attempts):
                self._next_channel(tx, page)
        self._on_result(page["channel_kind"], result)

    def _tell(self, tx: Transaction, page: dict[str, Any], result: Result, error: str) -> None:
        alert = {"id": page["alert_id"], "institution_id": page["institution_id"]}
        data = {
            "recipient": page["recipient"],
            "channel": page["channel_kind"],
            "attempt": page["attempts"],
            "result": result,
        }
        name, attempt = page["recipient_name"], page["attempts"]
        if result == "sent":
            note = f"已送达 {name}（{page['channel_kind']}）/ Delivered to {name}"
            timeline.add(tx, self._clock, alert, Kind.DELIVERED, note, data=data)
            return
        kind = Kind.SUPPRESSED if result == "cancelled" else Kind.FAILED
        note = f"未送达 {name}（第{attempt}次）：{error} / Not delivered to {name}, attempt {attempt}"
        timeline.add(tx, self._clock, alert, kind, note, data={**data, "reason": error})

    def _next_channel(self, tx: Transaction, page: dict[str, Any]) -> None:
        """Start the recipient's next channel that this page has not used, beside the retries of the present one."""
        recipient = _recipient(tx, page)
        channels = tx.all(
            "escalation.channels",
            institution_id=page["institution_id"],
            user_id=recipient.user_id,
            contact_id=recipient.contact_id,
        )
        alert = tx.one("alerts.lock", id=page["alert_id"])
        position, occurrence = _run_of(page["idempotency_key"])
        run = Run(position, "", occurrence, page["step_id"])
        context = tx.one("alerts.context", id=alert["id"])
        for channel in channels:
            text = message.compose(alert, context, public=channel["is_public"])
            if escalation.add_page(tx, self._clock, alert, run, recipient, channel, text):
                tx.run("outbox.wake")
                return


def _run_of(key: str) -> tuple[str, int]:
    """Step and occurrence out of an idempotency key."""
    _, position, occurrence, _ = key.split(":", 3)
    return position, int(occurrence)


def _recipient(tx: Transaction, page: dict[str, Any]) -> Recipient:
    kind, _, value = page["recipient"].partition(":")
    name = page["recipient_name"]
    if kind == "user":
        return Recipient(page["recipient"], name, user_id=UUID(value))
    if kind == "contact":
        row = tx.first("outbox.contact_user", id=UUID(value))
        return Recipient(page["recipient"], name, row["user_id"] if row else None, UUID(value))
    return Recipient(page["recipient"], name)

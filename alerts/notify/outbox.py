"""The outbox: committed pages enter, deliveries leave; every attempt is recorded on the alert's timeline.

A worker leases one page, sends it outside any transaction, and records the result. A worker that dies leaves a lease
that runs out, and the page is sent again with the same idempotency key: at least once at the receiver, one row here.
What a family may be told is asked at that moment and not before: a consent that was withdrawn in between counts.
Failures that can pass are tried again with growing, jittered pauses; the recipient's next channel is started after the
second failure, at once where trying again cannot help, and where a page was taken but nobody has seen it in time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from alerts import pages, timeline
from alerts.family import links
from alerts.notify import apprise_channel, message
from alerts.notify.errors import NotifyError
from alerts.notify.webhook import Receipt, Webhook
from alerts.timeline import Kind
from core.clock import Clock
from core.logging import get
from core.vocabulary import Names
from db.pool import Pool
from db.tenant import Transaction, service_transaction

log = get(__name__)
_NO_RECEIPT = Receipt()
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
        public_url: str = "",
        retry: RetryPolicy | None = None,
        on_result: Callable[[str, str], None] | None = None,
        chance: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._retry = retry or RetryPolicy()
        self._allow_private = allow_private
        self._public_url = public_url.rstrip("/")
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
        if target["alert_state"] == "resolved" and page["purpose"] != "update":
            self._record(page, "cancelled", "报警已解除，不再发送 / The alert is resolved")
        elif target["target"] is None:
            self._record(page, "failed", "渠道已删除或停用 / The channel was removed or switched off")
        else:
            self._prepare(page, target)
        return True

    def _prepare(self, page: dict[str, Any], target: dict[str, Any]) -> None:
        """Say what may be said now, and send it."""
        text, refused = page["message"], None
        if page["purpose"] == "rescue" or page["recipient"].startswith("contact:") or self._public_url:
            text, refused = self._renewed(page, target)
        if refused is not None:
            self._record(page, "cancelled", f"{refused.zh} / {refused.en}")
            return
        self._attempt({**page, "message": message.as_speech(text) if target["is_voice"] else text}, target)

    def _renewed(self, page: dict[str, Any], target: dict[str, Any]) -> tuple[dict[str, Any], Names | None]:
        """The message by what stands now, with a link where it goes to one person; or why nothing may be said."""
        with service_transaction(self._pool) as tx:
            text: dict[str, Any] = page["message"]
            recipient, refused = pages.recipient_of(tx, page, self._clock.now())
            if refused is not None:
                return text, refused
            if recipient.scopes is not None or page["purpose"] == "rescue":
                alert = tx.one("outbox.alert", id=page["alert_id"])
                context = tx.one("alerts.context", id=page["alert_id"])
                run = pages.run_of(page)
                text = pages.text_for(tx, alert, context, run, recipient, public=target["is_public"])
            if self._public_url and page["purpose"] == "page" and links.fits(page, target):
                text = message.with_link(text, links.make(tx, self._clock, page, self._public_url))
            return text, None

    def _attempt(self, page: dict[str, Any], target: dict[str, Any]) -> None:
        try:
            receipt = self._send(page, target)
        except NotifyError as error:
            age = (self._clock.now() - page["first_attempt_at"]).total_seconds()
            again = error.retryable and age < self._retry.give_up_after
            self._record(page, "retry" if again else "failed", str(error))
        except Exception as error:  # a fault in a service's own code must cost this page's attempt, not the worker
            log.exception("page_failed", page=str(page["id"]), channel=page["channel_kind"])
            again = page["attempts"] < 5
            self._record(page, "retry" if again else "failed", f"unexpected: {type(error).__name__}")
        else:
            self._record(page, "sent", "", receipt)

    def _send(self, page: dict[str, Any], target: dict[str, Any]) -> Receipt:
        if page["channel_kind"] == "apprise":
            apprise_channel.send(target["target"], page["message"], allow_private=self._allow_private)
            return _NO_RECEIPT
        body = {
            "id": str(page["id"]),
            "alert_id": str(page["alert_id"]),
            "purpose": page["purpose"],
            "recipient": page["recipient_name"],
            "created_at": timeline.stamp(page["created_at"]),
            "attempt": page["attempts"],
            "voice": target["is_voice"],
            "message": page["message"],
        }
        return self._webhook.send(target["target"], target["secret"], page["idempotency_key"], body)

    def _record(self, page: dict[str, Any], result: Result, error: str, receipt: Receipt = _NO_RECEIPT) -> None:
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
                receipt=receipt.id,
                seen=receipt.seen,
                now=now,
                next_attempt_at=now + timedelta(seconds=pause),
            )
            if not held:  # the lease ran out and another worker has it: its record counts
                return
            self._tell(tx, page, result, error, receipt)
            if page["purpose"] == "rescue" and result == "sent":
                self._audit_rescue(tx, page)
            if result != "cancelled":
                sent = int(result == "sent")
                tx.run("outbox.count_attempt", channel_id=page["channel_id"], now=now, sent=sent, error=error)
            if result == "failed" or (result == "retry" and page["attempts"] == self._retry.failover_after_attempts):
                pages.next_channel(tx, self._clock, page)
        self._on_result(page["channel_kind"], result)

    def _tell(self, tx: Transaction, page: dict[str, Any], result: Result, error: str, receipt: Receipt) -> None:
        alert = {"id": page["alert_id"], "institution_id": page["institution_id"]}
        data = {
            "recipient": page["recipient"],
            "channel": page["channel_kind"],
            "attempt": page["attempts"],
            "result": result,
        }
        name, attempt = page["recipient_name"], page["attempts"]
        if result == "sent":
            note = f"已送达 {name}（{page['channel_kind']}{_receipt_words(receipt).zh}）/ Delivered to {name}"
            data |= {"receipt": receipt.id or None, "duplicate": receipt.duplicate, "seen": receipt.seen}
            note += _receipt_words(receipt).en
            timeline.add(tx, self._clock, alert, Kind.DELIVERED, note, data=data)
            return
        kind = Kind.SUPPRESSED if result == "cancelled" else Kind.FAILED
        note = f"未送达 {name}（第{attempt}次）：{error} / Not delivered to {name}, attempt {attempt}"
        timeline.add(tx, self._clock, alert, kind, note, data={**data, "reason": error})

    def _audit_rescue(self, tx: Transaction, page: dict[str, Any]) -> None:
        """A person's record has left the house: that is on the record, like every reading of it."""
        tx.run(
            "audit.append",
            tenant=page["institution_id"],
            now=self._clock.now(),
            user=None,
            username="alerts",
            role="platform",
            action="send_rescue_card",
            object_type="alert",
            object_id=str(page["alert_id"]),
            detail={"channel": str(page["channel_id"])},
            request_id="",
            address="",
            success=True,
            purpose="emergency",
        )

    def follow_unseen(self) -> int:
        """Start the next channel, one that rings first, for pages that were taken but not seen in time; how many."""
        now = self._clock.now()
        with service_transaction(self._pool) as tx:
            waiting = tx.all("outbox.unseen", now=now, unseen_seconds=pages.UNSEEN_SECONDS)
        return sum(self._follow(page) for page in waiting)

    def _follow(self, page: dict[str, Any]) -> bool:
        with service_transaction(self._pool) as tx:
            timeline.enter(tx, page["institution_id"])
            alert = tx.one("alerts.lock", id=page["alert_id"])
            if alert["state"] != "open" or not tx.run("outbox.mark_followed", id=page["id"], now=self._clock.now()):
                return False
            following = pages.next_channel(tx, self._clock, page, voice_first=True)
            name = page["recipient_name"]
            then = Names(f"改用 {following}", f"trying {following}") if following else _NO_OTHER_CHANNEL
            note = f"{name} 未查看通知，{then.zh} / Not seen by {name}; {then.en}"
            data = {"recipient": page["recipient"], "channel": page["channel_kind"], "next": following}
            timeline.add(tx, self._clock, alert, Kind.UNSEEN, note, data=data)
            return True


_NO_OTHER_CHANNEL = Names("没有其他渠道", "there is no other channel")


def _receipt_words(receipt: Receipt) -> Names:
    """What a delivery is worth: a receipt, a repeat, or only that the receiver did not refuse it."""
    if receipt.duplicate:
        return Names("，对方称此前已收到", "; the receiver had it already")
    if receipt.seen:
        return Names("，对方称已阅", "; seen, the receiver says")
    if receipt.id:
        return Names(f"，回执 {receipt.id}", f", receipt {receipt.id}")
    return Names("，无回执", ", no receipt of its own")

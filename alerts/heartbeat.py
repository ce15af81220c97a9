"""The platform's sign of life to somebody outside: what the leader sees enters, one short request a minute leaves.

The watch over the watch. The auditor finds what is late, but nobody inside can tell that the whole house is dark, so
somebody outside counts the minutes: an URL of a monitoring service that calls people when it is no longer asked. It is
asked only by the one process that leads, and only while all is well: then also a fault that stops no process is heard.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from alerts import metrics
from alerts.events import OPENING
from alerts.notify.errors import NotifyError
from alerts.notify.webhook import Webhook
from core.clock import Clock
from core.errors import Misconfigured
from core.ids import new_id
from core.limits import ROLE_SILENT_SECONDS
from core.logging import get
from core.vocabulary import WATCHED_ROLES
from db.pool import Pool
from db.tenant import service_transaction

log = get(__name__)

PING_SECONDS = 60.0
LATE_SECONDS = 60.0
"""Work of the emergency way that has waited so long is not well, whoever should have done it."""
TURN_SECONDS = 30.0
"""The leader's detectors take a turn each second; without one for so long they hang."""


class Heartbeat:
    """Looks at what must be well; asks the URL once a minute while it is. For one thread.

    Raises Misconfigured where the URL is not https; http is for a receiver in the house (`webhook_allow_private`).
    """

    def __init__(self, pool: Pool, clock: Clock, instance: str, url: str, *, allow_private: bool) -> None:
        if url and urlsplit(url).scheme != "https" and not allow_private:
            raise Misconfigured("ANHU_HEARTBEAT_URL must be an https URL")
        self._pool = pool
        self._clock = clock
        self._instance = instance
        self._url = url
        self._webhook = Webhook(clock, timeout_seconds=5.0, allow_private=allow_private)
        self._next_ping = clock.monotonic()

    def close(self) -> None:
        """Let go of the connection."""
        self._webhook.close()

    def beat(self, *, leading: bool, turned: float) -> tuple[str, ...]:
        """Write this process's sign of life and, where it leads and all is well, ask the URL; what is not well.

        turned: when the detectors last took a turn, monotonic seconds. Raises Unavailable.
        """
        causes = self._causes()
        if leading and self._clock.monotonic() - turned > TURN_SECONDS:
            causes = (*causes, "detectors")
        detail = {"leading": leading, "causes": list(causes)}
        with service_transaction(self._pool) as tx:
            tx.run("alerts.heartbeat", role="alerts", instance=self._instance, now=self._clock.now(), detail=detail)
        metrics.show_causes(causes)
        if leading and not causes:
            self._ping()
        return causes

    def _causes(self) -> tuple[str, ...]:
        now = self._clock.now()
        silent, late = now - timedelta(seconds=ROLE_SILENT_SECONDS), now - timedelta(seconds=LATE_SECONDS)
        with service_transaction(self._pool) as tx:
            waiting = tx.one("alerts.late_work", before=late, types=list(OPENING))
            alive = {row["role"] for row in tx.all("alerts.alive", since=silent)} | {"alerts"}
            untold = tx.all("alerts.overdue", now=late)
        causes = [name for name in ("events", "steps", "pages") if waiting[name]]
        causes += ["deadlines"] if untold else []
        return (*causes, *(role for role in WATCHED_ROLES if role not in alive))

    def _ping(self) -> None:
        if not self._url or self._clock.monotonic() < self._next_ping:
            return
        self._next_ping = self._clock.monotonic() + PING_SECONDS
        try:
            self._webhook.send(self._url, "", str(new_id(self._clock)), {"status": "well"})
        except NotifyError as error:
            metrics.HEARTBEATS.labels("failed").inc()
            # Not the URL: whoever knows it can speak in our name.
            log.warning("the heartbeat was not heard", error=str(error))
        else:
            metrics.HEARTBEATS.labels("sent").inc()

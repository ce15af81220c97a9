"""The threads of one alerts process: settings and a clock enter, running work leaves; it stops within five seconds.

Every thread repeats one small piece of work that is complete in itself. Notifications of the database wake it early;
its own clock guarantees that it looks anyway. A database that is away makes it wait, never end.
"""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import psycopg
from apscheduler.schedulers.background import BackgroundScheduler

from alerts import checks, escalation, metrics, restraint
from alerts.audit import audit
from alerts.events import EventHandler
from alerts.family import away, links
from alerts.feed import Follower, LostLead
from alerts.heartbeat import Heartbeat
from alerts.notify import apprise_channel
from alerts.notify.outbox import Outbox
from core.clock import Clock
from core.errors import Unavailable
from core.logging import get
from core.settings import Settings
from db.listen import listen
from db.pool import Pool, connect, make_pool
from db.queries import sql

log = get(__name__)

POLL_SECONDS = 1.0
AUDIT_SECONDS = 15.0
HEARTBEAT_SECONDS = 5.0
CHECKS_SECONDS = 300.0
LOAD_SECONDS = 60.0
RETRY_SECONDS = (0.2, 10.0)
_RANDOM = random.SystemRandom()


@dataclass(slots=True)
class Bell:
    """Wakes a worker early; rings that come while it works are kept."""

    _rung: threading.Event = field(default_factory=threading.Event)

    def ring(self) -> None:
        self._rung.set()

    def wait(self, seconds: float) -> None:
        self._rung.wait(seconds)
        self._rung.clear()


class Runtime:
    """All threads of one alerts process; several processes may run at once."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._url = settings.require_database()
        self._workers = settings.notify_workers
        self._check_days = settings.check_interval_days
        self._pool: Pool = make_pool(self._url, "alerts", size_max=settings.notify_workers + 6, size_min=2)
        self._events = EventHandler(self._pool, clock, check_days=settings.check_interval_days)
        self._outbox = Outbox(
            self._pool,
            clock,
            timeout_seconds=settings.notify_timeout_seconds,
            allow_private=settings.webhook_allow_private,
            public_url=settings.public_url,
            on_result=lambda channel, result: metrics.PAGES.labels(channel, result).inc(),
        )
        self._stop = threading.Event()
        self._bells = {name: Bell() for name in ("events", "feed", "console", "lead")}
        self._page_bells = [Bell() for _ in range(settings.notify_workers)]
        self._reload = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60}
        )
        self._instance = f"{socket.gethostname()}:{os.getpid()}"
        self._heartbeat = Heartbeat(
            self._pool,
            clock,
            self._instance,
            settings.heartbeat_url.get_secret_value() if settings.heartbeat_url else "",
            allow_private=settings.webhook_allow_private,
        )
        self._leading = False
        self._turned = clock.monotonic()

    def run(self) -> None:
        """Work until `stop`."""
        work: list[tuple[str, Callable[[], None]]] = [
            ("listen", self._listen),
            ("events", lambda: self._repeat("events", self._bells["events"], self._handle_events)),
            ("console", lambda: self._repeat("console", self._bells["console"], self._send_console)),
            ("detectors", self._follow),
        ]
        pages = partial(self._repeat, "pages", turn=self._send_pages)
        work.extend(("pages", partial(pages, bell)) for bell in self._page_bells)
        threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in work]
        for thread in threads:
            thread.start()
        self._schedule("escalation", POLL_SECONDS, self._escalate)
        self._schedule("audit", AUDIT_SECONDS, self._audit)
        self._schedule("checks", CHECKS_SECONDS, self._look_for_checks)
        self._schedule("load", LOAD_SECONDS, lambda: restraint.show_load(self._pool, self._clock))
        self._schedule("heartbeat", HEARTBEAT_SECONDS, self._beat)
        self._scheduler.start()
        log.info("alerts run", workers=self._workers)
        apprise_channel.load()
        self._stop.wait()
        self._end(threads)

    def stop(self) -> None:
        """Ask every thread to end."""
        self._stop.set()
        for bell in (*self._bells.values(), *self._page_bells):
            bell.ring()

    def _end(self, threads: list[threading.Thread]) -> None:
        self._scheduler.shutdown(wait=False)
        end = self._clock.monotonic() + 4.0
        for thread in threads:
            thread.join(max(0.0, end - self._clock.monotonic()))
        self._outbox.close()
        self._heartbeat.close()
        self._pool.close(timeout=0.5)
        log.info("alerts stopped")

    def _listen(self) -> None:
        def wake(channel: str, _payload: str) -> None:
            if channel == "anhu_event":
                self._bells["events"].ring()
            elif channel == "anhu_outbox":
                for bell in (self._bells["console"], *self._page_bells):
                    bell.ring()
            elif channel == "anhu_device":
                self._reload.set()
            else:
                self._bells["feed"].ring()

        listen(self._url, "alerts", ("anhu_event", "anhu_outbox", "anhu_feed", "anhu_device"), wake, self._stop)

    def _repeat(self, name: str, bell: Bell, turn: Callable[[], object]) -> None:
        """Take turns until the end, woken by a bell or after a second; wait longer while the database is away."""
        delay = RETRY_SECONDS[0]
        available = metrics.AVAILABLE.labels(name)
        while not self._stop.is_set():
            try:
                turn()
            except (Unavailable, psycopg.Error) as error:
                available.set(0)
                log.warning("waiting for the database", worker=name, error=str(error)[:200])
                self._stop.wait(delay * _RANDOM.uniform(0.5, 1.0))
                delay = min(delay * 2, RETRY_SECONDS[1])
            except Exception:
                log.exception("a turn failed", worker=name)
                self._stop.wait(POLL_SECONDS)
            else:
                available.set(1)
                delay = RETRY_SECONDS[0]
                bell.wait(POLL_SECONDS)

    def _handle_events(self) -> None:
        metrics.EVENTS.inc(self._events.handle_all())

    def _send_console(self) -> None:
        self._outbox.send_console()

    def _send_pages(self) -> None:
        while not self._stop.is_set() and self._outbox.send_one():
            pass

    def _schedule(self, name: str, seconds: float, job: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                job()
            except (Unavailable, psycopg.Error) as error:
                log.warning("waiting for the database", worker=name, error=str(error)[:200])
            except Exception:
                log.exception("a turn failed", worker=name)

        self._scheduler.add_job(guarded, "interval", seconds=seconds, id=name)

    def _escalate(self) -> None:
        metrics.STEPS.inc(escalation.tick(self._pool, self._clock))
        self._outbox.follow_unseen()
        away.end_due(self._pool, self._clock)

    def _audit(self) -> None:
        metrics.OVERDUE.inc(audit(self._pool, self._clock))
        links.drop_expired(self._pool, self._clock)

    def _look_for_checks(self) -> None:
        checks.raise_overdue(self._pool, self._clock, self._check_days)

    def _beat(self) -> None:
        self._heartbeat.beat(leading=self._leading, turned=self._turned)

    def _follow(self) -> None:
        """Hold the lead while the connection lives that has its lock; another process takes over when it ends."""
        self._repeat("detectors", self._bells["lead"], self._follow_once)

    def _follow_once(self) -> None:
        """One reign: from winning the lock to losing it, the database or the will to go on."""
        with connect(self._url, "alerts") as connection:
            row = connection.execute(sql("alerts.lead_detectors")).fetchone()
            if row is None or not row["leading"]:
                return
            metrics.LEADING.set(1)
            self._leading, self._turned = True, self._clock.monotonic()
            # Its turn lasts as long as it leads: the database is there from its beginning.
            metrics.AVAILABLE.labels("detectors").set(1)
            try:
                self._lead(connection)
            except LostLead:
                log.warning("another process follows the feed; beginning again")
            finally:
                self._leading = False
                metrics.LEADING.set(0)

    def _lead(self, lock: psycopg.Connection[object]) -> None:
        follower = Follower(self._pool, self._clock)
        follower.start()
        log.info("detectors run", seq=follower.seq)
        next_tick = self._clock.monotonic()
        while not self._stop.is_set():
            if self._reload.is_set():
                self._reload.clear()
                follower.reload()
            rows = follower.step()
            self._turned = self._clock.monotonic()
            metrics.FEED_ROWS.inc(rows)
            metrics.FEED_LAG.set(follower.lag_seconds)
            metrics.PASS_SECONDS.set(follower.pass_seconds)
            if self._clock.monotonic() >= next_tick:
                metrics.FINDINGS.inc(follower.tick())
                lock.execute(sql("alerts.still_leading"))  # raises where the connection, and with it the lock, is gone
                next_tick = self._clock.monotonic() + POLL_SECONDS
            if not rows:
                self._bells["feed"].wait(POLL_SECONDS)
        follower.stop()

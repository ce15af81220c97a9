"""Settings enter, a running scheduler leaves: partitions, rollups, retention, expiring commands, a sign of life."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client import Counter, Gauge, start_http_server

from core import logging
from core.clock import Clock, SystemClock
from core.errors import Unavailable
from core.settings import Settings, load_settings
from db import maintenance
from db.pool import Pool, make_pool
from db.tenant import service_transaction
from devices import commands

log = logging.get(__name__)

ROLL_UP_SECONDS = 5
HEARTBEAT_SECONDS = 5
EXPIRE_SECONDS = 15
PARTITION_HOURS = 1

RUNS = Counter("anhu_jobs_runs_total", "Runs of each job by result", ["task", "result"])
LAST = Gauge("anhu_jobs_last_success_timestamp_seconds", "When each job last succeeded", ["task"])


def run_jobs(settings: Settings, clock: Clock, stop: threading.Event) -> None:
    """Run the schedule until told to stop; a job that fails is logged, counted and tried again at its next time."""
    pool = make_pool(settings.require_database(), "jobs", size_max=4)
    # misfire_grace_time None: a job that comes late still runs, once.
    once = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults=once)

    def every(name: str, work: Callable[[], Any], **interval: int) -> None:
        # misfire_grace_time None: a job that comes late still runs, once.
        scheduler.add_job(
            _guarded,
            "interval",
            args=(name, work, clock),
            misfire_grace_time=None,
            next_run_time=clock.now(),
            **interval,
        )

    every("partitions", lambda: maintenance.make_partitions(pool, clock), hours=PARTITION_HOURS)
    every("rollup", lambda: maintenance.roll_up(pool, clock), seconds=ROLL_UP_SECONDS)
    every("retention", lambda: maintenance.apply_retention(pool, clock, settings), minutes=10)
    every("commands", lambda: _expire_commands(pool, clock), seconds=EXPIRE_SECONDS)
    every("heartbeat", lambda: _beat(pool, clock), seconds=HEARTBEAT_SECONDS)
    scheduler.start()
    log.info("jobs run")
    stop.wait()
    scheduler.shutdown(wait=False)
    pool.close(timeout=2)
    log.info("jobs stopped")


def _guarded(name: str, work: Callable[[], Any], clock: Clock) -> None:
    try:
        done = work()
    except Unavailable as error:
        RUNS.labels(name, "unavailable").inc()
        log.warning("job waits for the database", job=name, error=str(error))
    except Exception:
        RUNS.labels(name, "failed").inc()
        log.exception("job failed", job=name)
    else:
        RUNS.labels(name, "ok").inc()
        LAST.labels(name).set(clock.time())
        if done:
            log.debug("job done", job=name, result=done)


def _expire_commands(pool: Pool, clock: Clock) -> int:
    with service_transaction(pool) as tx:
        return commands.expire(tx, clock)


def _beat(pool: Pool, clock: Clock) -> None:
    with service_transaction(pool) as tx:
        tx.run("maintenance.beat", instance=socket.gethostname(), now=clock.now())


def main() -> None:
    """Run the jobs until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logging.configure("jobs", level=settings.log_level, json=settings.log_json)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.api_host)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_jobs(settings, SystemClock(), stop)

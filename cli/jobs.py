"""Settings enter, a running scheduler leaves: partitions, chunks, rollups, retention, expired commands, a heartbeat."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client import Counter, Gauge, start_http_server

from api.institution.expiry import warn_of_expiry
from api.institution.kept_beds import free_kept_beds
from api.rights import erase
from api.services import platform
from api.supervision.months import keep_month
from core import logging
from core.clock import Clock, SystemClock
from core.errors import Unavailable
from core.settings import Settings, load_settings
from db import maintenance, retention
from db.pool import Pool, make_pool
from db.tenant import service_transaction
from devices import commands

log = logging.get(__name__)

ROLL_UP_SECONDS = 5
HEARTBEAT_SECONDS = 5
EXPIRE_SECONDS = 15
OVERDUE_SECONDS = 60
FOLLOW_SECONDS = 5
SUPERVISION_HOURS = 6
EXPIRY_HOURS = 6
KEPT_BED_HOURS = 1
SEAL_SECONDS = 20
ERASE_SECONDS = 30
PARTITION_HOURS = 1
CHUNK_HOURS = 1

RUNS = Counter("anhu_jobs_runs_total", "Runs of each job by result", ["task", "result"])
CHUNK_BYTES = Gauge("anhu_storage_chunk_bytes", "Size of the newest chunk of readings when it will be full")
CHUNK_ROOM = Gauge("anhu_storage_chunk_room_bytes", "A quarter of the database server's memory, which should hold it")
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
    every("chunks", lambda: _keep_chunks_in_memory(pool, clock, settings), hours=CHUNK_HOURS)
    every("retention", lambda: retention.apply_retention(pool, clock, settings), minutes=10)
    every("commands", lambda: _expire_commands(pool, clock), seconds=EXPIRE_SECONDS)
    every("overdue records", lambda: platform.act_on_past_due(pool, clock), seconds=OVERDUE_SECONDS)
    every("records of those who left", lambda: platform.end_with_residents(pool, clock), seconds=OVERDUE_SECONDS)
    every("expiry warnings", lambda: warn_of_expiry(pool, clock), hours=EXPIRY_HOURS)
    every("kept beds", lambda: free_kept_beds(pool, clock), hours=KEPT_BED_HOURS)
    every("incidents", lambda: platform.follow_alerts(pool, clock), seconds=FOLLOW_SECONDS)
    every("erasures", lambda: erase.erase_due(pool, clock), seconds=ERASE_SECONDS)
    every("audit seals", lambda: maintenance.seal_audit(pool, clock), seconds=SEAL_SECONDS)
    every("supervision", lambda: keep_month(pool, clock), hours=SUPERVISION_HOURS)
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


def _keep_chunks_in_memory(pool: Pool, clock: Clock, settings: Settings) -> bool:
    """Set the length of chunks, and say when the newest have grown too large for the server."""
    changed = maintenance.set_chunk_hours(pool, settings)
    with service_transaction(pool) as tx:
        load = maintenance.chunk_load(tx, clock)
    if load is not None:
        CHUNK_BYTES.set(load.bytes)
        CHUNK_ROOM.set(load.room)
        if not load.fits:
            log.warning(
                "chunks of readings are too large for the memory: `anhu doctor` says what to do",
                mib=load.bytes >> 20,
                room_mib=load.room >> 20,
                chunk_hours=load.hours,
                chunk_hours_advised=load.hours_advised,
            )
    return changed


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

"""Settings enter, a running ingester leaves: two lanes, the device registry, commands to devices, signs of life."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable

from prometheus_client import start_http_server

from core import limits, logging
from core.broker import parse_broker_url
from core.clock import Clock, SystemClock
from core.errors import Unavailable
from core.settings import Settings, load_settings
from db.listen import listen
from db.pool import Pool, make_pool
from db.tenant import service_transaction
from ingest.batch import MessageQueue
from ingest.commander import send_waiting
from ingest.directory import DirectoryKeeper
from ingest.inbox import Inbox
from ingest.latest import LatestWriter
from ingest.metrics import IngestMetrics
from ingest.mqtt import Subscriber
from ingest.persist import Writer
from ingest.pipeline import Lane
from ingest.topics import gateway_subscriptions, subscriptions

log = logging.get(__name__)

QUEUE_BYTES_MAX = 64 * 1024 * 1024
BATCH_MESSAGES_MAX = 1_000
EVENT_BATCH_MAX = 50
HEARTBEAT_SECONDS = 5.0
STOP_SECONDS = 2.5
"""What has not ended by then ends with the process: uncommitted messages are the broker's again."""
SWITCH_SECONDS = 0.0002
"""How long a busy thread may keep the others waiting. The committing thread returns to Python some thirty times a
batch; at Python's own 5 ms the network thread would make it wait longer than the database does."""


class Ingester:
    """All threads of one ingest process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._database_url = settings.require_database()
        self._address = parse_broker_url(settings.require_mqtt(), settings.mqtt_ca_file)
        self._pool: Pool = make_pool(self._database_url, "ingest", size_max=3)
        self._directory = DirectoryKeeper(self._pool, clock)
        self._metrics = IngestMetrics()
        self._stop = threading.Event()
        self._commands_due = threading.Event()
        self._inbox_due = threading.Event()
        self._subscribers: list[Subscriber] = []
        self._lanes: list[Lane] = []
        self._failed = False

    def run(self) -> bool:
        """Work until `stop`; everything uncommitted stays with the broker. False where a thread had failed."""
        self._directory.refresh(force=True)
        work = [
            *self._make_lane("events", subscriptions(events=True), size_max=EVENT_BATCH_MAX),
            *self._make_lane(
                "telemetry",
                subscriptions(events=False),
                size_max=BATCH_MESSAGES_MAX,
                linger_seconds=self._settings.batch_linger_ms / 1000,
            ),
            # A gateway tells of smoke and of the temperature in the same words: its lane is neither of the two, so
            # that it waits behind no telemetry, and no press waits behind it.
            *self._make_lane("gateways", gateway_subscriptions(), size_max=EVENT_BATCH_MAX),
            ("inbox", self._make_inbox()),
            ("listen", self._listen),
            ("commands", self._send_commands),
            ("heartbeat", self._beat),
        ]
        threads = [
            threading.Thread(target=self._guard, args=(name, target), name=name, daemon=True) for name, target in work
        ]
        for thread in threads:
            thread.start()
        log.info("ingest runs", broker=f"{self._address.host}:{self._address.port}")
        self._stop.wait()
        deadline = self._clock.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(timeout=max(0.0, deadline - self._clock.monotonic()))
        self._pool.close(timeout=0.5)
        log.info("ingest stopped")
        return not self._failed

    def _guard(self, name: str, target: Callable[[], None]) -> None:
        """A thread that ends by a mistake of ours takes the process with it: half an ingester would go unnoticed."""
        try:
            target()
        except Exception:
            log.exception("a thread failed; ingest ends, to be started again", thread=name)
            self._failed = True
            self.stop()

    def stop(self) -> None:
        """Ask every thread to end."""
        self._stop.set()
        self._commands_due.set()
        self._inbox_due.set()

    def _make_lane(
        self, name: str, topics: list[str], *, size_max: int, linger_seconds: float = 0.0
    ) -> list[tuple[str, Callable[[], None]]]:
        metrics = self._metrics.lane(name)
        queue = MessageQueue(self._clock, messages_max=limits.INFLIGHT_MESSAGES_MAX, bytes_max=QUEUE_BYTES_MAX)
        metrics.waiting.set_function(lambda: len(queue))
        suffix = "" if name == "telemetry" else f"-{name}"
        subscriber = Subscriber(
            self._address,
            client_id=self._settings.mqtt_client_id + suffix,
            topics=topics,
            queue=queue,
            clock=self._clock,
            on_connection=metrics.connected.set,
        )
        lane = Lane(
            queue,
            Writer(self._database_url, self._clock),
            directory=self._directory.current,
            refresh_directory=self._directory.refresh_or_raise,
            acknowledge=subscriber.acknowledge,
            metrics=metrics,
            clock=self._clock,
            size_max=size_max,
            linger_seconds=linger_seconds,
            latest=None if suffix else LatestWriter(self._database_url, self._clock),
        )
        self._lanes.append(lane)
        self._subscribers.append(subscriber)
        return [
            (f"{name} broker", lambda: subscriber.run(self._stop)),
            (f"{name} lane", lambda: (lane.run if suffix else lane.run_overlapped)(self._stop)),
        ]

    def _make_inbox(self) -> Callable[[], None]:
        inbox = Inbox(
            Writer(self._database_url, self._clock),
            directory=self._directory.current,
            refresh_directory=self._directory.refresh_or_raise,
            metrics=self._metrics.lane("inbox"),
        )
        return lambda: inbox.run(self._inbox_due, self._stop)

    def _listen(self) -> None:
        def wake(channel: str, _payload: str) -> None:
            if channel == "anhu_device":
                self._directory.mark_stale()
            elif channel == "anhu_inbox":
                self._inbox_due.set()
            else:
                self._commands_due.set()

        listen(self._database_url, "ingest", ("anhu_device", "anhu_command", "anhu_inbox"), wake, self._stop)

    def _send_commands(self) -> None:
        publish = self._subscribers[1].publish
        while not self._stop.is_set():
            self._commands_due.wait(1.0)
            self._commands_due.clear()
            if self._stop.is_set() or not self._subscribers[1].connected:
                continue
            try:
                send_waiting(self._pool, self._clock, publish)
            except Unavailable as error:
                log.warning("commands wait for the database", error=str(error))

    def _beat(self) -> None:
        instance = f"{socket.gethostname()}:{self._settings.mqtt_client_id}"
        while not self._stop.wait(HEARTBEAT_SECONDS):
            detail = {
                "broker": all(subscriber.connected for subscriber in self._subscribers),
                "lag_seconds": round(max(lane.lag_seconds() for lane in self._lanes), 1),
            }
            try:
                with service_transaction(self._pool) as tx:
                    tx.run("ingest.beat", role="ingest", instance=instance, now=self._clock.now(), detail=detail)
            except Unavailable:
                log.warning("no sign of life could be written")


def main() -> None:
    """Run ingest until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logging.configure("ingest", level=settings.log_level, json=settings.log_json)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.api_host)
    sys.setswitchinterval(SWITCH_SECONDS)
    ingester = Ingester(settings, SystemClock())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ingester.stop())
    if not ingester.run():
        sys.exit(1)


if __name__ == "__main__":
    main()

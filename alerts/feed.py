"""From committed readings to alerts: rows of the feed enter, findings become alerts as the follower moves on.

The findings of a pass and the follower's new number are committed together, so that a kill at any moment neither loses
nor doubles one. The detectors' memory is saved now and then with the number at which it stood; after a start it is
restored, and what has been read since is shown to the detectors once more with their findings thrown away, since those
are committed already. Findings that come with time alone are committed together with a checkpoint, for the same end.

One process at a time follows: whoever holds the advisory lock of `lead`, and finds the follower where it left it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alerts import checkpoint, directory, metrics, restraint
from alerts.detector_set import Detectors, clinical
from alerts.detectors.base import Batch, Finding
from alerts.detectors.routine_day import RoutineDay
from alerts.directory import Directory
from alerts.findings import release, store
from alerts.ingest_watch import IngestWatch
from alerts.own_limits import own_limits
from alerts.takeover import TakeoverWatch
from core.clock import Clock, from_unix
from core.errors import AnhuError, BadInput
from core.logging import get
from core.metrics import BY_CODE, METRICS
from db.feed import FeedRow, MotionColumns, ReadingColumns, read_after
from db.pool import Pool
from db.tenant import Transaction, service_transaction

log = get(__name__)

FOLLOWER = "detectors"
CHECKPOINT_SECONDS = 30.0
DIRECTORY_SECONDS = 60.0
STARTING_SECONDS = 60.0
"""After a start nothing is called silent for so long: what the broker has kept may still be on its way."""
LAG_SECONDS = 30.0
"""Behind the feed by more than this, what a device last said may still be unread: its silence is not judged."""
_WARM_UP_SECONDS = 900.0
_STATUS_SECONDS = 86_400.0
"""What a status older than this said of a battery is not news."""
_VITALS = [metric.id for metric in METRICS if metric.kind == "vital"]


class LostLead(AnhuError):
    """Another process follows the feed; begin again from what is stored."""


class Follower:
    """Follows the feed with detectors; used by one thread, made anew whenever the lead or the database was lost."""

    def __init__(self, pool: Pool, clock: Clock, *, batches_max: int = 64) -> None:
        self._pool = pool
        self._clock = clock
        self._batches_max = batches_max
        self._detectors = Detectors()
        self._known = Directory({}, directory.Bindings([]), [])
        self._limits_set: set[tuple[int, int]] | None = None  # not known: a checkpoint may hold what has ended since
        self._ingest = IngestWatch(pool, clock)
        self._takeovers = TakeoverWatch(pool, clock)
        self._seq = 0
        self._pending: list[Finding] = []
        self._read_seq = 0
        self._directory_due = 0.0
        self._checkpoint_due = 0.0
        self._begun = clock.monotonic()
        self.lag_seconds = 0.0
        self.pass_seconds = 0.0

    @property
    def seq(self) -> int:
        """The last feed row whose findings are committed."""
        return self._seq

    def start(self) -> None:
        """Restore the memory and replay what it has not seen. Raises Unavailable when the database is away."""
        with service_transaction(self._pool) as tx:
            tx.run("feed.start_follower", name=FOLLOWER, now=self._clock.now())
            stored = tx.one("feed.follower", name=FOLLOWER)
            self._known = directory.load(tx, self._clock)
        self._seq = self._read_seq = stored["seq"]
        self._limits_set = None
        restored = stored["checkpoint"] is not None and self._restore(stored)
        self._register()
        if not restored:
            self._warm_up()
        self._directory_due = self._clock.monotonic() + DIRECTORY_SECONDS
        self._checkpoint_due = self._clock.monotonic()

    def step(self) -> int:
        """Read the next rows, let the detectors see them, commit what they found; how many rows.

        Raises Unavailable when the database is away, LostLead when another process has moved the follower.
        """
        self._reload_directory()
        begun = self._clock.monotonic()
        if self._read_seq == self._seq:  # else the last pass is still to be committed
            rows = self._read(self._seq)
            if not rows:
                self.lag_seconds = 0.0
                return 0
            for row, windows in rows:
                self._pending += self._consume(row, windows)
            self._read_seq = rows[-1][0].seq
            self._ingest.data_arrived(rows[-1][0].received)
            self.lag_seconds = max(0.0, self._clock.time() - rows[0][0].received.timestamp())
        count = self._read_seq - self._seq
        self._commit(with_checkpoint=False)
        self.pass_seconds = self._clock.monotonic() - begun
        return count

    def tick(self) -> int:
        """Let time pass for the detectors; how many findings. Raises as `step` does."""
        now = self._clock.time()
        found = self._weighed(self._detectors.falls.tick(now)) + self._detectors.home.tick(now)
        found += self._detectors.aftermath.tick(now)
        for detector in self._detectors.personal().values():
            found += detector.tick(now)
        listening = self._ingest.look() and self.lag_seconds < LAG_SECONDS
        if self._clock.monotonic() - self._begun >= STARTING_SECONDS:
            found += self._detectors.devices.tick(now, listening=listening)
            release(self._pool, self._clock)
            self._takeovers.look()
        self._pending += found
        if self._pending or self._clock.monotonic() >= self._checkpoint_due:
            self._commit(with_checkpoint=True)
        return len(found)

    def stop(self) -> None:
        """Save the memory, so that the next start has nothing to replay."""
        self._commit(with_checkpoint=True)

    def reload(self) -> None:
        """Devices, bindings or limits have changed: read them again before the next pass."""
        self._directory_due = 0.0

    def _read(self, seq: int) -> list[tuple[FeedRow, list[dict[str, Any]]]]:
        """The next rows, those of motion with their windows."""
        with service_transaction(self._pool) as tx:
            rows = read_after(tx, seq, batches_max=self._batches_max)
            return [(row, _windows(tx, row.columns)) for row in rows]

    def _consume(self, row: FeedRow, windows: Sequence[dict[str, Any]]) -> list[Finding]:
        """Show one row to the detectors, by itself: a replay then meets exactly the same passes."""
        columns = row.columns
        if isinstance(columns, MotionColumns):
            return [finding for window in windows for finding in self._consume_window(window)]
        resident = self._known.bindings.residents(columns.device_key, columns.time)
        metric = columns.metric.astype(np.int16)
        personal = Batch(resident, metric, columns.time, columns.value)
        device = columns.device_key.astype(np.int64)
        bathroom = self._known.in_bathroom(device)
        found = self._detectors.routine_day.consume(personal, device, bathroom)
        found += self._detectors.aftermath.consume(personal, bathroom)
        # A fridge that is opened is somebody moving, not somebody leaving.
        inner = (metric == _DOOR) & self._known.indoors(device)
        lived = (
            Batch(resident, np.where(inner, _MOTION, metric), columns.time, np.where(inner, 1.0, columns.value))
            if inner.any()
            else personal
        )
        for name, detector in self._detectors.personal().items():
            found += [] if name == RoutineDay.name else detector.consume(lived)
        found += self._detectors.home.consume(Batch(device, metric, columns.time, columns.value))
        received = row.received.timestamp()
        return found + self._detectors.devices.consume(
            columns.device_key, metric, columns.time, columns.value, received
        )  # fmt: skip

    def _consume_window(self, window: dict[str, Any]) -> list[Finding]:
        key = window["device_key"]
        samples = np.frombuffer(window["counts"], "<i2").reshape(-1, 3) * float(window["scale"])
        try:
            found = self._detectors.falls.consume_window(
                key, window["t0"], float(window["hz"]), samples, self._known.position(key)
            )
        except BadInput as error:
            log.warning("motion_window_refused", device_key=key, error=str(error))
            return []
        return self._weighed(found)

    def _weighed(self, falls: list[Finding]) -> list[Finding]:
        """Falls with what corroborates them, as far as it is known whose they are."""
        devices, times = (np.array([getattr(f, name) for f in falls]) for name in ("subject", "time"))
        residents = self._known.bindings.residents(devices, times)
        return [
            self._detectors.aftermath.weigh(int(resident), fall)
            for resident, fall in zip(residents, falls, strict=True)
        ]

    def _commit(self, *, with_checkpoint: bool) -> None:
        """Findings, the follower's number and perhaps the memory, in one transaction."""
        begun = self._clock.monotonic()
        memory = checkpoint.save(self._detectors.by_name()) if with_checkpoint else b""
        with service_transaction(self._pool) as tx:
            held = tx.one("alerts.lock_follower", name=FOLLOWER)
            if held["seq"] != self._seq:
                raise LostLead
            touched = store(tx, self._clock, self._pending)
            tx.run("feed.advance_follower", name=FOLLOWER, seq=self._read_seq, now=self._clock.now())
            if with_checkpoint:
                tx.run(
                    "feed.checkpoint_follower",
                    name=FOLLOWER,
                    seq=self._read_seq,
                    checkpoint=memory,
                    now=self._clock.now(),
                )
        for alert in touched:
            metrics.count_opened(alert)
        self._pending.clear()
        self._seq = self._read_seq
        if with_checkpoint:
            took = self._clock.monotonic() - begun
            self._checkpoint_due = self._clock.monotonic() + max(CHECKPOINT_SECONDS, 50 * took)

    def _restore(self, stored: dict[str, Any]) -> bool:
        try:
            anew = checkpoint.restore(self._detectors.by_name(), bytes(stored["checkpoint"]))
        except BadInput as error:
            log.warning("detectors_begin_anew", reason=str(error))
            return False
        if anew:
            log.warning("detectors_begin_anew", **anew)
        self._register()
        seq = stored["checkpoint_seq"]
        while seq < self._seq:
            rows = [pair for pair in self._read(seq) if pair[0].seq <= self._seq]
            for row, windows in rows:
                self._consume(row, windows)  # its findings are committed already
            if not rows:
                break
            seq = rows[-1][0].seq
        return True

    def _warm_up(self) -> None:
        """Begin with what was last measured: a condition that holds already must not wait for a change."""
        with service_transaction(self._pool) as tx:
            since = from_unix(self._clock.time() - _WARM_UP_SECONDS)
            rows = tx.all("alerts.latest_vitals", since=since, metrics=_VITALS)
        device, metric, time, value = (
            np.array([row[name] for row in rows], dtype)
            for name, dtype in (("device_key", "i8"), ("metric", "i2"), ("time", "f8"), ("value", "f8"))
        )
        resident = self._known.bindings.residents(device, time)
        self._pending += self._detectors.vitals.consume(Batch(resident, metric, time, value))

    def _reload_directory(self) -> None:
        if self._clock.monotonic() < self._directory_due:
            return
        with service_transaction(self._pool) as tx:
            restraint.learn(tx, self._clock)
            self._known = directory.load(tx, self._clock)
        self._register()
        self._directory_due = self._clock.monotonic() + DIRECTORY_SECONDS

    def _register(self) -> None:
        """Tell the detectors which devices are missed when silent, and whose limits are their own."""
        vitals = self._detectors.vitals
        self._detectors.devices.register(
            self._known.devices, self._known.sensor_times, self._clock.time() - _STATUS_SECONDS
        )  # fmt: skip
        wanted = {(row["resident_key"], row["metric"]): row for row in self._known.limits}
        if self._limits_set is None:
            vitals.forget_limits()
        for subject, metric in (self._limits_set or set()) - set(wanted):
            vitals.set_limits(subject, metric, **vitals.limits(-1, metric))  # back to the defaults
        for (subject, metric), row in wanted.items():
            try:
                vitals.set_limits(subject, metric, **own_limits(vitals.limits(-1, metric), row))
            except BadInput as error:
                log.warning("limits_refused", resident=subject, metric=metric, error=str(error))
        self._limits_set = set(wanted)
        self._detectors.place.set_fences(directory.safe_areas(self._known.fences))
        self._detectors.news2.forget_clinical()
        said: dict[int, dict[str, str]] = {}
        for row in self._known.clinical:
            said.setdefault(row["resident_key"], {})[row["kind"]] = row["value"]
        for subject, known in said.items():
            self._detectors.news2.set_clinical(subject, **clinical(known))
        baseline = self._detectors.baseline
        baseline.forget_sensitivity()
        for row in self._known.sensitivities:
            baseline.set_sensitivity(row["resident_key"], row["type"].removesuffix("_unusual"), row["factor"])


_MOTION, _DOOR = (np.int16(BY_CODE[code].id) for code in ("motion", "door"))


def _windows(tx: Transaction, columns: ReadingColumns | MotionColumns) -> list[dict[str, Any]]:
    """The motion windows that a feed row names."""
    if isinstance(columns, ReadingColumns):
        return []
    times = [from_unix(float(time)) for time in columns.t0]
    rows = tx.all("alerts.motion_windows", device_keys=[int(key) for key in columns.device_key], times=times)
    return sorted(rows, key=lambda row: (row["t0"], row["device_key"]))

"""What the alerts role tells Prometheus: counts and durations enter, figures at /metrics leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Counter, Gauge

PAGES = Counter("anhu_alerts_pages", "Attempts to deliver a page.", ("channel", "result"))
STEPS = Counter("anhu_alerts_steps", "Escalation steps run because they were due.")
EVENTS = Counter("anhu_alerts_events", "Events of the emergency lane handled.")
FINDINGS = Counter("anhu_alerts_findings", "Findings that came with time alone.")
FEED_ROWS = Counter("anhu_alerts_feed_rows", "Batches of readings shown to the detectors.")
OVERDUE = Counter("anhu_alerts_overdue", "Deadlines and steps that were missed and told to the desk.")
OPENED = Counter("anhu_alerts_opened", "Alerts opened by this process.", ("type", "severity"))
SUPPRESSED = Counter("anhu_alerts_suppressed", "Findings held back, each with a row that says why.", ("type", "cause"))
LOAD = Gauge(
    "anhu_alerts_load_per_caregiver",
    "Alerts that an account was called for within 24 hours: mean and busiest of those who were called.",
    ("institution", "statistic"),
)
LOAD_NON_ACTIONABLE = Gauge(
    "anhu_alerts_load_non_actionable_share",
    "Share of those calls whose alert was false or needed nothing.",
    ("institution",),
)
LISTENING = Gauge("anhu_alerts_listening", "0 while no ingest process shows life: silence is not judged then.")
FEED_LAG = Gauge("anhu_alerts_feed_lag_seconds", "Age of the oldest batch of the last pass.")
PASS_SECONDS = Gauge("anhu_alerts_detector_pass_seconds", "Duration of the last pass of the detectors.")
HEARTBEATS = Counter("anhu_alerts_heartbeats", "Signs of life given to the monitoring service outside.", ("result",))
NOT_WELL = Gauge("anhu_alerts_not_well", "1 for each thing that keeps the sign of life from being given.", ("cause",))
LEADING = Gauge("anhu_alerts_leading", "1 where this process runs the detectors.")
AVAILABLE = Gauge(
    "anhu_alerts_database_available", "1 where the last turn of a worker reached the database.", ("worker",)
)


def show_causes(causes: Iterable[str]) -> None:
    """Show what is not well now, and nothing else."""
    NOT_WELL.clear()
    for cause in causes:
        NOT_WELL.labels(cause).set(1)


def show_load(rows: Iterable[Mapping[str, Any]]) -> None:
    """Show the alarm load of each institution, and of no other: rows of `restraint.load_per_caregiver`."""
    LOAD.clear()
    LOAD_NON_ACTIONABLE.clear()
    for row in rows:
        for statistic in ("mean", "busiest"):
            LOAD.labels(row["institution"], statistic).set(row[statistic])
        LOAD_NON_ACTIONABLE.labels(row["institution"]).set(row["non_actionable"])


def count_opened(alert: dict[str, Any] | None) -> None:
    """Count an alert that has just been committed, if this was its opening."""
    if alert is not None and alert["version"] == 1:
        OPENED.labels(alert["type"], alert["severity"]).inc()

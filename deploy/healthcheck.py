"""A role's own figures enter, an exit code leaves: 0 where it does its work, 1 and a sentence where it does not.

    healthcheck.py [api|ingest|alerts|jobs|accounts|console]

Without a name it looks at what the container's first process was started as.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from core.clock import Clock, SystemClock
from core.errors import AnhuError, Misconfigured, Unavailable
from core.settings import Settings, load_settings

TIMEOUT_SECONDS = 4.0
HEARTBEAT_SECONDS_MAX = 60.0
ACCOUNTS_SECONDS_MAX = 180.0
ROLES = ("api", "ingest", "alerts", "jobs", "accounts", "console")

Samples = list[tuple[str, dict[str, str], float]]


def check_api(settings: Settings) -> None:
    """Ready: it answers, and its database does."""
    answer = httpx.get(f"http://127.0.0.1:{settings.api_port}/readyz", timeout=TIMEOUT_SECONDS, trust_env=False)
    if answer.status_code != httpx.codes.OK:
        raise Unavailable(f"/readyz answers {answer.status_code}: {answer.text[:200]}")


def check_console(settings: Settings) -> None:
    """It answers; whether the API does is the API's own health, and the pages say so."""
    answer = httpx.get(f"http://127.0.0.1:{settings.console_port}/healthz", timeout=TIMEOUT_SECONDS, trust_env=False)
    if answer.status_code != httpx.codes.OK:
        raise Unavailable(f"/healthz answers {answer.status_code}")


def check_ingest(samples: Samples) -> None:
    """Every lane has its session on the broker."""
    lanes = {labels["lane"]: value for name, labels, value in samples if name == "anhu_ingest_broker_connected"}
    away = [lane for lane, value in lanes.items() if value != 1]
    if away or not lanes:
        raise Unavailable(f"not connected to the broker: {', '.join(away) or 'no lane yet'}")


def check_alerts(samples: Samples) -> None:
    """Every worker reached the database at its last turn."""
    workers = {labels["worker"]: value for name, labels, value in samples if name == "anhu_alerts_database_available"}
    away = [worker for worker, value in workers.items() if value != 1]
    if away or not workers:
        raise Unavailable(f"workers without the database: {', '.join(away) or 'none has worked yet'}")


def check_jobs(samples: Samples, clock: Clock) -> None:
    """The job that signs for the role's life succeeded within the last minute."""
    last = [
        value
        for name, labels, value in samples
        if name == "anhu_jobs_last_success_timestamp_seconds" and labels["task"] == "heartbeat"
    ]
    if not last or clock.time() - last[0] > HEARTBEAT_SECONDS_MAX:
        raise Unavailable("the heartbeat job has not succeeded for a minute")


def check_accounts(samples: Samples, clock: Clock) -> None:
    """The broker's accounts were equal to the registry lately."""
    last = [value for name, _, value in samples if name == "anhu_broker_accounts_synced_timestamp_seconds"]
    if not last or clock.time() - last[0] > ACCOUNTS_SECONDS_MAX:
        raise Unavailable(f"the broker's accounts have not been compared for {ACCOUNTS_SECONDS_MAX:.0f} s")


def scrape(settings: Settings) -> Samples:
    """What the role on this machine shows at /metrics."""
    url = f"http://127.0.0.1:{settings.metrics_port}/metrics"
    answer = httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False)
    answer.raise_for_status()
    return [
        (sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    ]


def role_of(command_line: bytes) -> str:
    """The role in `... anhu run ROLE`. Raises Misconfigured."""
    words = [word.decode(errors="replace") for word in command_line.split(b"\0") if word]
    for before, word in itertools.pairwise(words):
        if before == "run" and word in ROLES:
            return word
    raise Misconfigured(f"no role in the command line {' '.join(words)[:200]}; name one of {', '.join(ROLES)}")


def examine(role: str, settings: Settings, clock: Clock) -> None:
    """Raise what is wrong with the role."""
    checks: dict[str, Callable[[], None]] = {
        "api": lambda: check_api(settings),
        "console": lambda: check_console(settings),
        "ingest": lambda: check_ingest(scrape(settings)),
        "alerts": lambda: check_alerts(scrape(settings)),
        "jobs": lambda: check_jobs(scrape(settings), clock),
        "accounts": lambda: check_accounts(scrape(settings), clock),
    }
    if role not in checks:
        raise Misconfigured(f"no role {role}; there are: {', '.join(ROLES)}")
    checks[role]()


def main(arguments: list[str]) -> int:
    """Say what is wrong, if anything."""
    try:
        role = arguments[0] if arguments else role_of(Path("/proc/1/cmdline").read_bytes())
        examine(role, load_settings(), SystemClock())
    except (AnhuError, httpx.HTTPError, OSError) as error:
        sys.stderr.write(f"unhealthy: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

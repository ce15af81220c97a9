"""The container's health check: figures as the roles export them enter; health, or what is wrong, leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, start_http_server

from core.clock import ManualClock, SystemClock
from core.errors import Misconfigured, Unavailable
from core.settings import Settings, load_settings
from deploy import healthcheck
from ingest.metrics import IngestMetrics
from tests.fixtures.brokers import free_port
from tests.fixtures.processes import Role, until


def test_ingest_is_healthy_when_every_lane_is_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    registry = CollectorRegistry()
    metrics = IngestMetrics(registry)
    lanes = [metrics.lane(name) for name in ("events", "telemetry", "gateways")]
    metrics.lane("inbox")  # what comes by HTTP: no broker, and no figure of one
    for lane in lanes:
        lane.connected.set(0)
    port = free_port()
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    try:
        settings = load_settings(metrics_port=port)
        with pytest.raises(Unavailable, match=r"events, telemetry, gateways$"):
            healthcheck.examine("ingest", settings, ManualClock())
        for lane in lanes:
            lane.connected.set(1)
        healthcheck.examine("ingest", settings, ManualClock())
        lanes[0].connected.set(0)
        with pytest.raises(Unavailable, match=r"broker: events$"):
            healthcheck.examine("ingest", settings, ManualClock())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("check", [healthcheck.check_ingest, healthcheck.check_alerts])
def test_a_role_without_figures_is_not_healthy(check: Callable[[healthcheck.Samples], None]) -> None:
    with pytest.raises(Unavailable):
        check([])


def test_alerts_needs_the_database_in_every_worker() -> None:
    name = "anhu_alerts_database_available"
    healthcheck.check_alerts([(name, {"worker": "events"}, 1.0), (name, {"worker": "pages"}, 1.0)])
    with pytest.raises(Unavailable, match=r"database: pages$"):
        healthcheck.check_alerts([(name, {"worker": "events"}, 1.0), (name, {"worker": "pages"}, 0.0)])


def test_jobs_is_healthy_while_its_heartbeat_succeeds(clock: ManualClock) -> None:
    samples = [("anhu_jobs_last_success_timestamp_seconds", {"task": "heartbeat"}, clock.time() - 59)]
    healthcheck.check_jobs(samples, clock)
    for bad in ([], [(samples[0][0], samples[0][1], clock.time() - 61)]):
        with pytest.raises(Unavailable):
            healthcheck.check_jobs(bad, clock)


def test_accounts_are_healthy_while_they_are_compared(clock: ManualClock) -> None:
    name = "anhu_broker_accounts_synced_timestamp_seconds"
    healthcheck.check_accounts([(name, {}, clock.time() - 170)], clock)
    for bad in ([], [(name, {}, clock.time() - 190)]):
        with pytest.raises(Unavailable):
            healthcheck.check_accounts(bad, clock)


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (b"/sbin/docker-init\0--\0anhu\0run\0ingest\0", "ingest"),
        (b"/opt/anhu/bin/python\0/opt/anhu/bin/anhu\0run\0api\0", "api"),
        (b"/sbin/docker-init\0--\0anhu\0run\0accounts\0", "accounts"),
    ],
)
def test_the_role_is_found_in_the_first_process(command: bytes, role: str) -> None:
    assert healthcheck.role_of(command) == role


def test_a_container_without_a_role_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="no role"):
        healthcheck.role_of(b"anhu\0migrate\0")
    monkeypatch.chdir(tmp_path)
    assert healthcheck.main(["migrate"]) == 1


def test_an_api_that_does_not_answer_is_unhealthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANHU_API_PORT", str(free_port()))
    assert healthcheck.main(["api"]) == 1
    assert "unhealthy:" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["alerts", "jobs"])
def test_a_running_role_is_healthy_by_its_own_figures(
    role: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the detectors of a process that leads: their one turn lasts as long as its reign."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    process = Role(role, {"ANHU_DATABASE_URL": database_url, "ANHU_METRICS_PORT": str(port)}, tmp_path / "log")
    process.start()

    def healthy() -> bool:
        try:
            settings = load_settings(metrics_port=port)
            samples = healthcheck.scrape(settings)
            if role == "alerts" and ("anhu_alerts_leading", {}, 1.0) not in samples:
                return False
            healthcheck.examine(role, settings, SystemClock())
        except (Unavailable, httpx.HTTPError):
            return False
        return True

    try:
        until(healthy, f"{role} in health", 30)
    finally:
        assert process.stop() == 0, process.log()


def test_console_is_healthy_while_it_answers_whether_or_not_the_api_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    port, away = free_port(), free_port()
    settings = load_settings(console_port=port)
    with pytest.raises(httpx.HTTPError):
        healthcheck.examine("console", settings, SystemClock())
    environment = {"ANHU_API_URL": f"http://127.0.0.1:{away}", "ANHU_CONSOLE_PORT": str(port)}
    role = Role("console", environment, tmp_path / "console.log")
    role.start()
    try:
        until(lambda: _is_well("console", settings), "the console answering", 60)
    finally:
        role.stop()


def _is_well(role: str, settings: Settings) -> bool:
    try:
        healthcheck.examine(role, settings, SystemClock())
    except httpx.HTTPError:
        return False
    return True

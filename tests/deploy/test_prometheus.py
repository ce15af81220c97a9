"""The committed rules, scrape configuration and dashboards enter a real Prometheus; each query runs on real roles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cli.embedded.broker import find_plugin
from core.clock import SystemClock
from core.errors import Misconfigured
from devices.accounts.rights import BrokerUser
from tests.deploy.production_broker import Peer, ProductionBroker
from tests.deploy.registry import Registry, environment
from tests.deploy.test_figures import BOARDS, ROOT, RULES, SCRAPE, expressions
from tests.fixtures.brokers import free_port
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World

RULES_FILE = ROOT / "prometheus/rules.yml"
ROLES = ("api", "accounts", "ingest", "alerts", "jobs")
CORE_PANELS = (
    "消息 / 秒 · Messages a second", "数据项 / 秒 · Items a second", "积压 · Waiting in memory",
    "提交时间 · Commit time", "延迟 · Oldest message not acknowledged", "消息服务器 · Broker connected",
    "消息服务器队列 · Kept by the broker", "检测延迟 · Detector lag", "新报警 · Opened",
    "紧急事件与升级 · Emergency events and escalation steps", "平台能否听到 · The platform hears",
    "进程 · Roles up", "内存 · Memory", "处理器 · CPU", "定时任务 · Jobs: seconds since success",
    "请求 / 秒 · Requests a second", "响应时间 · Time to answer",
)  # fmt: skip
"""What must show something wherever the roles run and a device speaks."""


def program(name: str) -> str:
    """Debian's program. Skips where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: Debian's package prometheus has it")
    return found


def promtool(*words: str) -> str:
    done = subprocess.run(
        [program("promtool"), *words], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT / "prometheus"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_rules_and_configuration() -> None:
    rules = sum(len(group["rules"]) for group in RULES["groups"])
    assert f"{rules} rules found" in promtool("check", "rules", "rules.yml")
    assert "is valid prometheus config file syntax" in promtool("check", "config", "prometheus.yml")


def test_the_main_rules_fire_when_they_should_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(Path(__file__).with_name("rules_test.yml")))


def test_every_critical_rule_has_a_timed_test() -> None:
    tested = yaml.safe_load(Path(__file__).with_name("rules_test.yml").read_text(encoding="utf-8"))
    fired = {
        re.findall(r'"(\w+)"', sample["labels"])[0]
        for one in tested["tests"]
        for check in one["promql_expr_test"]
        for sample in check["exp_samples"]
    }
    critical = {
        rule["alert"]
        for group in RULES["groups"]
        for rule in group["rules"]
        if rule["labels"]["severity"] == "critical"
    }
    assert critical <= fired


class Prometheus:
    """A server on the loopback with the project's rules."""

    def __init__(self, place: Path, targets: dict[str, int]) -> None:
        self.port = free_port()
        self._place = place
        jobs = [
            {**job, "static_configs": [{"targets": [f"127.0.0.1:{targets[job['job_name'].removeprefix('anhu-')]}"]}]}
            for job in SCRAPE["scrape_configs"]
        ]
        settings = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        committed = {**SCRAPE, "global": settings, "rule_files": [str(RULES_FILE)], "scrape_configs": jobs}
        (place / "prometheus.yml").write_text(yaml.safe_dump(committed), encoding="utf-8")
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10, trust_env=False)

    @contextmanager
    def run(self) -> Iterator[Prometheus]:
        command = [
            program("prometheus"),
            f"--config.file={self._place}/prometheus.yml",
            f"--storage.tsdb.path={self._place}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with (self._place / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield self
        finally:
            process.terminate()
            process.wait(15)
            self._client.close()

    def get(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters)
        told = answer.json()
        assert told["status"] == "success", told
        return told["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["result"]
        return found

    def has(self, expression: str) -> bool:
        try:
            return bool(self.query(expression))
        except (httpx.TransportError, ValueError):  # not there yet, or still reading its files
            return False


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path that other users may pass: the broker runs as its own."""
    directory = Path(tempfile.mkdtemp(prefix="anhu-figures-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def prometheus(database_url: str, world: World, place: Path) -> Iterator[Prometheus]:
    """Every role on a real broker and database, a device that speaks and presses, and the server that asks them."""
    program("prometheus")
    try:
        find_plugin()
    except Misconfigured as error:
        pytest.skip(str(error))
    (place / "broker").mkdir(mode=0o755)
    broker, ports = ProductionBroker(place / "broker"), {role: free_port() for role in ROLES}
    with ExitStack() as running:
        broker.start([])
        running.callback(broker.stop)
        for role in ROLES:
            settings = environment(broker, database_url, ports[role])
            if role == "api":
                settings |= {"ANHU_API_PORT": str(ports[role]), "ANHU_TOKEN_KEY": "the token key of the tests, 32 long"}
            process = Role(role, settings, place / f"{role}.log")
            process.start()
            running.callback(process.kill)  # how they end is tested elsewhere
        server = running.enter_context(Prometheus(place, ports).run())
        devices = Registry(database_url, world)
        running.callback(devices.pool.close)
        speaker = devices.register("speaker-1")
        until(lambda: server.has(f"count(up == 1) == {len(ROLES)}"), "every role answers", 60)
        until(lambda: server.has("min(anhu_ingest_broker_connected) == 1"), "ingest at its broker", 60)
        until(lambda: server.has("anhu_broker_accounts_synced_timestamp_seconds > 0"), "accounts", 60)
        until(lambda: server.has("sum(anhu_alerts_leading) == 1"), "detectors", 60)
        speak(broker, speaker, ports["api"])
        yield server


def speak(broker: ProductionBroker, speaker: BrokerUser, api_port: int) -> None:
    """A press, and heart rates and questions for some scrapes."""
    clock, peer = SystemClock(), Peer(broker, speaker)
    topic = f"anhu/v1/{speaker.site}/{speaker.device}"
    press = {"id": "press-1", "t": clock.time(), "type": "sos", "data": {}}
    peer.publish(f"{topic}/event", json.dumps(press).encode())
    for number in range(12):
        reading = {"t": clock.time(), "m": {"heart_rate": 70 + number}}
        peer.publish(f"{topic}/telemetry", json.dumps(reading).encode())
        httpx.get(f"http://127.0.0.1:{api_port}/api/v1/alerts", timeout=10, trust_env=False)
        clock.sleep(0.25)
    peer.close()


@pytest.mark.mosquitto
def test_every_panel_and_rule_runs_on_a_real_prometheus(prometheus: Prometheus) -> None:
    until(lambda: prometheus.has("sum(rate(anhu_ingest_messages_total[1m])) > 0"), "messages counted", 20)
    until(lambda: prometheus.has("sum(rate(anhu_alerts_events_total[5m])) > 0"), "an event counted", 20)
    until(lambda: prometheus.has("anhu_broker_clients_connected > 0"), "the broker's own figures", 20)
    for title, expression in expressions():
        assert isinstance(prometheus.query(expression), list), title
    shown = {
        panel["title"]: [target["expr"] for target in panel["targets"] if "expr" in target]
        for board in BOARDS.values()
        for panel in board["panels"]
    }
    for title in CORE_PANELS:
        for expression in shown[title]:
            assert prometheus.query(expression), f"{title}: nothing for {expression}"
    (rate,) = prometheus.query("sum(rate(anhu_ingest_stored_total[1m]))")
    assert float(rate["value"][1]) > 0
    rules = [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert len(rules) == sum(len(group["rules"]) for group in RULES["groups"])
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == [], "all is well here"
    with pytest.raises(AssertionError, match="parse error"):
        prometheus.query("rate(anhu_ingest_messages_total)[5m")

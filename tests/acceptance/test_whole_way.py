"""The whole way as a stranger walks it: `anhu up --demo`, a press and a fall, people who come, and roles that die.

Everything through the doors that users have: the command, MQTT with a device's account, HTTP with a person's account.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cli.demo import LIVING
from core.clock import SystemClock
from tests.fixtures.brokers import free_port
from tests.fixtures.database import private_directory
from tests.fixtures.processes import until

CLOCK = SystemClock()


class Installation:
    """One `anhu up --demo` on a directory of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._ports = {"ANHU_API_PORT": str(free_port()), "ANHU_MQTT_PORT": str(free_port())}
        self._process: subprocess.Popen[bytes] | None = None
        self.demo: dict[str, Any] = {}

    def start(self) -> None:
        output = (self.data_dir.parent / "up.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli", "up", "--demo", "--data-dir", str(self.data_dir)],
            env=os.environ | self._ports,
            stdout=output,
            stderr=output,
        )
        output.close()
        path = self.data_dir / "demo.json"
        until(lambda: path.exists() or self._process.poll() is not None, "demo.json", seconds=60)
        assert path.exists(), self.output()
        self.demo = json.loads(path.read_text(encoding="utf-8"))

    def stop(self) -> tuple[int, float]:
        """SIGTERM; exit code and seconds."""
        assert self._process is not None
        began = CLOCK.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20), CLOCK.monotonic() - began

    def output(self) -> str:
        return (self.data_dir.parent / "up.log").read_text(errors="replace")

    def pid_of(self, role: str) -> int:
        """Its process; 0 while it is being started again."""
        path = self.data_dir / "run" / f"{role}.pid"
        words = path.read_text().split() if path.exists() else []
        return int(words[0]) if words else 0

    def kill_9(self, role: str) -> None:
        os.kill(self.pid_of(role), signal.SIGKILL)

    def sign_in(self, user: str) -> httpx.Client:
        account = self.demo["users"][user]
        client = httpx.Client(base_url=f"{self.demo['api']}/api/v1", timeout=10)
        answer = client.post("/auth/token", data={"username": account["username"], "password": account["password"]})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    def device(self, index: int, kind: str = "wristband") -> dict[str, str]:
        """The index-th device of a kind, from the end: the last two residents are nobody's in the demo's life."""
        found = [device for device in self.demo["devices"] if device["kind"] == kind]
        return sorted(found, key=lambda device: device["id"])[LIVING + index]

    def publish(self, device: dict[str, str], channel: str, *payloads: bytes | dict[str, Any], qos: int = 1) -> None:
        """Publish as a stock client does, and wait for every acknowledgement."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"stock-{device['id']}-{channel}")
        client.username_pw_set(device["username"], device["password"])
        client.max_queued_messages_set(0)
        client.connect(self.demo["mqtt"]["host"], self.demo["mqtt"]["port"])
        client.loop_start()
        topic = f"anhu/v1/{self.demo['site']}/{device['id']}/{channel}"
        raw = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in payloads]
        for info in [client.publish(topic, one, qos) for one in raw]:
            info.wait_for_publish(20)
            assert info.is_published()
        client.disconnect()
        client.loop_stop()


@pytest.fixture(scope="module")
def home() -> Iterator[Installation]:
    with private_directory() as directory:
        installation = Installation(directory / "data")
        installation.start()
        yield installation
        code, _ = installation.stop()
        assert code == 0, installation.output()


def open_alerts(client: httpx.Client, **query: str) -> list[dict[str, Any]]:
    answer = client.get("/alerts", params={"state": "open", "limit": "100"} | query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def test_demo_json_is_private_and_complete(home: Installation) -> None:
    path = home.data_dir / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(home.demo) == {"api", "mqtt", "site", "users", "devices"}
    assert set(home.demo["users"]) == {"admin", "caregiver", "family", "regulator"}
    for device in home.demo["devices"]:
        assert set(device) == {"id", "kind", "resident_id", "username", "password"}


def test_a_press_is_an_alert_within_a_second_and_a_page_within_two(home: Installation) -> None:
    staff, band = home.sign_in("caregiver"), home.device(0)
    press = {"id": "press-1", "t": CLOCK.time(), "type": "sos", "data": {}}
    home.publish(band, "event", press)
    # Generous against a loaded machine; `anhu bench alerts` measures the figures.
    [alert] = until(lambda: open_alerts(staff, resident=band["resident_id"]), "the alert", seconds=5)
    assert (alert["type"], alert["severity"], alert["state"]) == ("sos", "critical", "open")

    def delivered() -> list[str]:
        timeline = staff.get(f"/alerts/{alert['id']}").json()["timeline"]
        return [entry["kind"] for entry in timeline if entry["kind"] == "delivered"]

    until(delivered, "the first page handed over", seconds=5)
    before = staff.get(f"/alerts/{alert['id']}").json()
    home.publish(band, "event", press, press)
    CLOCK.sleep(1.0)
    after = staff.get(f"/alerts/{alert['id']}").json()
    assert after["occurrences"] == before["occurrences"] == 1
    assert len(open_alerts(staff, resident=band["resident_id"])) == 1


def test_acknowledge_arrive_resolve_and_nothing_backwards(home: Installation) -> None:
    staff, band = home.sign_in("caregiver"), home.device(0)
    home.publish(band, "event", {"id": "press-2", "t": CLOCK.time(), "type": "gas", "data": {}})

    def gas() -> dict[str, Any] | None:
        found = [a for a in open_alerts(staff, resident=band["resident_id"]) if a["type"] == "gas"]
        return found[0] if found else None

    url = f"/alerts/{until(gas, 'the gas alert')['id']}"
    assert staff.post(f"{url}/acknowledge", json={"note": "去看"}).json()["state"] == "acknowledged"
    assert staff.post(f"{url}/arrive", json={}).json()["state"] == "on_site"
    refused = staff.post(f"{url}/resolve", json={})
    assert refused.status_code in (400, 422)
    assert refused.headers["content-type"] == "application/problem+json"
    assert staff.post(f"{url}/resolve", json={"outcome": "assisted"}).json()["state"] == "resolved"
    late = staff.post(f"{url}/acknowledge", json={})
    assert late.status_code == 409
    told = staff.get(url).json()
    assert told["state"] == "resolved"
    assert told["outcome"] == "assisted"
    assert next(e["kind"] for e in told["timeline"]) == "opened"


def test_the_storys_fall_is_found_paged_and_answered(home: Installation) -> None:
    staff = home.sign_in("admin")
    story = home.demo["devices"][-1]["resident_id"]

    def fall(state: str) -> dict[str, Any] | None:
        items = staff.get("/alerts", params={"resident": story}).json()["items"]
        found = [a for a in items if a["type"] == "fall" and a["state"] == state]
        return found[0] if found else None

    alert = until(lambda: fall("open") or fall("acknowledged"), "the detector finding the fall", seconds=75)
    assert staff.get(f"/alerts/{alert['id']}").json()["evidence"]
    until(lambda: fall("acknowledged") or fall("on_site"), "the caregiver answering", seconds=45)
    assert re.search(r"报警 alert +跌倒 Fall", home.output())
    assert "传呼 page" in home.output()


def test_bad_input_goes_on_record_and_the_platform_goes_on(home: Installation) -> None:
    staff, band = home.sign_in("admin"), home.device(1)
    now = CLOCK.time()
    home.publish(
        band, "telemetry", b"\x00\xff", {"t": now, "m": {"mood": 1, "heart_rate": 77}}, {"t": now, "m": {"spo2": 300}}
    )

    def reasons() -> set[str]:
        items = staff.get("/rejections", params={"limit": "100"}).json()["items"]
        return {item["reason"] for item in items}

    until(lambda: {"not_json", "unknown_metric", "out_of_range"} <= reasons(), "one rejection of each kind")
    latest = staff.get(f"/residents/{band['resident_id']}/latest").json()
    assert "77" in json.dumps(latest)


def test_kill_9_of_ingest_and_alerts_in_the_middle_loses_and_doubles_nothing(home: Installation) -> None:
    staff, band = home.sign_in("admin"), home.device(1)
    now = CLOCK.time()
    first = [{"t": now - 600 + k / 10, "seq": k, "m": {"steps": k}} for k in range(1000)]
    home.publish(band, "telemetry", *first[:500])
    old = {role: home.pid_of(role) for role in ("ingest", "alerts")}
    home.kill_9("ingest")
    home.publish(band, "telemetry", *first[500:])
    home.kill_9("alerts")
    home.publish(band, "event", {"id": "amid", "t": CLOCK.time(), "type": "sos", "data": {}})
    for role, pid in old.items():
        until(lambda role=role, pid=pid: home.pid_of(role) not in (0, pid), f"{role} started again")
    until(lambda: open_alerts(staff, resident=band["resident_id"]), "the press that came amid the kills", seconds=40)
    query = {"metric": "steps", "from": iso(now - 700), "to": iso(now), "bucket": "1h"}

    def counted() -> int:
        points = staff.get(f"/residents/{band['resident_id']}/readings", params=query).json()["points"]
        return sum(point["count"] for point in points)

    until(lambda: counted() >= 1000, "every reading", seconds=40)
    assert counted() == 1000
    [alert] = open_alerts(staff, resident=band["resident_id"])
    assert alert["occurrences"] == 1


def iso(unix: float) -> str:
    from core.clock import from_unix

    return from_unix(unix).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_family_sees_the_consenting_resident_only(home: Installation) -> None:
    family, admin = home.sign_in("family"), home.sign_in("admin")
    story = home.demo["devices"][-1]["resident_id"]
    assert [r["id"] for r in family.get("/residents").json()["items"]] == [story]
    others = [r["id"] for r in admin.get("/residents", params={"limit": "100"}).json()["items"] if r["id"] != story]
    assert len(others) == 9
    for path in ("", "/latest", "/timeline"):
        assert family.get(f"/residents/{others[0]}{path}").status_code == 404
        assert family.get(f"/residents/{story}{path}").status_code == 200
    assert family.get("/rejections").status_code == 403


def test_nothing_but_what_is_meant_for_everybody_answers_without_a_token(home: Installation) -> None:
    paths = httpx.get(f"{home.demo['api']}/openapi.json").json()["paths"]
    free = {"/healthz", "/readyz", "/metrics", "/api/v1/fhir/R4/metadata", "/api/v1/open-data/indicators"}
    assert free <= paths.keys()
    for path, methods in paths.items():
        if path in free or path.startswith("/api/v1/auth/"):
            continue
        for method in methods:
            url = home.demo["api"] + re.sub(r"\{[^}]+\}", "00000000-0000-7000-8000-000000000000", path)
            status = httpx.request(method.upper(), url).status_code
            assert status == 401, f"{method} {path} answered {status}"


def test_a_second_instance_is_told_so(home: Installation) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "up", "--demo", "--data-dir", str(home.data_dir)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert str(home.data_dir) in done.stderr.replace("\n", "")


def test_the_doctor_looks_behind_the_ports_of_a_data_directory(home: Installation) -> None:
    ports = {
        "ANHU_API_PORT": home.demo["api"].rpartition(":")[2],
        "ANHU_MQTT_PORT": str(home.demo["mqtt"]["port"]),
    }

    def doctor() -> tuple[int, dict[str, dict[str, str]]]:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "doctor", "--json", "--data-dir", str(home.data_dir)],
            env=os.environ | ports,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, {one["what"]: one for one in json.loads(done.stdout)["findings"]}

    until(lambda: doctor()[0] == 0, "a healthy report", seconds=60)
    _, found = doctor()
    assert "signs in and subscribes" in found["broker"]["detail"]
    assert "all as the registry has them" in found["accounts"]["detail"]
    assert "without acknowledgement" in found["lag"]["detail"]
    secrets = home.data_dir / "secrets.json"
    kept = secrets.read_text()
    try:
        secrets.write_text(json.dumps(json.loads(kept) | {"broker_password": "another"}))
        code, found = doctor()
    finally:
        secrets.write_text(kept)
    assert (code, "anhu-ingest" in found["broker"]["detail"]) == (1, True), found["broker"]
    assert "anhu up" in found["broker"]["advice"]


def test_a_stop_takes_less_than_ten_seconds_and_a_restart_keeps_everything(home: Installation) -> None:
    staff = home.sign_in("admin")
    before = {a["id"] for a in staff.get("/alerts", params={"limit": "100"}).json()["items"]}
    accounts = home.demo["users"]
    code, seconds = home.stop()
    assert (code, seconds < 10) == (0, True), home.output()
    home.start()
    assert home.demo["users"] == accounts
    after = {a["id"] for a in home.sign_in("admin").get("/alerts", params={"limit": "100"}).json()["items"]}
    assert before <= after
    assert before

"""What makes the demo live: demo.json enters; residents live, a pager rings, a caregiver answers the story's fall.

Everything goes the public way: devices over MQTT, pages to a webhook whose signature is checked, the caregiver over
the HTTP API. The story is written to DIR/logs/story.log, from where `anhu up` shows it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from cli.demo import LIVING, SEED, SITE
from cli.runtime import Secrets
from core import logging
from core.clock import Clock, SystemClock
from simulators.fleet import Broker
from simulators.sessions import Credentials, live

log = logging.get(__name__)

STORY_AFTER_SECONDS = 20.0
ANSWER_SECONDS = 20.0
WALK_SECONDS = 20.0
HELP_SECONDS = 30.0
SIGNATURE_AGE_SECONDS = 300
LONG_AGO_SECONDS = 900
BODY_BYTES_MAX = 64 * 1024


class Story:
    """Lines for the person who watches."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    def tell(self, line: str) -> None:
        """Add one line under the local time."""
        now = self._clock.now().astimezone(ZoneInfo("Asia/Shanghai"))
        with self._lock, self._path.open("a", encoding="utf-8") as out:
            out.write(f"{now:%H:%M:%S}  {line}\n")


def make_pager(port: int, secret: str, story: Story, clock: Clock) -> ThreadingHTTPServer:
    """A receiver of pages as a hospital pager or a phone gateway would be; shows each page once."""
    shown: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(size, BODY_BYTES_MAX))
            if not _is_signed(self.headers.get("X-Anhu-Signature", ""), body, secret, clock):
                self.send_error(401)
                return
            key = self.headers.get("Idempotency-Key", "")
            if key not in shown:
                shown.add(key)
                page = json.loads(body)
                story.tell(f"📟 传呼 page     {page['message']['title']}  → {page['recipient']}")
                if link := page["message"].get("link"):
                    story.tell(f"   打开即可响应 open to answer  {link}")
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- as http.server declares it
            del format, args

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def _is_signed(header: str, body: bytes, secret: str, clock: Clock) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment = parts.get("t", "")
    if not moment.isdigit() or abs(clock.time() - int(moment)) > SIGNATURE_AGE_SECONDS:
        return False
    expected = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts.get("v1", ""))


class Caregiver:
    """Watches the alert stream as staff do, tells what happens, and answers the story's fall unless others do."""

    def __init__(self, content: dict[str, Any], story: Story, stop: threading.Event, clock: Clock) -> None:
        self._clock = clock
        self._account = content["users"]["caregiver"]
        self._client = httpx.Client(base_url=f"{content['api']}/api/v1", timeout=httpx.Timeout(10.0, read=45.0))
        self._resident = content["devices"][-1]["resident_id"]
        self._story = story
        self._stop = stop
        self._answering: set[str] = set()
        self._last_id = ""

    def run(self) -> None:
        """Follow the stream until told to stop; signs in again when it must."""
        while not self._stop.is_set():
            try:
                self._sign_in()
                for event in self._stream():
                    self._tell(event)
                    if self._stop.is_set():
                        return
            except (httpx.HTTPError, ValueError, KeyError) as error:
                log.warning("the caregiver's stream ended", error=str(error))
            self._stop.wait(1.0)

    def _sign_in(self) -> None:
        answer = self._client.post(
            "/auth/token", data={"username": self._account["username"], "password": self._account["password"]}
        )
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _stream(self) -> Iterator[dict[str, Any]]:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        with self._client.stream("GET", "/alerts/stream", headers=headers) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith("id:"):
                    self._last_id = line[3:].strip()
                elif line.startswith("data:"):
                    yield json.loads(line[5:])

    def _tell(self, event: dict[str, Any]) -> None:
        alert_id = str(event["alert_id"])
        kind = event["kind"]
        if kind not in TOLD or self._is_long_ago(event):
            return
        alert = self._client.get(f"/alerts/{alert_id}").raise_for_status().json()
        self._story.tell(f"{TOLD[kind]} {_about(alert)}  {event.get('actor') or ''}".rstrip())
        is_story = (alert.get("resident") or {}).get("id") == self._resident and alert["type"] == "fall"
        if kind == "opened" and is_story and alert_id not in self._answering:
            self._answering.add(alert_id)
            threading.Thread(target=self._answer, args=(alert_id,), daemon=True).start()

    def _is_long_ago(self, event: dict[str, Any]) -> bool:
        """Whether it belongs to the month that is told beside, which does not happen now."""
        return (self._clock.now() - datetime.fromisoformat(event["at"])).total_seconds() > LONG_AGO_SECONDS

    def _answer(self, alert_id: str) -> None:
        """Answer, walk there, help: as a person would, and only while nobody else has done it."""
        for pause, state, action, body in (
            (ANSWER_SECONDS, "open", "acknowledge", {"note": "马上过去"}),
            (WALK_SECONDS, "acknowledged", "arrive", {"note": "已到房间，意识清楚"}),
            (HELP_SECONDS, "on_site", "resolve", {"outcome": "assisted", "note": "扶起，无外伤，继续观察"}),
        ):
            if self._stop.wait(pause):
                return
            try:
                alert = self._client.get(f"/alerts/{alert_id}").raise_for_status().json()
                if alert["state"] != state:
                    return
                self._client.post(f"/alerts/{alert_id}/{action}", json=body).raise_for_status()
            except httpx.HTTPError as error:
                log.warning("the caregiver could not act", action=action, error=str(error))
                return


TOLD = {
    "opened": "🔴 报警 alert   ",
    "occurred": "🔁 再次 again   ",
    "acknowledged": "🟡 响应 answered",
    "arrived": "🟢 到场 on site ",
    "resolved": "✅ 解除 resolved",
    "escalated": "⏫ 升级 escalated",
}


def _about(alert: dict[str, Any]) -> str:
    resident = (alert.get("resident") or {}).get("name") or "（无住户）"
    return f"{alert['type_name']['zh']} {alert['type_name']['en']} · {resident} · {alert.get('place') or '-'}"


def main(credentials: Path, pager_port: int) -> None:
    """Live until SIGTERM."""
    clock, stop = SystemClock(), threading.Event()
    logging.configure("demo", json=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    data_dir = credentials.parent
    content = json.loads(credentials.read_text(encoding="utf-8"))
    story = Story(data_dir / "logs" / "story.log", clock)
    pager = make_pager(pager_port, Secrets.load(data_dir).broker_password, story, clock)
    threading.Thread(target=pager.serve_forever, name="pager", daemon=True).start()
    threading.Thread(target=Caregiver(content, story, stop, clock).run, name="caregiver", daemon=True).start()
    held = Credentials.read(credentials)
    residents = min(held.residents(), LIVING)
    story.tell(
        f"🏠 {residents} 位老人的一天开始了  {residents} residents live; a fall happens in {STORY_AFTER_SECONDS:.0f} s"
    )
    live(
        broker=Broker(content["mqtt"]["host"], content["mqtt"]["port"]),
        clock=clock,
        stop=stop,
        site=SITE,
        seed=SEED,
        residents=residents,
        accounts=held.accounts,
        story="fall",
        story_after_seconds=STORY_AFTER_SECONDS,
    )
    pager.shutdown()

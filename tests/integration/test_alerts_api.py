"""Alerts over HTTP: who sees what, what people do, the figures, the live stream on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn

from alerts.events import EventHandler
from alerts.service import Actor, act
from core.clock import ManualClock, SystemClock
from db.pool import Pool
from db.tenant import service_transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database
from tests.integration.conftest import Api

V1 = "/api/v1"


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def press(base: Database, pool: Pool, clock: ManualClock, world: World) -> Callable[..., str]:
    """A function that lets a device tell of something; the id of the alert that this opens."""
    handler = EventHandler(pool, clock)
    count = iter(range(1000))

    def do(kind: str = "sos", device: int = 0, home: Any = None, **given: Any) -> str:
        clock.advance(0.01)
        base.event(home or world.a, kind, f"e{next(count)}", device=device, **given)
        handler.handle_all()
        return str(base.rows("SELECT id FROM alerts ORDER BY opened_at DESC, id DESC LIMIT 1")[0]["id"])

    return do


def test_an_alert_from_press_to_outcome(api: Api, press: Callable[..., str]) -> None:
    alert = press()
    nurse = api.as_user("caregiver")
    (item,) = nurse.get(f"{V1}/alerts", params={"state": "open", "severity": "critical"}).json()["items"]
    assert item["id"] == alert
    assert item["type_name"] == {"zh": "紧急呼叫", "en": "SOS pressed"}
    one = nurse.get(f"{V1}/alerts/{alert}").json()
    assert one["resident"]["name"] == "张老a1"
    assert one["next_escalation"]["whom"] == "contact:1"
    assert [entry["kind"] for entry in one["timeline"]] == ["opened", "paged", "seen"]
    taken = nurse.post(f"{V1}/alerts/{alert}/acknowledge", json={"note": "马上过去"}).json()
    assert (taken["state"], taken["changed"], taken["next_escalation"]) == ("acknowledged", True, None)
    assert taken["acknowledged_by"]["name"] == "caregiver a"
    assert (taken["responding"]["name"], taken["responding"]["on_site"]) == ("caregiver a", False)
    assert one["responding"] is None
    again = nurse.post(f"{V1}/alerts/{alert}/acknowledge")
    assert (again.status_code, again.json()["changed"], again.json()["reason"]) == (200, False, "already_acknowledged")
    assert nurse.post(f"{V1}/alerts/{alert}/arrive").json()["state"] == "on_site"
    assert nurse.post(f"{V1}/alerts/{alert}/resolve", json={}).status_code == 422
    assert nurse.post(f"{V1}/alerts/{alert}/resolve", json={"outcome": "flown away"}).status_code == 422
    done = nurse.post(f"{V1}/alerts/{alert}/resolve", json={"outcome": "assisted"}).json()
    assert (done["state"], done["outcome_name"]["zh"]) == ("resolved", "已现场协助")
    late = nurse.post(f"{V1}/alerts/{alert}/acknowledge")
    assert (late.status_code, late.json()["type"]) == (409, "urn:anhu:problem:bad-transition")
    assert nurse.post(f"{V1}/alerts/{alert}/comment", json={"note": "已回访"}).status_code == 200
    assert nurse.post(f"{V1}/alerts/{alert}/comment", json={"note": " "}).status_code == 422
    assert nurse.post(f"{V1}/alerts/{alert}/comment", json={"note": "x", "version": 1}).status_code == 409


def test_a_queue_needs_no_second_look_at_each_alert(api: Api, press: Callable[..., str]) -> None:
    alert = press()
    nurse = api.as_user("caregiver")
    one = nurse.get(f"{V1}/alerts").json()["items"][0]
    assert one["responding"] is None
    assert one["next_escalation"]["whom"] in ("on_duty", "contact:1", "desk", "everyone")
    nurse.post(f"{V1}/alerts/{alert}/acknowledge").raise_for_status()
    one = nurse.get(f"{V1}/alerts").json()["items"][0]
    assert (one["responding"]["name"], one["responding"]["on_site"]) == ("caregiver a", False)
    assert one["next_escalation"] is None


def test_lists_page_without_gap_or_repeat(api: Api, press: Callable[..., str]) -> None:
    wanted = [press(kind, device) for device in (0, 1, 2) for kind in ("sos", "fall", "smoke")]
    nurse = api.as_user("caregiver")
    seen, cursor = [], None
    while True:
        answer = nurse.get(f"{V1}/alerts", params={"limit": 4, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert seen == wanted[::-1]


def test_another_institution_answers_404(api: Api, world: World, press: Callable[..., str]) -> None:
    theirs = press(home=world.b)
    nurse = api.as_user("caregiver")
    assert nurse.get(f"{V1}/alerts").json()["items"] == []
    assert nurse.get(f"{V1}/alerts/{theirs}").status_code == 404
    for action in ("acknowledge", "arrive", "resolve", "escalate", "comment"):
        body = {"note": "x", **({"outcome": "other"} if action == "resolve" else {})}
        assert nurse.post(f"{V1}/alerts/{theirs}/{action}", json=body).status_code == 404


def test_family_reads_and_comments_what_was_consented(
    api: Api, base: Database, world: World, press: Callable[..., str]
) -> None:
    mine, other = press(device=0), press(device=1)
    daughter = api.as_user("family")
    assert [item["id"] for item in daughter.get(f"{V1}/alerts").json()["items"]] == [mine]
    assert daughter.get(f"{V1}/alerts/{other}").status_code == 404
    assert daughter.post(f"{V1}/alerts/{mine}/comment", json={"note": "我在路上"}).status_code == 200
    assert daughter.post(f"{V1}/alerts/{other}/acknowledge").status_code == 404
    assert daughter.post(f"{V1}/alerts/{mine}/resolve", json={"outcome": "other"}).status_code == 403
    assert daughter.post(f"{V1}/alerts/{mine}/acknowledge").json()["state"] == "acknowledged"
    paged = base.rows("SELECT data FROM alert_entries WHERE kind = 'paged' ORDER BY seq")
    assert [row["data"]["whom"] for row in paged[-2:]] == ["on_duty", "desk"], "the house hears that family answered"
    one = daughter.get(f"{V1}/alerts/{mine}").json()
    assert one["resident"]["access_notes"] is None
    assert all(entry["data"] == {} for entry in one["timeline"])
    assert one["evidence"]
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'health'")
    assert daughter.get(f"{V1}/alerts/{mine}").json()["evidence"] == {}
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'alerts'")
    assert daughter.get(f"{V1}/alerts/{mine}").status_code == 404
    assert daughter.get(f"{V1}/alerts").json()["items"] == []


def test_figures_count_everyone_and_keep_tests_apart(
    api: Api, world: World, pool: Pool, clock: ManualClock, press: Callable[..., str]
) -> None:
    """Answered after 30 s, after 100 s, never; a drill; a test press; a false alarm without a visit."""
    nurse = Actor(world.a.users["caregiver"].id, "caregiver a", "caregiver")

    def do(alert: str, after: float, action: str, outcome: str | None = None) -> None:
        clock.advance(after)
        with service_transaction(pool) as tx:
            act(tx, clock, alert_id=UUID(alert), action=action, actor=nurse, outcome=outcome)

    quick = press("sos", 0)
    do(quick, 30, "acknowledge")
    do(quick, 20 * 60, "arrive")
    slow = press("fall", 0)
    do(slow, 100, "acknowledge")
    do(slow, 50 * 60, "arrive")
    false = press("smoke", 0)
    do(false, 10, "resolve", "false_alarm")
    press("gas", 1)  # never answered
    press("test", 1)
    drill = press("co", 1, data={"test": True})
    do(drill, 5, "resolve", "test")
    clock.advance(2 * 3600)
    figures = api.as_user("regulator").get(f"{V1}/alerts/kpi").json()
    assert (figures["alerts"], figures["tests"], figures["unanswered"]) == (5, 1, 1)
    assert figures["all_severities"]["tests"] == 2
    got = {one["code"]: (one["numerator"], one["denominator"], one["met"]) for one in figures["indicators"]}
    assert got == {
        "answered_60s": (2, 4, False),
        "answered_180s": (3, 4, False),
        "on_site_15min": (0, 3, None),
        "on_site_30min": (1, 3, None),
        "on_site_45min": (1, 3, False),
        "on_site_60min": (2, 3, False),
        "false_alarm_share": (1, 1, None),
    }
    day = clock.now() - timedelta(days=1)
    empty = api.as_user("admin").get(
        f"{V1}/alerts/kpi", params={"from": (day - timedelta(days=1)).isoformat(), "to": day.isoformat()}
    )
    assert empty.json()["indicators"][0]["value"] is None
    assert api.as_user("caregiver").get(
        f"{V1}/alerts/kpi", params={"from": clock.now().isoformat(), "to": day.isoformat()}
    ).status_code == 422  # fmt: skip


def test_pain_34_a_plan_that_cannot_reach_anybody_is_refused(api: Api, world: World, press: Callable[..., str]) -> None:
    admin = api.as_user("admin")
    (plan,) = admin.get(f"{V1}/escalation-plans").json()["items"]
    assert (plan["version"], plan["alert_type"], len(plan["steps"])) == (0, None, 6)

    def put(*steps: tuple[int, str], **given: Any) -> int:
        body = {"steps": [{"after_seconds": after, "whom": whom} for after, whom in steps], **given}
        return admin.put(f"{V1}/escalation-plans", json=body).status_code

    theirs = world.b.users["caregiver"].id
    for bad in (
        (), ((0, "nobody"),), ((0, "on_duty"),), ((60, "desk"),), ((0, "contact:0"), (60, "desk")),
        ((0, "on_duty"), (3000, "desk")), ((0, "desk"), (60, "contact:1")), ((0, "desk"), (0, "desk")),
        ((0, f"user:{theirs}"), (60, "desk")), ((0, "user:" + "-" * 36), (60, "desk")), ((-1, "desk"),),
    ):  # fmt: skip
        assert put(*bad) == 422, bad
    assert put((0, "desk"), alert_type="nonsense") == 422
    before = press("sos", 0)
    assert put((90, "everyone"), (0, "desk"), alert_type="sos") == 200
    assert put((0, "desk"), (90, "everyone"), alert_type="sos") == 200
    assert [plan["version"] for plan in admin.get(f"{V1}/escalation-plans").json()["items"]] == [0, 2]
    assert put((0, "everyone"), alert_type="sos", version=1) == 412, "somebody else was quicker"
    assert put((0, "everyone"), alert_type="fall", version=1) == 412, "it is not there any more"
    assert put((0, "desk"), (90, "everyone"), alert_type="sos", version=2) == 200
    settings = {"pages_per_minute_max": 5, "unseen_seconds": 60}
    told = [admin.put(f"{V1}/alert-settings", json=settings | {"version": n}).status_code for n in (0, 0, 1)]
    assert told == [200, 412, 200]
    assert len(admin.get(f"{V1}/alerts/{before}").json()["plan"]) == 6, "a running case keeps its plan"
    assert [step["whom"] for step in admin.get(f"{V1}/alerts/{press('sos', 1)}").json()["plan"]] == ["desk", "everyone"]
    assert api.as_user("caregiver").put(f"{V1}/escalation-plans", json={"steps": []}).status_code == 403


def test_channels_never_show_their_targets(api: Api, world: World) -> None:
    admin, nurse = api.as_user("admin"), api.as_user("caregiver")
    mine = {
        "kind": "apprise",
        "target": "bark://very-secret-token/device",
        "user_id": str(world.a.users["caregiver"].id),
    }
    made = nurse.post(f"{V1}/notification-channels", json=mine)
    assert made.status_code == 201
    desk = admin.post(
        f"{V1}/notification-channels", json={"kind": "webhook", "target": "https://desk.example/x?k=hidden"}
    )
    assert (desk.status_code, desk.json()["owner"]) == (201, "desk")
    assert len(desk.json()["secret"]) > 30
    listed = admin.get(f"{V1}/notification-channels").json()["items"]
    assert {one["scheme"] for one in listed} == {"bark", "https"}
    for hidden in ("very-secret-token", "hidden", desk.json()["secret"]):
        assert hidden not in json.dumps(listed)
    assert len(nurse.get(f"{V1}/notification-channels").json()["items"]) == 1
    assert nurse.post(f"{V1}/notification-channels", json={**mine, "user_id": None}).status_code == 403
    theirs = {**mine, "user_id": str(world.b.users["caregiver"].id)}
    assert admin.post(f"{V1}/notification-channels", json=theirs).status_code == 404
    assert admin.post(f"{V1}/notification-channels", json={**mine, "kind": "webhook"}).status_code == 422
    assert nurse.delete(f"{V1}/notification-channels/{desk.json()['id']}").status_code == 404
    assert admin.delete(f"{V1}/notification-channels/{desk.json()['id']}").status_code == 204


@contextmanager
def served(api: Api) -> Iterator[str]:
    """The app on a real socket: a stream that does not end needs a client that can walk away."""
    server = uvicorn.Server(uvicorn.Config(api.app, port=0, log_level="error", ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    clock = SystemClock()
    end = clock.monotonic() + 10
    while not server.started and clock.monotonic() < end:
        clock.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}{V1}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


class Stream:
    """A listener: events in the order in which they came."""

    def __init__(self, url: str, token: str, last_id: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last_id} if last_id else {})}
        self._client = httpx.Client(timeout=10, trust_env=False)
        self._request = self._client.stream("GET", f"{url}/alerts/stream", headers=headers)
        self._response = self._request.__enter__()
        self.status = self._response.status_code
        self._lines = self._response.iter_lines()
        self.last_id = ""
        if self.status == 200:
            while not self.last_id:
                self._line()

    def _line(self) -> str:
        line = next(self._lines)
        if line.startswith("id: "):
            self.last_id = line[4:]
        return line

    def take(self, n: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < n:
            line = self._line()
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
        return found

    def close(self) -> None:
        self._request.__exit__(None, None, None)
        self._client.close()


def test_the_stream_tells_at_once_and_resumes_without_a_gap(api: Api, world: World, press: Callable[..., str]) -> None:
    token = api.sign_in(world.a.users["caregiver"])["access_token"]
    family = api.sign_in(world.a.users["family"])["access_token"]
    with served(api) as url:
        one = Stream(url, token)
        alert = press("sos", 0)
        press("sos", 0, home=world.b)
        told = one.take(2)
        assert [(event["kind"], event["alert_id"]) for event in told] == [("opened", alert), ("paged", alert)]
        one.close()
        resumed_at = one.last_id
        press("smoke", 1)
        press("gas", 0)
        two = Stream(url, token, resumed_at)
        missed = two.take(4)
        assert [event["seq"] for event in missed] == [told[-1]["seq"] + n for n in (1, 2, 3, 4)]
        assert [event["type"] for event in missed] == ["smoke", "smoke", "gas", "gas"]
        daughter = Stream(url, family, "0")
        seen = daughter.take(4)
        assert {event["type"] for event in seen} == {"sos", "gas"}, "only the resident who consented"
        press("fall", 1)
        press("co", 0)
        assert [event["type"] for event in daughter.take(2)] == ["co", "co"]
        assert len(two.take(4)) == 4
        for stream in (two, daughter):
            stream.close()
        refused = httpx.get(f"{url}/alerts/stream", trust_env=False)
        assert refused.status_code == 401


def test_a_listener_that_does_not_keep_up_is_dropped_and_resumes(
    api: Api, world: World, base: Database, press: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from api.alerts import stream

    monkeypatch.setattr(stream, "QUEUE_MAX", 4)
    hub = stream.Hub(api.app.state.anhu.pool)
    caller = api.app.state.anhu.accounts.load(world.a.users["caregiver"].id)

    async def slow() -> tuple[list[str], int]:
        source = stream.events(hub, caller, None, lambda: True)
        first = await anext(source)
        for device in (0, 1, 2):
            await asyncio.to_thread(press, "sos", device)
        while not any(one.dropped for ones in hub._listeners.values() for one in ones):
            await asyncio.sleep(0.01)
        texts = [text async for text in source]
        return [first, *texts], len(hub._listeners)

    async def resume(last: int, n: int) -> list[str]:
        source = stream.events(hub, caller, last, lambda: True)
        await anext(source)
        texts = [await anext(source) for _ in range(n)]
        await source.aclose()
        return texts

    texts, listeners = asyncio.run(slow())
    assert listeners == 0
    assert len(texts) < 1 + 6
    had = int(texts[-1].splitlines()[-1 if len(texts) == 1 else 0].removeprefix("id: ")) if len(texts) > 1 else 0
    rest = asyncio.run(resume(had, 6 - had))
    assert [int(text.splitlines()[0][4:]) for text in rest] == list(range(had + 1, 7))

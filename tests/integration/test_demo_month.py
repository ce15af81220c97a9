"""The month of the demo: told by the real functions, whole, true-looking, and never twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg.rows import dict_row
from pydantic import SecretStr

from api.app import create_app
from api.services.catalogue import SERVICES
from api.services.registry import ALL, KINDS
from cli import demo
from cli.demo_month import alarms, month
from cli.demo_month.house import House, Tale
from cli.demo_month.script import FOUNDED_DAYS
from cli.runtime import Secrets
from core.clock import ManualClock
from core.settings import Settings
from db.pool import make_pool
from tests.fixtures.database import _create

CHINA = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 18, 4, 12, tzinfo=UTC)
"""A Wednesday, 12:12 in China."""
SLEEP = (22, 6)
"""Hours between which nobody is bathed, and nobody comes to clean or to sell."""


class Demo:
    """A demo on a database of its own, at a moment."""

    def __init__(self, url: str, directory: Path, now: datetime) -> None:
        self.url, self.directory, self.clock = url, directory, ManualClock(now)
        secrets = Secrets("t" * 48, "d" * 48, "b" * 48)
        demo.seed(url, directory, self.clock, secrets, pager_port=9)
        self.passwords = month.passwords_of(directory / demo.PASSWORDS)

    def fill(self, stories_max: int = 100_000) -> int:
        left = iter(range(stories_max))
        with closing(make_pool(self.url, "api", size_max=3)) as pool:
            return month.fill(pool, self.clock, demo.SCRIPT, self.passwords, lambda: next(left, None) is None)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def counts(self) -> dict[str, int]:
        """How many rows each table has that a second telling could double."""
        tables = (
            "users", "residents", "contacts", "consents", "providers", "workers", "worker_certificates", "products",
            "stock_moves", "visit_targets", "hour_accounts", "hour_entries", "service_records", "service_events",
            "notices", "alerts", "alert_entries", "outbox", "events", "readings", "rollup_5m", "rollup_1h", "rollup_1d",
            "rota_shifts", "rooms", "beds", "bed_uses", "rota_handovers", "rescue_cards", "vital_limits", "audit_log",
            "nursing_notes", "care_task_marks", "account_entries", "subsidy_rules", "subsidy_uses", "billed_orders",
        )  # fmt: skip
        return {one: self.rows(f"SELECT count(*) AS n FROM {one}")[0]["n"] for one in tables}


@pytest.fixture(scope="module")
def told(server_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    url = _create(server_url, "demo_month", template_database)
    one = Demo(url, tmp_path_factory.mktemp("month"), NOON)
    assert one.fill() > 300
    yield one
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE demo_month WITH (FORCE)")


@pytest.fixture(scope="module")
def app(told: Demo) -> Iterator[FastAPI]:
    with closing(make_pool(told.url, "api", size_max=4)) as pool:
        yield create_app(Settings(token_key=SecretStr("k" * 48), device_key=SecretStr("d" * 48)), told.clock, pool)


def service_kinds() -> set[tuple[str, str]]:
    """Kinds of the eleven services; what a house keeps beside them is its own."""
    eleven = {service.code for service in SERVICES}
    return {(kind.service, kind.code) for kinds in ALL for kind in kinds if kind.service in eleven}


def test_a_second_telling_adds_nothing(told: Demo) -> None:
    before = told.counts()
    assert told.fill() == 0
    told.clock.advance(timedelta(days=2))
    assert told.fill() == 0
    told.clock.step(-2 * 86_400)
    assert told.counts() == before
    assert all(before.values()), [name for name, count in before.items() if not count]


def test_an_interrupted_telling_is_taken_up_and_ends_the_same(
    server_url: str, template_database: str, told: Demo, tmp_path: Path
) -> None:
    url = _create(server_url, "demo_month_halves", template_database)
    try:
        one = Demo(url, tmp_path, NOON)
        first = one.fill(150)
        # The rest comes two days later, at another hour: it is told up to the same moment.
        one.clock.advance(timedelta(days=2, hours=7))
        second = one.fill()
        marks = "SELECT id FROM audit_log WHERE object_type = 'demo_story' AND institution_id = %s"
        place = one.rows("SELECT id FROM institutions WHERE code = 'demo'")[0]["id"]
        assert (first, first + second) == (150, len(one.rows(marks, place)))
        mine, whole = one.counts(), told.counts()
        assert mine == whole
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE demo_month_halves WITH (FORCE)")


def test_a_story_that_fails_leaves_nothing(told: Demo) -> None:
    before = told.counts()
    with closing(make_pool(told.url, "api", size_max=2)) as pool:
        row = told.rows("SELECT id, created_at FROM institutions WHERE code = 'demo'")[0]
        house = month.open_house(pool, ManualClock(NOON), NOON, row["id"], "demo", demo.RESIDENTS)

        def broken(tale: Tale) -> None:
            tale.on(3, "09:00")
            tale.make("nurse.li", KINDS["information", "enquiry"], title="x", question="y", topic="beds")
            raise RuntimeError("the power went out")

        with pytest.raises(RuntimeError, match="power"):
            house.tell("broken", broken)
    assert told.counts() == before


def test_every_kind_of_the_eleven_services_has_records_in_several_states(told: Demo) -> None:
    rows = told.rows("SELECT service, kind, state, count(*) AS n FROM service_records GROUP BY 1, 2, 3")
    states: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        states.setdefault((row["service"], row["kind"]), set()).add(row["state"])
    for key in service_kinds():
        known = {state.code for state in KINDS[key].machine.states}
        assert len(states.get(key, set())) >= min(3, len(known)), key
    everything = {(key, state.code) for key in service_kinds() for state in KINDS[key].machine.states}
    seen = {(key, state) for key, found in states.items() if key in service_kinds() for state in found}
    # What passes within minutes (a call that waits, a dispatch) or happens once in years stands empty at noon.
    assert len(seen) / len(everything) > 0.8, sorted(everything - seen)


def test_work_has_the_hours_of_people(told: Demo) -> None:
    """A bath at three in the morning is nonsense, and so are a visit, a cleaner and a delivery."""
    rows = told.rows(
        "SELECT service, kind, title, starts_at, ends_at, detail FROM service_records WHERE starts_at IS NOT NULL"
    )
    by_day = {"bath", "meal", "housework"}
    checked = 0
    for row in rows:
        care = row["detail"].get("care", "")
        wants_day = care in by_day or row["service"] in ("companionship", "rehabilitation") or row["kind"] == "training"
        if not wants_day:
            continue
        hour = row["starts_at"].astimezone(CHINA).hour
        assert SLEEP[1] <= hour < SLEEP[0], row
        assert row["ends_at"] - row["starts_at"] < timedelta(hours=13), row
        checked += 1
    assert checked > 60


def test_nothing_was_done_in_the_future_or_before_the_house_stood(told: Demo) -> None:
    founded = NOON - timedelta(days=FOUNDED_DAYS)
    for table, column in (
        ("service_events", "at"), ("service_records", "created_at"), ("alerts", "opened_at"), ("alert_entries", "at"),
        ("notices", "at"), ("readings", "time"), ("stock_moves", "at"), ("hour_entries", "at"), ("audit_log", "at"),
    ):  # fmt: skip
        row = told.rows(f"SELECT min({column}) AS first, max({column}) AS last FROM {table}")[0]
        assert founded <= row["first"], (table, row)
        assert row["last"] <= NOON, (table, row)


def test_steps_of_one_record_follow_each_other(told: Demo) -> None:
    rows = told.rows("SELECT record_id, at FROM service_events ORDER BY record_id, seq")
    for earlier, later in pairwise(rows):
        if earlier["record_id"] == later["record_id"]:
            assert earlier["at"] <= later["at"], later


def test_nobody_is_called_today_for_what_is_over(told: Demo) -> None:
    assert told.rows("SELECT id FROM alerts WHERE state <> 'resolved'") == []
    assert told.rows("SELECT id FROM outbox WHERE state = 'pending'") == []
    assert told.rows("SELECT * FROM events WHERE handled_at IS NULL") == []
    assert told.rows("SELECT s.id FROM escalation_steps s JOIN alerts a ON a.id = s.alert_id"
                     " WHERE s.state = 'pending' AND a.state = 'open'") == []  # fmt: skip
    # The jobs of the installation find no emergency without its incident.
    assert told.rows(
        "SELECT a.id FROM alerts a WHERE a.severity = 'critical' AND a.outcome <> 'test' AND NOT EXISTS"
        " (SELECT FROM service_records r WHERE r.service = 'rescue' AND r.detail ->> 'alert_id' = a.id::text)"
    ) == []  # fmt: skip


def test_most_calls_were_answered_within_a_minute_and_not_all(told: Demo) -> None:
    rows = told.rows(
        "SELECT extract(epoch FROM acknowledged_at - opened_at) AS s, severity, outcome FROM alerts"
        " WHERE outcome <> 'test'"
    )
    urgent = [float(row["s"]) for row in rows if row["severity"] in ("critical", "high")]
    within = sum(one <= 60 for one in urgent) / len(urgent)
    assert len(urgent) > 25
    assert 0.9 <= within < 1.0
    assert {"assisted", "hospital", "false_alarm", "no_action"} <= {row["outcome"] for row in rows}


def test_a_call_of_today_is_not_mixed_with_one_of_the_month(told: Demo) -> None:
    """While somebody's call of today stands open, a story of theirs of the same kind waits."""
    device = told.rows("SELECT key, institution_id FROM devices WHERE id = 'wb-0001'")[0]
    with closing(make_pool(told.url, "api", size_max=2)) as pool:
        house = month.open_house(pool, ManualClock(NOON), NOON, device["institution_id"], "demo", demo.RESIDENTS)

        def live(tale: Tale) -> None:
            tale.at(NOON)
            event = alarms._event(tale, "wb-0001", "sos", {})
            with tale.hand("alerts"):
                alarms.events.handle(tale.tx, tale.clock, event)
            call = next(one for one in alarms.CALLS if (one.resident, one.type) == (0, "sos"))
            with pytest.raises(alarms.NotNow):
                alarms._call(call, tale)
            raise RuntimeError("put everything back")

        with pytest.raises(RuntimeError, match="put everything back"):
            house.tell("live", live)
    assert told.rows("SELECT id FROM alerts WHERE state <> 'resolved'") == []


def test_curves_of_the_month_have_every_day_and_real_gaps(told: Demo) -> None:
    rows = told.rows(
        "SELECT r.device_key, r.bucket, r.count, r.min, r.max FROM rollup_1d r JOIN devices d ON d.key = r.device_key"
        " WHERE r.metric = 1 AND d.kind = 'wristband'"
    )
    days = Counter(row["device_key"] for row in rows)
    assert len(days) == demo.RESIDENTS
    assert all(22 <= count <= 30 for count in days.values())
    assert any(count < 30 for count in days.values()), "a forgotten band leaves a gap"
    assert all(40 <= row["min"] <= row["max"] <= 130 for row in rows)
    raw = told.rows("SELECT count(*) AS n, max(time) AS last FROM readings")[0]
    rolled = told.rows("SELECT sum(count) AS n FROM rollup_1d")[0]
    assert raw["n"] == rolled["n"] > 50_000
    assert NOON - timedelta(hours=2) < raw["last"] < NOON - timedelta(minutes=25)


def test_levels_are_those_that_the_answers_come_to(told: Demo) -> None:
    from cli.demo_month.cast import PEOPLE

    rows = told.rows(
        "SELECT r.care_level FROM residents r JOIN institutions i ON i.id = r.institution_id WHERE i.code = 'demo'"
        " ORDER BY r.key"
    )
    levels = [row["care_level"] for row in rows]
    assert [levels[-1], *levels[:-1]] == [one.level for one in PEOPLE]


def _ask(app: FastAPI, demo_: Demo, username: str, path: str) -> Any:
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        form = {"username": username, "password": demo_.passwords[username]}
        token = client.post("/api/v1/auth/token", data=form).json()["access_token"]
        answer: httpx.Response = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.filterwarnings("ignore:Using `httpx` with")
def test_the_inspector_finds_figures_and_the_district_finds_both_houses(app: FastAPI, told: Demo) -> None:
    items = {one["code"]: one for one in _ask(app, told, "inspector", "/supervision/indicators")["items"]}
    assert items["nursing_beds"]["met"] is True
    assert items["system_use"]["met"] is True
    assert items["family_doctor"]["value"] == pytest.approx(90.0)
    assert items["cameras"]["met"] is False
    assert items["visits"]["value"] == pytest.approx(100.0)
    streets = {one["street"] for one in _ask(app, told, "inspector", "/supervision/roll-up")["items"]}
    assert streets == {"", "白市驿镇"}
    streets = {one["street"] for one in _ask(app, told, "district", "/supervision/roll-up")["items"]}
    assert streets == {"", "白市驿镇", "走马镇"}


@pytest.mark.filterwarnings("ignore:Using `httpx` with")
def test_the_second_institution_is_not_seen_by_the_first(app: FastAPI, told: Demo) -> None:
    ours = _ask(app, told, "admin", "/residents?limit=100")["items"]
    theirs = _ask(app, told, "zouma.admin", "/residents?limit=100")["items"]
    assert len(ours) == demo.RESIDENTS
    assert len(theirs) == 4
    assert not {one["id"] for one in ours} & {one["id"] for one in theirs}


def test_an_older_demo_is_left_alone(told: Demo) -> None:
    """A demo of a release that had no month is not given a past that lies in its future."""
    with closing(make_pool(told.url, "api", size_max=2)) as pool:
        early = ManualClock(NOON - timedelta(days=1))
        assert month.fill(pool, early, demo.SCRIPT, told.passwords) == 0


def test_passwords_are_made_once_and_kept_private(told: Demo) -> None:
    path = told.directory / demo.PASSWORDS
    assert path.stat().st_mode & 0o777 == 0o600
    before = json.loads(path.read_text(encoding="utf-8"))
    assert month.passwords_of(path) == before == told.passwords
    assert {"admin", "nurse.liu", "canteen", "district", "zouma.admin"} <= before.keys()
    assert len(set(before.values())) == len(before)


def test_the_month_can_be_told_at_night(server_url: str, template_database: str, tmp_path: Path) -> None:
    """03:12 in China: what lies ahead has not happened, and nothing that is planned is in the past."""
    url = _create(server_url, "demo_month_night", template_database)
    try:
        now = NOON.replace(hour=19)
        one = Demo(url, tmp_path, now)
        assert one.fill() > 300
        assert one.rows("SELECT seq FROM service_events WHERE at > %s", now) == []
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE demo_month_night WITH (FORCE)")


def test_nobody_else_sees_a_story_half_told(told: Demo) -> None:
    """Another connection sees nothing of a story before it is whole."""
    seen: list[int] = []
    row = told.rows("SELECT id FROM institutions WHERE code = 'demo'")[0]
    with closing(make_pool(told.url, "api", size_max=3)) as pool:
        house: House = month.open_house(pool, ManualClock(NOON), NOON, row["id"], "demo", demo.RESIDENTS)

        def half(tale: Tale) -> None:
            tale.on(2, "09:00")
            tale.make("nurse.li", KINDS["information", "enquiry"], title="half", question="?", topic="beds")
            seen.append(len(told.rows("SELECT id FROM service_records WHERE title = 'half'")))
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            house.tell("half", half)
    assert seen == [0]


EMPTY: dict[str, str] = {
    "/residents/{resident_id}/away": "she has not been away",
    "/devices/discovered": "no gateway stands in the house",
    "/family/wards": "her mother decides for herself",
    "/rejections": "every device speaks as it should",
    "/alerts/throttles": "nobody was called too often",
    "/silences": "nothing is silenced",
    "/suppressions": "nothing was held back",
    "/audit/seals": "the jobs seal within the minute in which they run",
    "/retention/reports": "the jobs report when they run",
    "/services/rehabilitation/sessions": "not of her, nor of the canteen; staff has them",
    "/services/rehabilitation/aids": "not of her; staff has them",
    "/services/companionship/visits": "not of her, nor of the canteen; staff has them",
    "/services/home-care/adaptations": "not of her, nor of the canteen; staff has them",
    "/services/home-care/respites": "not of her, nor of the canteen; staff has them",
    "/services/home-care/beds": "not of the canteen; staff has them",
    "/services/safety/faults": "not of the canteen; staff has them",
    "/services/medical/referrals": "not of the canteen; staff has them",
    "/notices": "an inspector is told of nothing",
}
"""Lists that have nothing to show in the demo, with the reason."""


def _given(parameter: dict[str, Any], now: datetime) -> str | None:
    """A value for a parameter that a list insists on."""
    if not parameter.get("required"):
        return None
    name, schema = parameter["name"], parameter["schema"]
    begins = name.endswith("from") or name == "begins"
    if schema.get("format") == "date-time":
        return (now - timedelta(hours=20) if begins else now).isoformat()
    if schema.get("format") == "date":
        return (now.date() - timedelta(days=200) if begins else now.date()).isoformat()
    return "heart_rate" if name == "metric" else str(parameter.get("example") or schema["examples"][0])


@pytest.mark.filterwarnings("ignore:Using `httpx` with")
def test_every_list_of_every_role_has_something_to_show(app: FastAPI, told: Demo) -> None:
    """Every GET of the document that answers `items`, of the house and of the one to whom the story happens."""
    from fastapi.testclient import TestClient

    person = told.rows("SELECT resident_id FROM consents c JOIN users u ON u.id = c.user_id"
                       " WHERE u.username = 'daughter' LIMIT 1")  # fmt: skip
    people = {"admin": "admin", "caregiver": "nurse.li", "family": "daughter", "provider": "canteen",
              "regulator": "inspector"}  # fmt: skip
    empty: dict[str, set[str]] = {}
    walked = 0
    with TestClient(app) as client:
        document = client.get("/openapi.json").json()
        for role, username in people.items():
            form = {"username": username, "password": told.passwords[username]}
            token = client.post("/api/v1/auth/token", data=form).json()["access_token"]
            for path, methods in document["paths"].items():
                operation = methods.get("get", {})
                if (
                    role not in operation.get("x-roles", [])
                    or path.endswith(("stream", "export", "quote"))
                    or "/fhir/" in path
                ):
                    continue
                if set(_names(path)) - {"resident_id"}:
                    continue
                parameters = {
                    one["name"]: value
                    for one in operation.get("parameters", [])
                    if one["in"] == "query" and (value := _given(one, NOON)) is not None
                }
                url = path.replace("{resident_id}", str(person[0]["resident_id"]))
                answer = client.get(url, params=parameters, headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 200, f"{role} {url}: {answer.text}"
                if "json" not in answer.headers["content-type"] or "items" not in (found := answer.json()):
                    continue
                walked += 1
                if not found["items"]:
                    empty.setdefault(path.removeprefix("/api/v1"), set()).add(role)
    assert walked > 150
    unexpected = [f"{path}: {', '.join(sorted(roles))}" for path, roles in empty.items() if path not in EMPTY]
    assert not unexpected, "\n".join(unexpected)
    assert set(EMPTY) <= set(empty), "what has something to show by now needs no excuse"
    for path, reason in EMPTY.items():
        if "staff has them" in reason:
            assert not {"admin", "caregiver"} & empty[path], path


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]

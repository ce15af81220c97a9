"""Response figures to the last millisecond: alerts made by hand at the limits, divided, exported, printed."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from api.alerts.report import POLICY
from core.clock import ManualClock
from core.errors import Misconfigured
from core.ids import new_id
from core.settings import load_settings
from tests.fixtures.world import World, WorldInstitution
from tests.integration.alerts_kit import Database
from tests.integration.conftest import Api

URL = "/api/v1/alerts/kpi"
MIN = 60.0
NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
MARCH = {"from": "2026-03-01T00:00:00+08:00", "to": "2026-04-01T00:00:00+08:00"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW.timestamp())


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


def made(
    base: Database,
    home: WorldInstitution,
    *,
    opened: datetime = NOW - timedelta(days=2),
    kind: str = "sos",
    severity: str = "critical",
    answer: float | None = None,
    reach: float | None = None,
    end: float | None = None,
    outcome: str | None = None,
    by_person: bool = True,
    evidence: str = "{}",
) -> UUID:
    """An alert as it stands in the database; answer, reach and end in seconds after it opened."""
    alert, nurse = new_id(base.clock), home.users["caregiver"].id

    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else opened + timedelta(seconds=seconds)

    state = "resolved" if end is not None else "on_site" if reach is not None else "acknowledged" if answer else "open"
    # Nobody has two open alerts of one type: every alert here is about another device.
    (device,) = base.rows(
        "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
        " supervision_seconds, created_at, updated_at) VALUES (%s, %s, 'pendant', '', '', %s, 3600, %s, %s)"
        " RETURNING key",
        home.institution_id, f"k-{alert}", opened, opened, opened,
    )  # fmt: skip
    base.rows(
        "INSERT INTO alerts (id, institution_id, device_key, type, severity, state, source, evidence, occurred_at,"
        " opened_at, last_occurred_at, acknowledged_at, acknowledged_by, on_site_at, on_site_by, resolved_at,"
        " resolved_by, outcome) VALUES (%s, %s, %s, %s, %s, %s, 'event', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        alert, home.institution_id, device["key"], kind, severity, state, evidence, opened, opened, opened,
        at(answer), nurse if answer else None, at(reach), nurse if reach else None, at(end),
        nurse if end and by_person else None, outcome,
    )  # fmt: skip
    return alert


def shares(group: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {one["code"]: (one["numerator"], one["denominator"]) for one in group["indicators"]}


def ask(api: Api, role: str = "regulator", **span: str) -> dict[str, Any]:
    answer = api.as_user(role).get(URL, params=span or MARCH)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_limits_are_kept_to_the_millisecond(api: Api, base: Database, world: World) -> None:
    made(base, world.a, answer=60, reach=15 * MIN)
    made(base, world.a, answer=60.001, reach=15 * MIN + 0.001)
    made(base, world.a, answer=180, reach=45 * MIN)
    made(base, world.a, answer=180.001, reach=60 * MIN)
    made(base, world.a, answer=200, reach=60 * MIN + 0.001)
    made(base, world.a)
    found = ask(api)
    assert (found["alerts"], found["unanswered"]) == (6, 1)
    assert shares(found) == {
        "answered_60s": (1, 6),
        "answered_180s": (3, 6),
        "on_site_15min": (1, 6),
        "on_site_30min": (2, 6),
        "on_site_45min": (3, 6),
        "on_site_60min": (4, 6),
        "false_alarm_share": (0, 0),
    }
    first, *_, last = found["indicators"]
    assert (first["percent"], first["target"], first["met"]) == (16.67, 0.975, False)
    assert (last["value"], last["percent"], last["met"]) == (None, None, None)


@pytest.mark.parametrize(("age", "due"), [(60, 0), (60.001, 1), (180, 1), (180.001, 2)])
def test_what_is_too_young_to_have_missed_a_limit_does_not_count_in_it(
    api: Api, base: Database, world: World, age: float, due: int
) -> None:
    made(base, world.a, opened=NOW - timedelta(seconds=age))
    found = shares(ask(api))
    assert found["answered_60s"][1] + found["answered_180s"][1] == due
    assert found["on_site_45min"] == (0, 0)


def test_drills_and_what_healed_itself_stand_apart(api: Api, base: Database, world: World) -> None:
    made(base, world.a, answer=10, reach=100, end=200, outcome="assisted")
    made(base, world.a, answer=10, end=20, outcome="false_alarm")  # by telephone: nobody had to go
    made(base, world.a, answer=10, end=300, outcome="hospital")  # gone with the ambulance: that was a visit
    made(base, world.a, answer=10, reach=30, end=40, outcome="test")
    made(base, world.a, answer=10, reach=30, end=40, outcome="assisted", evidence='{"test": true}')
    made(base, world.a, kind="device_silent", severity="medium", end=600, outcome="no_action", by_person=False)
    found = ask(api)
    assert (found["alerts"], found["tests"], found["self_resolved"], found["unanswered"]) == (5, 2, 0, 0)
    assert found["all_severities"]["self_resolved"] == 1
    got = shares(found)
    assert (got["answered_60s"], got["on_site_15min"], got["false_alarm_share"]) == ((3, 3), (2, 2), (1, 3))
    assert shares(found["all_severities"])["answered_60s"] == (3, 3)


def test_shifts_months_and_types_add_up_to_the_whole(api: Api, base: Database, world: World) -> None:
    """07:59:59.999 in Shanghai is night, 08:00 is day; 1 March 00:00 is March, though in UTC it is February."""
    for hour in (0, 8, 16):
        start = datetime(2026, 3, 1, hour, tzinfo=UTC) - timedelta(hours=8)
        made(base, world.a, opened=start, answer=30)
        made(base, world.a, opened=start + timedelta(hours=8, milliseconds=-1), kind="fall")
    made(base, world.a, opened=datetime(2026, 2, 28, 15, 59, 59, 999_000, tzinfo=UTC), kind="fall")
    found = ask(api, **{"from": "2026-02-01T00:00:00+08:00", "to": MARCH["to"]})
    by = found["by"]
    assert {one["key"]: one["alerts"] for one in by["month"]} == {"2026-02": 1, "2026-03": 6}
    assert [(one["key"], one["name"]["zh"], one["alerts"]) for one in by["shift"]] == [
        ("day", "白班", 2), ("evening", "晚班", 3), ("night", "夜班", 2)
    ]  # fmt: skip
    assert {one["key"]: shares(one)["answered_60s"] for one in by["type"]} == {"fall": (0, 4), "sos": (3, 3)}
    for parts in by.values():
        for code, (above, below) in shares(found).items():
            assert sum(shares(one)[code][0] for one in parts) == above
            assert sum(shares(one)[code][1] for one in parts) == below


def test_alerts_are_set_against_days_of_residents_and_caregivers(api: Api, base: Database, world: World) -> None:
    """Two residents and one caregiver since 1 March; one resident left after three days; now is 10 March 12:00."""
    begin = datetime(2026, 2, 28, 16, tzinfo=UTC)
    base.rows("UPDATE residents SET created_at = %s", begin)
    base.rows("UPDATE users SET created_at = %s", begin)
    base.rows(
        "UPDATE residents SET status = 'discharged', updated_at = %s WHERE id = %s",
        begin + timedelta(days=3), world.a.residents[1],
    )  # fmt: skip
    for _ in range(5):
        made(base, world.a, answer=10)
    made(base, world.a, answer=10, end=20, outcome="test")
    found = ask(api)
    assert (found["resident_days"], found["caregiver_days"]) == (9.5 + 3, 9.5)
    assert (found["per_resident_day"], found["per_caregiver_day"]) == (0.4, round(5 / 9.5, 6))


def test_pain_47_a_house_sees_itself_and_the_region_every_house(api: Api, base: Database, world: World) -> None:
    made(base, world.a, answer=10)
    made(base, world.b, answer=100)
    made(base, world.b)
    for role in ("regulator", "admin", "caregiver"):
        found = ask(api, role)
        assert (found["alerts"], [one["key"] for one in found["by"]["institution"]]) == (1, ["site-a"])
    base.rows("UPDATE users SET institution_id = NULL WHERE username = 'regulator-b'")
    found = api.as_user("regulator", world.b).get(URL, params=MARCH).json()
    assert [(one["key"], one["alerts"], one["unanswered"]) for one in found["by"]["institution"]] == [
        ("site-a", 1, 0), ("site-b", 2, 1)
    ]  # fmt: skip
    assert found["alerts"] == 3
    for role in ("family", "provider"):
        assert api.as_user(role).get(f"{URL}/report").status_code == 403


def test_the_table_holds_every_group_and_no_formula(api: Api, base: Database, world: World) -> None:
    base.rows(
        "UPDATE institutions SET name_zh = '=HYPERLINK(\"http://x\")', name_en = '@SUM(A1)' WHERE code = 'site-a'"
    )
    made(base, world.a, answer=60)
    made(base, world.a, kind="water_leak", severity="medium")
    answer = api.as_user("regulator").get(f"{URL}/report", params={**MARCH, "format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "anhu-alerts-20260301.csv" in answer.headers["content-disposition"]
    head, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert not [cell for row in (head, *rows) for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    lines = [dict(zip(head, row, strict=True)) for row in rows if row[0] == "total" and row[4] == "urgent"]
    (line,) = (one for one in lines if one["indicator"] == "Answered within 60 s")
    assert (line["分子 numerator"], line["分母 denominator"], line["百分比 percent"]) == ("1", "1", "100.0")
    assert {row[0] for row in rows} == {"total", "month", "institution", "shift", "type"}
    assert any(row[2] == '\'=HYPERLINK("http://x")' for row in rows)
    assert "water_leak" in {row[1] for row in rows if row[4] == "all"}


def test_the_page_prints_runs_nothing_and_names_nobody(api: Api, base: Database, world: World) -> None:
    base.rows("UPDATE institutions SET name_zh = '<script>alert(1)</script>' WHERE code = 'site-a'")
    made(base, world.a, answer=60.001)
    answer = api.as_user("regulator").get(f"{URL}/report", params=MARCH)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    text = answer.text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r"""\b(src|href|on\w+)\s*=""", text)
    assert "size: A4" in text
    assert "0.00%" in text
    assert "0 / 1，≥97.5%" in text
    assert text.index("60秒内响应率") < text.index("Answered within 60 s")
    for name in (*(row["name"] for row in base.rows("SELECT name FROM residents")), "caregiver a"):
        assert name not in text
    assert base.rows("SELECT 1 FROM audit_log WHERE action = 'export' AND object_type = 'alert_kpi'")


def test_an_interval_is_bounded(api: Api) -> None:
    staff = api.as_user("admin")
    long = {"from": "2015-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    for path in (URL, f"{URL}/report"):
        assert staff.get(path, params=long).status_code == 422
        assert staff.get(path, params={"from": MARCH["to"], "to": MARCH["from"]}).status_code == 422
    assert staff.get(f"{URL}/report", params={"format": "pdf"}).status_code == 422


def test_shifts_that_begin_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANHU_SHIFT_DAY_FROM", "16:00")
    with pytest.raises(Misconfigured, match="three different times"):
        load_settings()

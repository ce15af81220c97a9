"""Today at a glance over HTTP: only what was consented, only to whom it was, and never taken for having been seen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.events import EventHandler
from core.clock import ManualClock
from tests.integration.alerts_kit import Database
from tests.integration.conftest import Api

TODAY = "/api/v1/family/today"


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


def alive(api: Api, base: Database) -> None:
    """Both roles that watch give a sign of life, and the bands have just spoken."""
    now = api.clock.now()
    for role in ("ingest", "alerts"):
        base.rows(
            "INSERT INTO heartbeats (role, instance, at, detail) VALUES (%s, 'x', %s, '{}')"
            " ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at",
            role,
            now,
        )
    base.rows("UPDATE device_status SET last_sample = %s, online = true, battery = 80", now)
    # The account reads a word of its own: 妈妈.
    base.rows("UPDATE contacts SET relation = '女儿'")


def test_a_usual_day_and_an_alert_with_who_answers(api: Api, base: Database, make_pool_for: object) -> None:
    alive(api, base)
    family, world = api.as_user("family"), api.world
    (one,) = family.get(TODAY).json()["items"]
    assert (one["resident_id"], one["called"]["zh"], one["tone"]) == (str(world.a.residents[0]), "妈妈", "calm")
    assert one["sentence"]["zh"].startswith("妈妈今天一切如常")
    assert one["scopes"] == ["activity", "alerts", "health"]
    assert one["contact"]["relation"] == "女儿"

    base.event(world.a, "fall", "e1")
    EventHandler(make_pool_for("alerts"), api.clock).handle_all()  # type: ignore[operator]  # the fixture's
    api.clock.advance(30)
    alive(api, base)
    (one,) = family.get(TODAY).json()["items"]
    assert one["tone"] == "alarm"
    (alert,) = one["alerts"]
    assert alert["responding"] is None
    assert api.as_user("caregiver").post(f"/api/v1/alerts/{alert['id']}/acknowledge").status_code == 200
    (one,) = family.get(TODAY).json()["items"]
    assert one["alerts"][0]["responding"]["name"] == "caregiver a"
    assert "caregiver a" in one["sentence"]["zh"]


def test_pain_35_a_look_at_today_is_not_taken_for_a_page_seen(api: Api, base: Database, make_pool_for: object) -> None:
    """A page that renews itself on a phone in a drawer must not stop the next channel; opening the alert does."""
    alive(api, base)
    base.plan(api.world.a, [{"after_seconds": 0, "whom": "contact:1"}])
    base.channel(api.world.a, "https://x.example/", user=api.world.a.users["family"].id)
    base.event(api.world.a, "sos", "e1")
    EventHandler(make_pool_for("alerts"), api.clock).handle_all()  # type: ignore[operator]  # the fixture's
    family = api.as_user("family")
    alert = base.alert()["id"]
    before = base.timeline(alert)
    assert family.get(TODAY).status_code == 200
    assert base.timeline(alert) == before
    assert family.get(f"/api/v1/alerts/{alert}").status_code == 200
    assert base.timeline(alert) != before, "who opens the alert has seen it"


def test_without_the_consents_nothing_of_the_kind_is_told(api: Api, base: Database, make_pool_for: object) -> None:
    alive(api, base)
    base.event(api.world.a, "fall", "e1")
    EventHandler(make_pool_for("alerts"), api.clock).handle_all()  # type: ignore[operator]  # the fixture's
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope IN ('alerts', 'activity')")
    (one,) = api.as_user("family").get(TODAY).json()["items"]
    assert (one["alerts"], one["got_up"], one["scopes"]) == ([], None, ["health"])
    assert "跌倒" not in one["sentence"]["zh"]
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE withdrawn_at IS NULL")
    assert api.as_user("family").get(TODAY).json()["items"] == []


def test_when_the_platform_does_not_watch_it_says_so(api: Api, base: Database) -> None:
    alive(api, base)
    api.clock.advance(timedelta(minutes=2).total_seconds())
    (one,) = api.as_user("family").get(TODAY).json()["items"]
    assert one["tone"] == "unknown"
    assert "没有守护" in one["sentence"]["zh"]


def test_pain_47_one_house_never_sees_anothers_people_today(api: Api, base: Database) -> None:
    alive(api, base)
    for house in (api.world.a, api.world.b):
        items = api.as_user("family", house).get(TODAY).json()["items"]
        assert [one["resident_id"] for one in items] == [str(house.residents[0])]


def test_family_gives_up_its_own_consent_and_nobody_elses(api: Api, base: Database) -> None:
    resident = api.world.a.residents[0]
    family, admin = api.as_user("family"), api.as_user("admin")
    path = f"/api/v1/residents/{resident}/consents"
    own = {one["scope"]: one["id"] for one in family.get(path).json()["items"]}
    other = admin.post("/api/v1/users", json={
        "username": "son", "password": "correct horse battery staple", "role": "family", "name": "儿子",
    }).json()["id"]  # fmt: skip
    given = admin.post(path, json={"user_id": other, "scope": "health", "granted_by": "本人"}).json()["id"]
    assert family.post(f"{path}/{given}/withdraw").status_code == 404
    assert family.post(f"{path}/{own['health']}/withdraw").status_code == 200
    assert family.get(f"/api/v1/residents/{resident}/readings?metric=heart_rate").status_code == 403
    assert base.rows("SELECT 1 FROM audit_log WHERE action = 'withdraw_consent' AND role = 'family'")

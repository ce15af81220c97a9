"""The family's pages without a browser: who gets in, what they may see, what is refused and how."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from alerts.events import EventHandler
from core.clock import ManualClock
from db.pool import DbRole, Pool
from tests.fixtures.world import PASSWORD
from tests.integration.alerts_kit import Database
from tests.integration.conftest import Api
from tests.integration.pages_kit import Browser, check, proof_in

FIRST_LOAD_BYTES_MAX = 100 * 1024


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def browser(api: Api) -> Iterator[Browser]:
    with TestClient(api.app, base_url="http://home.example", raise_server_exceptions=False) as client:
        yield Browser(client, "/family")


@pytest.fixture
def daughter(api: Api, browser: Browser, base: Database) -> Browser:
    """A browser in which the family account of institution a is signed in; what watches is alive."""
    now = api.clock.now()
    for role in ("ingest", "alerts"):
        base.rows("INSERT INTO heartbeats (role, instance, at, detail) VALUES (%s, 'x', %s, '{}')", role, now)
    base.rows("UPDATE device_status SET last_sample = %s, online = true, battery = 80", now)
    base.rows("UPDATE contacts SET relation = '女儿'")
    assert browser.sign_in("family-a").status_code == 200
    return browser


@pytest.fixture
def fall(api: Api, base: Database, make_pool_for: Callable[[DbRole], Pool]) -> str:
    """The id of an open fall alert of the first resident of institution a."""
    base.event(api.world.a, "fall", "e1")
    EventHandler(make_pool_for("alerts"), api.clock).handle_all()
    return str(base.alert()["id"])


def person(api: Api, n: int = 0) -> str:
    return f"/residents/{api.world.a.residents[n]}"


def readings(api: Api, base: Database, count: int = 40) -> None:
    """A heart rate each five minutes up to now."""
    key, now = api.world.a.devices[0].key, api.clock.now()
    for n in range(count):
        at = now - timedelta(minutes=5 * n)
        base.rows("INSERT INTO readings (device_key, metric, time, value, flags, delay_seconds)"
                  " VALUES (%s, 1, %s, %s, 0, 1) ON CONFLICT DO NOTHING", key, at, 70 + n % 5)  # fmt: skip
    base.rows("INSERT INTO latest (device_key, metric, time, received, value, flags) VALUES (%s, 1, %s, %s, 70, 0)"
              " ON CONFLICT DO NOTHING", key, now, now)  # fmt: skip


def test_today_is_one_sentence_and_light(api: Api, daughter: Browser) -> None:
    answer = daughter.get()
    html = check(answer)
    assert "妈妈今天一切如常" in html
    assert 'lang="en">Mum is fine today' in html
    load = len(answer.content)
    for path in set(re.findall(r'(?:href|src)="(/family/assets/[^"]+)"', html)):
        asset = daughter.client.get(path)
        assert asset.status_code == 200, path
        assert "immutable" in asset.headers["cache-control"]
        load += len(asset.content)
    assert load <= FIRST_LOAD_BYTES_MAX
    assert "<noscript><meta http-equiv" in html
    assert "http-equiv" not in daughter.get("?live=off").text


def test_whoever_is_not_signed_in_is_led_to_the_door_and_back(api: Api, browser: Browser) -> None:
    answer = browser.get("/notices?cursor=x")
    assert answer.url.path == "/family/sign-in"
    assert 'value="/family/notices?cursor=x"' in check(answer)
    there = browser.post("/sign-in", proof=proof_in(answer.text), username="family-a",
                         password="correct horse battery staple", next="/family/notices")  # fmt: skip
    assert there.url.path == "/family/notices"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/family//evil.example", "/familyx", "/family/\\evil", "/api/v1"],
)
def test_signing_in_leads_nowhere_else(api: Api, browser: Browser, target: str) -> None:
    answer = browser.sign_in("family-a", next=target)
    assert (answer.url.host, answer.url.path) == ("home.example", "/family")


def test_a_wrong_password_keeps_the_name_and_not_the_password(api: Api, browser: Browser) -> None:
    answer = browser.sign_in("family-a", "my secret words")
    html = check(answer)
    assert answer.status_code == 401
    assert 'value="family-a"' in html
    assert "my secret words" not in html
    assert "不正确" in html
    for _ in range(4):
        browser.sign_in("family-a", "wrong again")
    assert browser.sign_in("family-a").status_code == 429, "the API's own brake"


@pytest.mark.parametrize("role", ["admin", "caregiver", "provider", "regulator", "platform"])
def test_other_roles_do_not_get_in_and_leave_no_session(api: Api, browser: Browser, base: Database, role: str) -> None:
    answer = browser.sign_in(f"{role}-a")
    assert answer.status_code == 403
    assert "仅供家属" in check(answer)
    assert "anhu_family" not in browser.client.cookies
    assert base.rows("SELECT 1 FROM refresh_tokens WHERE revoked_at IS NULL") == []


def test_the_cookie_is_for_these_pages_alone(api: Api, browser: Browser) -> None:
    proof = proof_in(browser.get("/sign-in").text)
    fields = {"proof": proof, "username": "family-a", "password": "correct horse battery staple"}
    answer = browser.client.post("/family/sign-in", data=fields, follow_redirects=False)
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("anhu_family=")]
    assert {"httponly", "samesite=lax", "path=/family"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "secure" not in cookie.lower()
    with TestClient(api.app, base_url="https://home.example") as client:
        secure = Browser(client, "/family")
        proof = proof_in(secure.get("/sign-in").text)
        answer = client.post("/family/sign-in", data=fields | {"proof": proof}, follow_redirects=False)
        assert all("secure" in one.lower() for one in answer.headers.get_list("set-cookie"))


def test_a_form_without_its_proof_is_refused(api: Api, daughter: Browser, base: Database, fall: str) -> None:
    assert daughter.post(f"/alerts/{fall}", action="acknowledge").status_code == 403
    assert daughter.post(f"/alerts/{fall}", action="acknowledge", proof="0" * 64).status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert daughter.send(f"/alerts/{fall}", headers=elsewhere, action="acknowledge").status_code == 403
    assert base.alert()["state"] == "open"
    with TestClient(api.app) as other:
        stranger = Browser(other, "/family")
        proof = proof_in(stranger.get("/sign-in").text)
    assert daughter.post(f"/alerts/{fall}", action="acknowledge", proof=proof).status_code == 403


def test_an_alert_is_answered_from_the_page(api: Api, daughter: Browser, fall: str) -> None:
    html = check(daughter.get())
    assert "尚无人响应" in html
    assert f"/family/alerts/{fall}" in html
    empty = daughter.send(f"/alerts/{fall}", action="comment")
    assert (empty.status_code, "请先写下留言" in check(empty)) == (422, True)
    answer = daughter.send(f"/alerts/{fall}", action="acknowledge", note="我在路上")
    html = check(answer)
    assert "family a" in html
    assert "正在处理" in html
    assert "我在路上" in html
    assert "http-equiv" not in html, "who opens it has seen it: it must not renew itself"
    assert "正在处理" in daughter.get().text
    assert "跌倒" in check(daughter.get("/alerts"))


def test_trends_are_pictures_made_here_and_gone_with_the_consent(api: Api, daughter: Browser, base: Database) -> None:
    readings(api, base)
    html = check(daughter.get(f"{person(api)}/vitals"))
    assert html.count("<svg") == 1
    assert "心率 Heart rate" in html
    assert "<polyline" in html
    assert "健康趋势" in daughter.get().text
    assert daughter.get(f"{person(api)}/vitals?span=year").status_code == 422
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'health'")
    refused = daughter.get(f"{person(api)}/vitals")
    assert refused.status_code == 403
    assert "<svg" not in check(refused)
    home = daughter.get().text
    assert "健康趋势" not in home
    assert "心率" not in home


def test_another_persons_pages_are_not_there(api: Api, daughter: Browser) -> None:
    others = (person(api, 1), f"/residents/{api.world.b.residents[0]}", "/residents/nobody", "/residents/%2e%2e")
    for path in others:
        for page in ("vitals", "services", "away", "consents"):
            answer = daughter.get(f"{path}/{page}")
            assert answer.status_code == 404, (path, page)
            check(answer)
        assert daughter.post(f"{path}/away", proof=proof_in(daughter.get().text), action="end").status_code == 404
    assert daughter.get("/alerts/00000000-0000-7000-8000-000000000000").status_code == 404
    assert daughter.get("/no/such/page").status_code == 404
    assert "跳到正文" in check(daughter.get("/no/such/page"))


def test_an_absence_keeps_what_was_typed_until_it_is_right(api: Api, daughter: Browser, base: Database) -> None:
    path = f"{person(api)}/away"
    for day, told in (("", "请填写返回日期"), ("next week", "请填写返回日期"), ("2020-01-01", "必须晚于现在")):
        answer = daughter.send(path, action="begin", kind="hospital", until_day=day, until_time="18:00", reason="复查")
        html = check(answer)
        assert answer.status_code == 422
        assert told in html
        assert f'value="{day}"' in html or not day
        assert 'value="复查"' in html
        assert re.search(r'value="hospital" checked', html)
    until = (api.clock.now() + timedelta(days=2)).date().isoformat()
    done = daughter.send(path, action="begin", kind="away", until_day=until, until_time="18:00", reason="<b>回家</b>")
    html = check(done)
    assert "&lt;b&gt;回家" in html
    (row,) = base.rows("SELECT until, author FROM resident_away")
    assert f"{row['until']:%H:%M}" == "10:00", "18:00 in China"
    assert "外出中" in daughter.get().text
    html = check(daughter.send(path, action="end"))
    assert "预计返回日期" in html
    assert daughter.post(path, proof=proof_in(html), action="end").status_code == 404


def test_consents_are_given_up_at_once_and_asked_for(api: Api, daughter: Browser, base: Database) -> None:
    path = f"{person(api)}/consents"
    html = check(daughter.get(path))
    assert html.count('value="withdraw"') == 3
    assert html.count('value="ask"') == 1
    assert "已转交机构" in check(daughter.send(path, action="ask", scope="location"))
    enquiries = api.as_user("caregiver").get("/api/v1/services/information/enquiries").json()["items"]
    assert [one["title"] for one in enquiries] == ["申请查看：位置信息"]
    (health,) = base.rows("SELECT id FROM consents WHERE scope = 'health' AND user_id = %s",
                          api.world.a.users["family"].id)  # fmt: skip
    html = check(daughter.send(path, action="withdraw", consent=str(health["id"])))
    assert "已放弃" in html
    assert daughter.get(f"{person(api)}/vitals").status_code == 403
    for row in base.rows("SELECT id FROM consents WHERE withdrawn_at IS NULL AND user_id = %s",
                         api.world.a.users["family"].id):  # fmt: skip
        html = check(daughter.send(path, action="withdraw", consent=str(row["id"])))
    assert "目前没有老人授权您查看" in html


def test_a_guardian_decides_for_whoever_cannot_and_everybody_is_told_who_decides(
    api: Api, daughter: Browser, base: Database
) -> None:
    staff, resident, user = api.as_user("admin"), api.world.a.residents[0], api.world.a.users["family"]
    url, path = f"/api/v1/residents/{resident}", f"{person(api)}/consents"
    assert "由老人本人按用途分别决定" in check(daughter.get(path))
    assert staff.put(f"{url}/legal", json={"capacity": "none", "ground": "鉴定书 7"}).status_code == 200
    assert "尚无有权监护人" in check(daughter.get(path))
    new = {"username": "son-a", "password": "a-long-password-of-his", "role": "family", "name": "王强"}
    son = staff.post("/api/v1/users", json=new).json()["id"]
    contact = {"name": "王强 <b>", "relation": "儿子", "user_id": son}
    assert staff.post(f"{url}/contacts", json=contact).status_code == 201
    base.rows("UPDATE consents SET withdrawn_at = now()")
    assert daughter.get(path).status_code == 404, "nothing is open, and nothing to decide"
    paper = {
        "kind": "statutory", "name": "王丽", "relation": "女儿", "user_id": str(user.id), "ground": "判决 118",
        "powers": ["consent_health", "consent_alerts"], "valid_from": "2020-01-01",
    }  # fmt: skip
    assert staff.post(f"{url}/guardians", json=paper).status_code == 201
    assert f"{person(api)}/consents" in check(daughter.get())
    html = check(daughter.get(path))
    assert "监护人" in html
    assert "判决 118" not in html
    assert "王强 &lt;b&gt;" in html
    assert html.count('value="give"') == 4, "two purposes for herself and for her brother"
    assert "已同意" in check(daughter.send(path, action="give", user=str(son), scope="health"))
    refused = daughter.send(path, action="give", user=str(son), scope="location")
    assert refused.status_code == 404, "the paper does not name it"
    (row,) = base.rows("SELECT id, user_id, granted_by, guardian_id FROM consents WHERE withdrawn_at IS NULL")
    assert (str(row["user_id"]), row["granted_by"]) == (son, "王丽")
    assert row["guardian_id"] is not None
    html = check(daughter.send(path, action="withdraw", consent=str(row["id"])))
    assert html.count('value="give"') == 4
    assert base.rows("SELECT id FROM consents WHERE withdrawn_at IS NULL") == []


def test_quiet_hours_are_kept_and_refused_in_words(api: Api, daughter: Browser, base: Database) -> None:
    path = f"{person(api)}/consents"
    (contact,) = base.rows("SELECT id FROM contacts WHERE user_id = %s", api.world.a.users["family"].id)
    given = {"action": "quiet", "contact": str(contact["id"])}
    half = daughter.send(path, quiet_from="22:00", **given)
    assert half.status_code == 422
    assert 'value="22:00"' in check(half)
    assert "已保存" in check(daughter.send(path, quiet_from="22:00", quiet_to="07:00", **given))
    (row,) = base.rows("SELECT quiet_from, wants_updates FROM contacts WHERE id = %s", contact["id"])
    assert (str(row["quiet_from"]), row["wants_updates"]) == ("22:00:00", False)


def test_visits_meals_and_notices_are_shown(api: Api, daughter: Browser) -> None:
    staff, resident = api.as_user("caregiver"), str(api.world.a.residents[0])
    now = api.clock.now()
    times = {"starts_at": (now + timedelta(hours=1)).isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat()}
    order = staff.post("/api/v1/services/daily-living/orders", json={
        "resident_id": resident, "care": "meal", "title": "午餐 <软食>", **times,
    })  # fmt: skip
    assert order.status_code == 201, order.text
    visit = {"resident_id": resident, "way": "visit", **times}
    made = staff.post("/api/v1/services/companionship/visits", json=visit).json()["id"]
    staff.post(f"/api/v1/services/companionship/visits/{made}/report", json={"condition": "good", "findings": "精神好"})
    html = check(daughter.get(f"{person(api)}/services"))
    assert "午餐 &lt;软食&gt;" in html
    assert "精神好" in html
    notices = check(daughter.get("/notices"))
    notice = re.search(r'name="notice" value="([^"]+)"', notices)
    assert notice, "the visit was told of"
    assert f'value="{notice[1]}"' not in check(daughter.send("/notices", notice=notice[1]))


def test_a_session_is_renewed_once_however_many_ask(api: Api, daughter: Browser, base: Database) -> None:
    old = daughter.client.cookies["anhu_family"]
    api.clock.advance(3600)
    assert daughter.get("/notices").url.path == "/family/notices"
    new = daughter.client.cookies["anhu_family"]
    assert new != old
    # The answer was lost on the way: the telephone asks again with what it has.
    daughter.client.cookies.set("anhu_family", old, domain="home.example", path="/family")
    assert daughter.get("/notices").url.path == "/family/notices"
    assert base.rows("SELECT 1 FROM audit_log WHERE action = 'refresh_reused'") == []
    # Long after, somebody with a copy is somebody with a copy.
    api.clock.advance(3600)
    daughter.client.cookies.set("anhu_family", old, domain="home.example", path="/family")
    assert daughter.get("/notices").url.path == "/family/sign-in"
    assert len(base.rows("SELECT 1 FROM audit_log WHERE action = 'refresh_reused'")) == 1


def test_signing_out_ends_every_copy(api: Api, daughter: Browser, base: Database) -> None:
    copy = daughter.client.cookies["anhu_family"]
    answer = daughter.post("/sign-out", proof=proof_in(daughter.get().text))
    assert answer.url.path == "/family/sign-in"
    assert "anhu_family" not in daughter.client.cookies
    assert base.rows("SELECT 1 FROM refresh_tokens WHERE revoked_at IS NULL") == []
    api.clock.advance(3600)
    daughter.client.cookies.set("anhu_family", copy, domain="home.example", path="/family")
    assert daughter.get().url.path == "/family/sign-in"


@pytest.mark.parametrize("cookie", ["", "x", "1~2", "~~", "99999999999~a~b", "0~a~b", "9" * 400 + "~a~b"])
def test_a_broken_cookie_is_nobody(api: Api, browser: Browser, cookie: str) -> None:
    browser.client.cookies.set("anhu_family", cookie, domain="home.example", path="/family")
    assert browser.get().url.path == "/family/sign-in"


def test_every_read_leaves_the_api_s_own_audit_rows(api: Api, daughter: Browser, base: Database) -> None:
    readings(api, base)
    answer = daughter.get(f"{person(api)}/vitals", headers={"X-Request-ID": "page-1"})
    rows: list[dict[str, Any]] = base.rows(
        "SELECT action, username, detail FROM audit_log WHERE request_id = 'page-1' ORDER BY id"
    )
    assert {row["username"] for row in rows} == {"family-a"}
    assert {row["action"] for row in rows} == {"read", "read_readings"}
    assert answer.headers["x-request-id"] == "page-1"


def test_while_the_database_is_away_the_page_says_what_to_do(api: Api, daughter: Browser) -> None:
    api.app.state.anhu.pool.close()
    answer = daughter.get()
    assert answer.status_code == 503
    assert "120" in check(answer)
    assert "anhu_family" in daughter.client.cookies, "nobody is signed out by it"


def test_a_link_that_was_cut_says_so_in_words(api: Api, browser: Browser) -> None:
    for token in ("x", "a" * 80, "not%20a%20token"):
        answer = browser.get(f"/a/{token}")
        assert answer.status_code == 404
        assert "链接无效" in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_whoever_owes_a_password_is_led_to_set_one_and_signs_in_with_it(browser: Browser, base: Database) -> None:
    base.rows("UPDATE users SET must_change_password = true WHERE username = 'family-a'")
    page = browser.sign_in("family-a")
    assert page.url.path == "/family/password"
    check(page)
    new = "红灯笼挂在老槐树下面 2026"
    for fields, status, told in (
        ({"current": PASSWORD, "new": "short", "again": "short"}, 422, "至少 12 个字符"),
        ({"current": PASSWORD, "new": new, "again": new + "x"}, 422, "两次输入的新密码不一致"),
        ({"current": "not it", "new": new, "again": new}, 422, "现在的密码"),
        ({"current": "", "new": new, "again": new}, 422, "请填写"),
    ):
        refused = browser.send("/password", **fields)
        assert (refused.status_code, told in refused.text) == (status, True)
        assert new not in refused.text, "a password is never written back"
    page = browser.send("/password", current=PASSWORD, new=new, again=new)
    assert page.url.path == "/family/sign-in"
    assert browser.sign_in("family-a").status_code == 401, "the old one is worth nothing"
    assert browser.sign_in("family-a", new).url.path == "/family"

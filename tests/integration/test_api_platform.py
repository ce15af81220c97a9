"""What surrounds every request: problems, ids, bounds, headers, health, figures, description, services, accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from openapi_spec_validator import validate

from api.app import create_app
from api.errors import KINDS
from core.clock import ManualClock
from core.limits import REQUEST_BYTES_MAX
from core.settings import Settings
from db.pool import make_pool
from tests.integration.conftest import Api, TestClient

DOMAIN_CODES = [
    "information", "safety", "health", "rescue", "goods", "daily-living", "rehabilitation", "companionship", "medical",
    "assessment", "home-care",
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("DELETE", "/api/v1/me", 405, "method-not-allowed"),
        ("GET", "/api/v1/me", 401, "unauthenticated"),
        ("POST", "/api/v1/auth/token", 422, "invalid"),
    ],
)
def test_every_error_is_a_problem(api: Api, method: str, path: str, status: int, word: str) -> None:
    answer = api.anonymous.request(method, path, headers={"X-Request-ID": "abc"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"urn:anhu:problem:{word}", status)
    assert body["instance"] == "urn:anhu:request:abc"
    assert body["title"] == KINDS[word].title
    assert body["title_zh"] == KINDS[word].title_zh
    if status == 405:
        assert answer.headers["allow"]


def test_invalid_input_is_pointed_at_and_not_echoed(api: Api) -> None:
    answer = api.as_user("admin").post(
        "/api/v1/users", json={"username": "x y", "password": "short", "role": "king", "name": "n"}
    )
    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/body/username", "/body/password", "/body/role"}
    assert "short" not in answer.text.replace("string_too_short", "").replace("too_short", "")


def test_a_body_too_large_is_refused_declared_or_not(api: Api) -> None:
    admin = api.as_user("admin")
    declared = admin.post(
        "/api/v1/residents", content=b"x" * (REQUEST_BYTES_MAX + 1), headers={"Content-Type": "application/json"}
    )

    def chunks() -> Iterator[bytes]:
        for _ in range(REQUEST_BYTES_MAX // 65_536 + 1):
            yield b" " * 65_536

    streamed = admin.post("/api/v1/residents", content=chunks(), headers={"Content-Type": "application/json"})
    form = api.anonymous.post("/api/v1/auth/token", data={"username": "x", "password": "p" * REQUEST_BYTES_MAX})
    for answer in (declared, streamed, form):
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:anhu:problem:too-large"
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ü".encode().decode("latin-1"), "a\tb"])
def test_a_request_id_that_could_do_harm_is_replaced(api: Api, given: str) -> None:
    answer = api.anonymous.get("/healthz", headers={"X-Request-ID": given.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 32


def test_answers_carry_security_headers_and_open_to_no_other_origin(api: Api) -> None:
    answer = api.anonymous.get("/api/v1/me", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_process_says_whether_it_lives_and_serves(api: Api, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        beat = "INSERT INTO heartbeats (role, instance, at) VALUES ('ingest', 'i0', %s)"
        connection.execute(beat, (api.clock.now(),))
    api.clock.advance(7)
    assert api.anonymous.get("/healthz").json() == {"status": "ok"}
    ready = api.anonymous.get("/readyz").json()
    assert (ready["status"], ready["database"] in ("plain", "timescale")) == ("ready", True)
    assert [(one["role"], one["age_seconds"]) for one in ready["roles"]] == [("ingest", 7.0)]
    assert ready["missing"] == ["alerts", "jobs"]


def test_pain_44_a_role_that_is_silent_is_missing(api: Api, database_url: str) -> None:
    """At 30 s it is alive, after that missing; a role that never lived is missing as well, its age without bound."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for role in ("ingest", "alerts"):
            connection.execute(
                "INSERT INTO heartbeats (role, instance, at, detail) VALUES (%s, 'i0', %s, %s)",
                (role, api.clock.now(), '{"leading": true}' if role == "alerts" else "{}"),
            )

    def told() -> tuple[list[str], list[str]]:
        text = api.anonymous.get("/metrics").text
        return api.anonymous.get("/readyz").json()["missing"], re.findall(r'anhu_role_missing{role="(\w+)"} 1.0', text)

    api.clock.advance(30)
    assert told() == (["jobs"], ["jobs"])
    assert {one["role"]: one["leading"] for one in api.anonymous.get("/readyz").json()["roles"]} == {
        "ingest": None, "alerts": True
    }  # fmt: skip
    api.clock.advance(0.1)
    assert told() == (["ingest", "alerts", "jobs"], ["ingest", "alerts", "jobs"])
    assert 'anhu_role_age_seconds{role="jobs"} +Inf' in api.anonymous.get("/metrics").text


def test_an_old_schema_is_not_ready(api: Api, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE number > 1")
    answer = api.anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:anhu:problem:misconfigured"
    assert "anhu migrate" in answer.json()["detail"]


def test_figures_count_by_template_and_hold_no_ids(api: Api) -> None:
    resident = api.world.a.residents[0]
    api.as_user("caregiver").get(f"/api/v1/residents/{resident}")
    api.anonymous.get("/nothing/here")
    text = api.anonymous.get("/metrics").text
    assert 'anhu_api_requests_total{method="GET",route="/api/v1/residents/{resident_id}",status="200"} 1.0' in text, (
        text
    )
    assert 'route="unmatched",status="404"' in text
    assert str(resident) not in text
    assert "/nothing" not in text


def test_the_description_is_valid_and_complete(api: Api) -> None:
    schema = api.anonymous.get("/openapi.json").json()
    validate(schema)
    assert schema["openapi"].startswith("3.1")
    flow = schema["components"]["securitySchemes"]["anhu"]["flows"]["password"]
    assert flow["tokenUrl"] == "/api/v1/auth/token"
    tags = {tag["name"] for tag in schema["tags"]}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert set(operation["tags"]) <= tags, where
            assert any(status.startswith("2") for status in operation["responses"]), where
            errors = {status for status in operation["responses"] if int(status) >= 400}
            assert errors, where
            for status in errors:
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"], where
            assert "security" in operation or path in (
                "/healthz", "/readyz", "/metrics", "/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/auth/logout",
                "/api/v1/ingest/{site}", "/api/v1/open-data/indicators", "/api/v1/fhir/R4/metadata",
            ), where  # fmt: skip


def test_operation_ids_are_short_and_unique(api: Api) -> None:
    schema = api.app.openapi()
    ids = [operation["operationId"] for path in schema["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert "list_residents" in ids


def test_the_eleven_services(api: Api) -> None:
    client = api.as_user("regulator")
    items = client.get("/api/v1/services").json()["items"]
    assert [item["code"] for item in items] == DOMAIN_CODES
    assert [item["code"] for item in items if item["named_in_plan"]] == DOMAIN_CODES[:5]
    for item in items:
        assert item["name"]["zh"]
        assert item["name"]["en"]
        assert item["group"]
        assert len(item["states"]) >= 3
        for cycle in item["lifecycles"]:
            codes = [state["code"] for state in cycle["states"]]
            assert len(codes) == len(set(codes))
    assert client.get("/api/v1/services/rescue").json() == items[3]
    assert client.get("/api/v1/services/nothing").status_code == 404


def test_an_administrator_keeps_the_accounts(api: Api) -> None:
    admin = api.as_user("admin")
    new = {"username": "Nurse.Wu", "password": "a long sentence", "role": "caregiver", "name": "吴护士"}
    made = admin.post("/api/v1/users", json=new)
    assert (made.status_code, made.json()["username"]) == (201, "nurse.wu")
    assert new["password"] not in made.text
    assert "argon2" not in made.text
    assert not {"password", "password_hash"} & made.json().keys()
    assert admin.post("/api/v1/users", json=new).status_code == 409
    assert admin.post("/api/v1/users", json={**new, "username": "boss", "role": "regulator"}).status_code == 422
    path = f"/api/v1/users/{made.json()['id']}"
    assert admin.patch(path, json={"on_duty": True, "password": "another sentence"}).json()["on_duty"] is True
    wrong = api.anonymous.post("/api/v1/auth/token", data={"username": "nurse.wu", "password": "a long sentence"})
    right = api.anonymous.post("/api/v1/auth/token", data={"username": "nurse.wu", "password": "another sentence"})
    assert (wrong.status_code, right.status_code) == (401, 200)
    assert admin.patch(path, json={"disabled": True}).json()["disabled_at"]
    assert admin.patch(path, json={"disabled": False}).json()["disabled_at"] is None
    own = api.world.a.users["admin"].id
    assert admin.patch(f"/api/v1/users/{own}", json={"disabled": True}).status_code == 422
    assert admin.patch(path, json={"name": None}).status_code == 422


def test_a_caregiver_goes_on_and_off_duty(api: Api) -> None:
    nurse = api.as_user("caregiver")
    assert nurse.put("/api/v1/me/duty", json={"on_duty": False}).json()["on_duty"] is False
    assert nurse.put("/api/v1/me/duty", json={"on_duty": True}).json()["on_duty"] is True


def test_the_audit_log_shows_the_own_institution(api: Api) -> None:
    nurse = api.as_user("caregiver")
    nurse.get(f"/api/v1/residents/{api.world.a.residents[0]}")
    seen = api.as_user("admin").get("/api/v1/audit", params={"object_id": str(api.world.a.residents[0])}).json()
    assert [(one["username"], one["action"]) for one in seen["items"]] == [("caregiver-a", "read")]
    other = api.as_user("admin", api.world.b).get("/api/v1/audit", params={"object_type": "resident"}).json()
    assert other["items"] == []


def test_while_the_database_is_away_that_is_said_and_the_process_lives(
    api: Api, clock: ManualClock, settings: Settings
) -> None:
    token = api.sign_in(api.world.a.users["admin"])["access_token"]
    pool = make_pool("postgresql://anhu@127.0.0.1:1/none", "api", size_min=0)
    pool.timeout = 0.2
    client = TestClient(create_app(settings, clock, pool), raise_server_exceptions=False)
    try:
        for path in ("/readyz", "/api/v1/me", "/api/v1/residents"):
            answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 503, path
            assert answer.json()["type"] == "urn:anhu:problem:unavailable"
            assert int(answer.headers["retry-after"]) > 0
        assert client.get("/healthz").status_code == 200
    finally:
        client.close()
        pool.close()


def test_what_nobody_expected_is_a_problem_that_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    client = api.as_user("caregiver")
    monkeypatch.setattr("api.residents.service.list_page", broken)
    answer = client.get("/api/v1/residents", headers={"X-Request-ID": "find-me"})
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:anhu:problem:internal")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "find-me"
    assert 'route="/api/v1/residents",status="500"' in api.anonymous.get("/metrics").text


def test_nothing_is_written_when_the_answer_is_an_error(
    api: Api, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resident and the record of who added one stand or fall together."""
    admin = api.as_user("admin")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("api.deps.AuditTrail.record", broken)
    answer = admin.post("/api/v1/residents", json={"name": "x", "sex": "male", "birth_date": "1940-01-01"})
    assert answer.status_code == 500
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM residents WHERE name = 'x'").fetchone() == (0,)


def test_many_at_once_do_not_stop_each_other(api: Api) -> None:
    """More callers than threads and connections: all are answered, none waits for the other's resource."""
    client = api.as_user("caregiver")
    with ThreadPoolExecutor(80) as people:
        answers = list(people.map(lambda _: client.get("/api/v1/residents").status_code, range(160)))
    assert set(answers) == {200}

"""Signing in, tokens and their end, on a real database."""

from __future__ import annotations

import jwt
import psycopg
import pytest

from api.auth.throttle import ATTEMPTS_MAX, WINDOW_SECONDS
from tests.integration.conftest import TOKEN_KEY, Api

TOKEN = "/api/v1/auth/token"
REFRESH = "/api/v1/auth/refresh"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_names_the_person(api: Api) -> None:
    user = api.world.a.users["caregiver"]
    pair = api.sign_in(user)
    assert pair["token_type"] == "bearer"
    assert pair["expires_in"] == 900
    claims = jwt.decode(pair["access_token"], TOKEN_KEY, algorithms=["HS256"], options={"verify_exp": False})
    assert {"sub", "role", "tenant", "ver"} <= set(claims)
    me = api.anonymous.get("/api/v1/me", headers=_bearer(pair["access_token"])).json()
    assert (me["id"], me["role"], me["institution"]["site"]) == (str(user.id), "caregiver", "site-a")
    assert me["role_name"]["zh"]


def test_the_username_is_not_case_sensitive(api: Api) -> None:
    user = api.world.a.users["admin"]
    answer = api.anonymous.post(TOKEN, data={"username": user.username.upper(), "password": user.password})
    assert answer.status_code == 200


@pytest.mark.parametrize(("username", "password"), [("admin-a", "wrong"), ("nobody", "wrong"), ("admin-a", "")])
def test_wrong_credentials_are_told_alike(api: Api, username: str, password: str) -> None:
    answer = api.anonymous.post(TOKEN, data={"username": username, "password": password})
    assert answer.status_code == (401 if password else 422)
    assert answer.headers["content-type"] == "application/problem+json"
    if password:
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["detail"] == "the username or the password is not right"


def test_too_many_failures_are_braked_and_the_brake_ends(api: Api) -> None:
    wrong = {"username": "admin-a", "password": "wrong"}
    right = {"username": "admin-a", "password": api.world.a.users["admin"].password}
    for _ in range(ATTEMPTS_MAX):
        assert api.anonymous.post(TOKEN, data=wrong).status_code == 401
    braked = api.anonymous.post(TOKEN, data=right)
    assert braked.status_code == 429
    assert 0 < int(braked.headers["retry-after"]) <= WINDOW_SECONDS + 1
    other = {"username": "admin-b", "password": right["password"]}
    assert api.anonymous.post(TOKEN, data=other).status_code == 200
    api.clock.advance(WINDOW_SECONDS + 1)
    assert api.anonymous.post(TOKEN, data=right).status_code == 200


def test_attempts_are_recorded_with_their_outcome(api: Api, database_url: str) -> None:
    api.anonymous.post(TOKEN, data={"username": "admin-a", "password": "wrong"})
    api.sign_in(api.world.a.users["admin"])
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT username, success, institution_id FROM audit_log WHERE action = 'sign_in' ORDER BY id"
        ).fetchall()
    assert rows == [
        ("admin-a", False, api.world.a.institution_id),
        ("admin-a", True, api.world.a.institution_id),
    ]


def test_an_access_token_runs_out(api: Api) -> None:
    token = api.sign_in(api.world.a.users["admin"])["access_token"]
    api.clock.advance(899)
    assert api.anonymous.get("/api/v1/me", headers=_bearer(token)).status_code == 200
    api.clock.advance(1)
    assert api.anonymous.get("/api/v1/me", headers=_bearer(token)).status_code == 401


@pytest.mark.parametrize("change", ["other key", "none", "other issuer", "tampered", "rubbish"])
def test_a_token_that_is_not_ours_is_refused(api: Api, change: str) -> None:
    token = api.sign_in(api.world.a.users["admin"])["access_token"]
    claims = jwt.decode(token, TOKEN_KEY, algorithms=["HS256"], options={"verify_exp": False})
    forged = {
        "other key": jwt.encode(claims, "k" * 40, algorithm="HS256"),
        "none": jwt.encode(claims, None, algorithm="none"),
        "other issuer": jwt.encode({**claims, "iss": "x"}, TOKEN_KEY, algorithm="HS256"),
        "tampered": token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"),
        "rubbish": "a.b.c",
    }[change]
    assert api.anonymous.get("/api/v1/me", headers=_bearer(forged)).status_code == 401


def test_refreshing_rotates_and_reuse_ends_the_family(api: Api) -> None:
    first = api.sign_in(api.world.a.users["admin"])["refresh_token"]
    second = api.anonymous.post(REFRESH, json={"refresh_token": first})
    assert second.status_code == 200
    api.clock.advance(1)
    third = api.anonymous.post(REFRESH, json={"refresh_token": second.json()["refresh_token"]}).json()["refresh_token"]
    assert api.anonymous.post(REFRESH, json={"refresh_token": first}).status_code == 401
    assert api.anonymous.post(REFRESH, json={"refresh_token": third}).status_code == 401


def test_a_refresh_token_ends_by_time_and_by_signing_out(api: Api) -> None:
    kept = api.sign_in(api.world.a.users["admin"])["refresh_token"]
    gone = api.sign_in(api.world.a.users["admin"])["refresh_token"]
    assert api.anonymous.post("/api/v1/auth/logout", json={"refresh_token": gone}).status_code == 204
    assert api.anonymous.post(REFRESH, json={"refresh_token": gone}).status_code == 401
    api.clock.advance(14 * 86_400)
    assert api.anonymous.post(REFRESH, json={"refresh_token": kept}).status_code == 401


@pytest.mark.parametrize("text", ["x", "é", "A" * 88, "A" * 87 + "=", "-" * 200])
def test_a_malformed_refresh_token_is_refused(api: Api, text: str) -> None:
    assert api.anonymous.post(REFRESH, json={"refresh_token": text}).status_code == 401


def test_a_disabled_account_is_shut_out_at_once_here(api: Api) -> None:
    admin, nurse = api.as_user("admin"), api.as_user("caregiver")
    refresh = api.sign_in(api.world.a.users["caregiver"])["refresh_token"]
    user = api.world.a.users["caregiver"]
    assert nurse.get("/api/v1/me").status_code == 200
    assert admin.patch(f"/api/v1/users/{user.id}", json={"disabled": True}).status_code == 200
    assert nurse.get("/api/v1/me").status_code == 401
    assert api.anonymous.post(REFRESH, json={"refresh_token": refresh}).status_code == 401
    answer = api.anonymous.post(TOKEN, data={"username": user.username, "password": user.password})
    assert answer.status_code == 401


def test_changing_the_password_ends_older_tokens(api: Api) -> None:
    nurse = api.as_user("caregiver")
    user = api.world.a.users["caregiver"]
    assert nurse.post("/api/v1/me/password", json={"current": "wrong", "new": "x" * 12}).status_code == 422
    changed = nurse.post("/api/v1/me/password", json={"current": user.password, "new": "a new sentence"})
    assert changed.status_code == 204
    assert nurse.get("/api/v1/me").status_code == 401
    answer = api.anonymous.post(TOKEN, data={"username": user.username, "password": "a new sentence"})
    assert answer.status_code == 200

"""Second factors and passwords that must be changed, on a real database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyotp
import pytest

from api.app import create_app
from api.auth.otp import FAILURES_MAX, FAILURES_SECONDS, STEP_SECONDS
from core.clock import ManualClock
from core.errors import Misconfigured
from core.settings import Settings, load_settings
from db.pool import DbRole, Pool
from tests.integration.conftest import DEVICE_KEY, TOKEN_KEY, Api, TestClient
from tests.integration.test_api_auth import TOKEN

OTP = "/api/v1/me/otp"
SETTINGS = "/api/v1/security-settings"


@dataclass(slots=True)
class Enrolled:
    """An account with a second factor, as its owner holds it."""

    client: TestClient
    totp: pyotp.TOTP
    recovery_codes: list[str]
    username: str
    password: str


def enrol(api: Api, role: str = "caregiver") -> Enrolled:
    """Set up the factor of an account; the next code is a step later."""
    user, client = api.world.a.users[role], api.as_user(role)
    begun = client.post(OTP, json={"password": user.password})
    assert begun.status_code == 200, begun.text
    totp = pyotp.TOTP(begun.json()["secret"])
    confirmed = client.post(f"{OTP}/confirm", json={"code": totp.at(int(api.clock.time()))})
    assert confirmed.status_code == 200, confirmed.text
    api.clock.advance(STEP_SECONDS)
    return Enrolled(client, totp, confirmed.json()["recovery_codes"], user.username, user.password)


def sign_in(api: Api, one: Enrolled, code: str | None = None, password: str | None = None) -> Any:
    form = {"username": one.username, "password": password or one.password}
    return api.anonymous.post(TOKEN, data=form if code is None else {**form, "otp": code})


def code_of(api: Api, one: Enrolled) -> str:
    return one.totp.at(int(api.clock.time()))


def test_enrolment_shows_secret_uri_and_picture_once(api: Api, database_url: str) -> None:
    nurse, user = api.as_user("caregiver"), api.world.a.users["caregiver"]
    assert nurse.post(OTP, json={"password": "wrong"}).status_code == 422
    made = nurse.post(OTP, json={"password": user.password}).json()
    assert made["otpauth_uri"].startswith("otpauth://totp/")
    assert made["secret"] in made["otpauth_uri"]
    assert made["qr_svg"].startswith("<svg")
    assert nurse.get(OTP).json()["enrolled"] is False
    assert api.sign_in(user)["access_token"]
    assert nurse.post(f"{OTP}/confirm", json={"code": "000000"}).status_code == 422
    with psycopg.connect(database_url) as connection:
        (row,) = connection.execute("SELECT to_jsonb(o)::text FROM user_otp o").fetchone() or ("",)
    assert made["secret"] not in row
    assert hashlib.sha256(made["secret"].encode()).hexdigest() not in row


def test_signing_in_needs_the_code(api: Api) -> None:
    one = enrol(api)
    asked = sign_in(api, one)
    assert asked.status_code == 401
    assert asked.json()["type"] == "urn:anhu:problem:otp-required"
    assert asked.json()["title_zh"]
    assert sign_in(api, one, "000000").json()["type"].endswith("otp-required")
    assert sign_in(api, one, code_of(api, one), password="wrong").json()["type"].endswith("unauthenticated")
    assert sign_in(api, one, code_of(api, one)).status_code == 200
    assert one.client.get(OTP).json() | {"confirmed_at": None} == {
        "enrolled": True, "confirmed_at": None, "demanded": False, "recovery_codes_left": 10,
    }  # fmt: skip
    assert one.client.get("/api/v1/me").json()["has_otp"] is True


def test_no_code_is_taken_twice(api: Api) -> None:
    one = enrol(api)
    code = code_of(api, one)
    assert sign_in(api, one, code).status_code == 200
    assert sign_in(api, one, code).status_code == 401
    earlier = one.totp.at(int(api.clock.time()) - STEP_SECONDS)
    assert sign_in(api, one, earlier).status_code == 401
    api.clock.advance(STEP_SECONDS)
    assert sign_in(api, one, f"{code_of(api, one)[:3]} {code_of(api, one)[3:]}").status_code == 200


def test_a_clock_one_step_off_is_forgiven_and_two_are_not(api: Api) -> None:
    one = enrol(api)
    assert sign_in(api, one, one.totp.at(int(api.clock.time()) + 2 * STEP_SECONDS)).status_code == 401
    assert sign_in(api, one, one.totp.at(int(api.clock.time()) + STEP_SECONDS)).status_code == 200


def test_a_recovery_code_opens_once(api: Api) -> None:
    one = enrol(api)
    assert len(set(one.recovery_codes)) == 10
    assert sign_in(api, one, one.recovery_codes[0].upper()).status_code == 200
    assert sign_in(api, one, one.recovery_codes[0]).status_code == 401
    assert one.client.get(OTP).json()["recovery_codes_left"] == 9
    body = {"password": one.password, "code": one.recovery_codes[1]}
    fresh = one.client.post(f"{OTP}/recovery-codes", json=body).json()["recovery_codes"]
    assert sign_in(api, one, one.recovery_codes[2]).status_code == 401
    assert sign_in(api, one, fresh[0]).status_code == 200


def test_guessing_codes_is_braked_across_addresses_and_the_brake_ends(api: Api) -> None:
    one = enrol(api)
    for number in range(FAILURES_MAX):
        with TestClient(api.app, client=(f"198.51.100.{number}", 1)) as elsewhere:
            answer = elsewhere.post(
                TOKEN, data={"username": one.username, "password": one.password, "otp": f"00000{number}"}
            )
            assert answer.status_code == 401
    braked = sign_in(api, one, code_of(api, one))
    assert braked.status_code == 429
    assert 0 < int(braked.headers["retry-after"]) <= FAILURES_SECONDS + 1
    api.clock.advance(FAILURES_SECONDS)
    assert sign_in(api, one, code_of(api, one)).status_code == 200


def test_removing_needs_password_and_code(api: Api) -> None:
    one = enrol(api)
    remove = f"{OTP}/remove"
    assert one.client.post(remove, json={"password": "wrong", "code": code_of(api, one)}).status_code == 422
    assert one.client.post(remove, json={"password": one.password, "code": "000000"}).status_code == 401
    assert one.client.post(remove, json={"password": one.password, "code": code_of(api, one)}).status_code == 204
    assert sign_in(api, one).status_code == 200


def test_an_administrator_resets_the_factor_of_somebody_else_only(api: Api) -> None:
    one, admin = enrol(api), api.as_user("admin")
    user = api.world.a.users["caregiver"]
    assert admin.delete(f"/api/v1/users/{api.world.a.users['admin'].id}/otp").status_code == 422
    assert admin.delete(f"/api/v1/users/{api.world.b.users['caregiver'].id}/otp").status_code == 404
    assert admin.delete(f"/api/v1/users/{user.id}/otp").status_code == 204
    assert admin.delete(f"/api/v1/users/{user.id}/otp").status_code == 404
    assert one.client.get("/api/v1/me").status_code == 401
    assert sign_in(api, one).status_code == 200


def test_a_role_of_which_it_is_demanded_gets_no_further_without(api: Api) -> None:
    admin, nurse = api.as_user("admin"), api.as_user("caregiver")
    assert admin.put(SETTINGS, json={"otp_roles": ["admin"]}).status_code == 409
    done = admin.put(SETTINGS, json={"otp_roles": ["caregiver"], "version": 0})
    assert done.json()["accounts_without"] == 1
    assert admin.put(SETTINGS, json={"otp_roles": [], "version": 0}).status_code == 412
    refused = nurse.get("/api/v1/residents")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:anhu:problem:otp-enrolment-required")
    assert nurse.get("/api/v1/me").json()["owes"] == ["otp"]
    assert api.as_user("caregiver", api.world.b).get("/api/v1/residents").status_code == 200
    one = enrol(api)
    assert one.client.get("/api/v1/residents").status_code == 200
    body = {"password": one.password, "code": code_of(api, one)}
    assert one.client.post(f"{OTP}/remove", json=body).status_code == 403


def test_the_operator_may_demand_it_of_a_role_everywhere(
    api: Api, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock
) -> None:
    settings = Settings(token_key=TOKEN_KEY, device_key=DEVICE_KEY, otp_required_roles="platform, regulator")
    app = create_app(settings, clock, make_pool_for("api"))
    token = api.sign_in(api.world.a.users["regulator"])["access_token"]
    with TestClient(app, headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get("/api/v1/services").json()["type"].endswith("otp-enrolment-required")
        assert client.get("/api/v1/me").json()["owes"] == ["otp"]
    with pytest.raises(Misconfigured, match="no role"):
        load_settings(otp_required_roles="plumber")


def test_everything_about_factors_is_recorded(api: Api, database_url: str) -> None:
    one = enrol(api)
    sign_in(api, one)
    sign_in(api, one, "000000")
    sign_in(api, one, code_of(api, one))
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT action, success, detail ->> 'factor' FROM audit_log WHERE username = %s ORDER BY id",
            (one.username,),
        ).fetchall()
    assert rows == [
        ("sign_in", True, None),
        ("begin_otp", True, None),
        ("confirm_otp", True, None),
        ("first_factor", True, "missing"),
        ("sign_in", False, "wrong"),
        ("sign_in", True, "otp"),
    ]


@pytest.fixture
def reset(api: Api) -> Iterator[TestClient]:
    """The caregiver, whose password the administrator has just set."""
    user = api.world.a.users["caregiver"]
    nurse = api.as_user("caregiver")
    answer = api.as_user("admin").patch(f"/api/v1/users/{user.id}", json={"password": "set by the admin"})
    assert answer.json()["must_change_password"] is True
    assert nurse.get("/api/v1/me").status_code == 401
    form = {"username": user.username, "password": "set by the admin"}
    token = api.anonymous.post(TOKEN, data=form).json()["access_token"]
    with TestClient(api.app, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


def test_a_password_set_by_somebody_else_must_be_changed_first(api: Api, reset: TestClient) -> None:
    refused = reset.get("/api/v1/residents")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:anhu:problem:password-change-required")
    assert reset.get("/api/v1/me").json()["owes"] == ["password"]
    same = {"current": "set by the admin", "new": "set by the admin"}
    assert reset.post("/api/v1/me/password", json=same).status_code == 422
    own = {"current": "set by the admin", "new": "a word of her own"}
    assert reset.post("/api/v1/me/password", json=own).status_code == 204
    user = api.world.a.users["caregiver"]
    form = {"username": user.username, "password": "a word of her own"}
    token = api.anonymous.post(TOKEN, data=form).json()["access_token"]
    with TestClient(api.app, headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get("/api/v1/residents").status_code == 200


def test_weak_passwords_are_refused_wherever_one_is_chosen(api: Api) -> None:
    admin, user = api.as_user("admin"), api.world.a.users["caregiver"]
    new = {"username": "nurse.li", "role": "caregiver", "name": "李护士"}
    for password in ("Password1234", "nurse.li-2026", "eleven char"):
        answer = admin.post("/api/v1/users", json={**new, "password": password})
        assert answer.status_code == 422, password
        assert password not in answer.text
    assert admin.patch(f"/api/v1/users/{user.id}", json={"password": "caregiver-a 1"}).status_code == 422
    own = api.world.a.users["admin"]
    assert admin.patch(f"/api/v1/users/{own.id}", json={"password": "a new sentence"}).status_code == 422
    body = {"current": user.password, "new": "qwertyuiopas"}
    assert api.as_user("caregiver").post("/api/v1/me/password", json=body).status_code == 422

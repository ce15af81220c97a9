"""Sign-ins: the cookie is random, the file keeps them and holds no cookie, the old are forgotten."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from api.console.sessions import IDLE_SECONDS_MAX, SESSIONS_MAX, Sessions
from core.clock import ManualClock

TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 900}


def me(role: str = "caregiver", institution: str | None = "one") -> dict[str, Any]:
    return {"username": "x", "role": role, "institution": {"id": institution, "site": "s"} if institution else None}


def test_a_cookie_finds_its_session_and_no_other_text_does(clock: ManualClock) -> None:
    sessions = Sessions(clock)
    cookie, session = sessions.begin(TOKENS, me(), "10.0.0.1")
    assert sessions.find(cookie) is session
    for other in (None, "", cookie[:-1], session.key):
        assert sessions.find(other) is None


def test_the_file_outlives_a_restart_and_holds_no_cookie(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    cookie, _ = Sessions(clock, path).begin(TOKENS, me(), "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cookie not in path.read_text()
    again = Sessions(clock, path).find(cookie)
    assert again is not None
    assert (again.refresh_token, again.access_token, again.expires_at) == ("r", "", 0.0)


def test_a_file_that_cannot_be_read_ends_sign_ins_not_the_console(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    path.write_text("{broken")
    sessions = Sessions(clock, path)
    cookie, _ = sessions.begin(TOKENS, me(), "")
    assert json.loads(path.read_text())[0]["me"]["username"] == "x"
    assert sessions.find(cookie) is not None


def test_an_end_is_an_end(clock: ManualClock) -> None:
    sessions = Sessions(clock)
    cookie, session = sessions.begin(TOKENS, me(), "")
    sessions.end(session)
    sessions.end(session)
    assert sessions.find(cookie) is None
    assert session.ended


def test_only_staff_read_for_the_house_and_the_last_used_first(clock: ManualClock) -> None:
    sessions = Sessions(clock)
    cookies = [sessions.begin(TOKENS, me(role), "")[0] for role in ("caregiver", "family", "admin")]
    sessions.begin(TOKENS, me(institution="other"), "")
    sessions.begin(TOKENS, me("platform", None), "")
    clock.advance(5)
    sessions.find(cookies[0])
    assert [one.role for one in sessions.of_institution("one")] == ["caregiver", "admin"]


def test_sign_ins_are_bounded_in_number_and_age(clock: ManualClock) -> None:
    sessions = Sessions(clock)
    first, _ = sessions.begin(TOKENS, me(), "")
    clock.advance(IDLE_SECONDS_MAX + 1)
    for _ in range(SESSIONS_MAX + 2):
        last, _ = sessions.begin(TOKENS, me(), "")
        clock.advance(0.001)
    assert sessions.find(first) is None
    assert sessions.find(last) is not None
    assert len(sessions.of_institution("one")) == SESSIONS_MAX

"""Secrets from files: `ANHU_<NAME>_FILE` enters, the setting or one clear sentence leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.settings import load_settings

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ANHU_TOKEN_KEY", "ANHU_TOKEN_KEY_FILE", "ANHU_DATABASE_URL", "ANHU_DATABASE_URL_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_a_secret_is_read_from_its_file_without_the_line_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    monkeypatch.setenv("ANHU_TOKEN_KEY_FILE", str(tmp_path / "key"))
    assert load_settings().require_token_key() == KEY


def test_a_file_wins_over_anhu_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "anhu.toml").write_text(f'token_key = "{KEY[::-1]}"\n')
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setenv("ANHU_TOKEN_KEY_FILE", str(tmp_path / "key"))
    assert load_settings().require_token_key() == KEY


def test_saying_it_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setenv("ANHU_TOKEN_KEY", KEY)
    monkeypatch.setenv("ANHU_TOKEN_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(Misconfigured, match="ANHU_TOKEN_KEY and ANHU_TOKEN_KEY_FILE are both set"):
        load_settings()


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANHU_DATABASE_URL_FILE", "/nowhere/url")
    with pytest.raises(Misconfigured, match="ANHU_DATABASE_URL_FILE names /nowhere/url, which cannot be read"):
        load_settings()


def test_an_empty_file_is_asked_for_as_if_it_were_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("\n")
    monkeypatch.setenv("ANHU_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(Misconfigured, match="ANHU_DATABASE_URL is not set"):
        load_settings().require_database()


def test_a_secret_that_is_too_short_is_refused_without_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("tooshort")
    monkeypatch.setenv("ANHU_TOKEN_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(Misconfigured, match="ANHU_TOKEN_KEY") as caught:
        load_settings()
    assert "tooshort" not in str(caught.value)

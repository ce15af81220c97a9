"""Texts: a key and a language give what people read."""

from __future__ import annotations

import pytest

from api.console import texts
from core.vocabulary import Outcome, Severity


def test_both_puts_english_beside_chinese_and_one_language_stands_alone() -> None:
    assert texts.Speech("both")("menu.desk") == "报警台 Alert desk"
    assert texts.Speech("zh")("menu.desk") == "报警台"
    assert texts.Speech("en")("menu.desk") == "Alert desk"


def test_the_same_word_in_both_languages_stands_once() -> None:
    assert texts.Speech("both").pair("SpO₂", "SpO₂") == "SpO₂"


def test_values_are_filled_in_on_both_sides() -> None:
    assert texts.Speech("both")("desk.whom.contact", n=2) == "第 2 联系人 contact 2"


def test_a_cookie_of_nobody_gives_both() -> None:
    assert [texts.language_of(one) for one in (None, "", "fr", "en")] == ["both", "both", "both", "en"]


def test_a_key_says_one_thing() -> None:
    texts.add({"menu.board": ("看板", "Board")})
    with pytest.raises(ValueError, match=r"menu\.board"):
        texts.add({"menu.board": ("别的", "Something else")})


def test_every_word_of_the_contract_has_a_text() -> None:
    speech = texts.Speech()
    for one in (*(f"severity.{word}" for word in Severity), *(f"outcome.{word}" for word in Outcome)):
        assert speech(one)


def test_a_kind_of_entry_that_is_new_is_shown_as_it_is() -> None:
    assert texts.Speech().entry("drone_sent") == "drone sent"
    assert texts.Speech("zh").entry("opened") == "报警"

"""Which passwords are taken and which are not, each with its reason."""

from __future__ import annotations

import pytest

from api.auth.policy import check_password
from core.errors import BadInput


@pytest.mark.parametrize(
    "password",
    [
        "a new sentence",
        "correct horse battery staple",
        "雨后山里的小路很安静今天去走",
        "Tq7-vnP2-rrk9",
        "x7Gq" * 2 + "other",
    ],
)
def test_a_sentence_of_ones_own_is_taken(password: str) -> None:
    check_password(password, chars_min=12, own=("nurse.li", "李护士", "demo"))


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("eleven char", "at least 12"),
        ("Password1234", "many people"),
        ("Admin@123456", "many people"),
        ("123456789012", "many people"),
        ("woaiwojia2026!", "many people"),
        ("ｐａｓｓｗｏｒｄ１２３４", "many people"),
        ("aaaaaaaaaaaa", "repeats or counts"),
        ("xyzxyzxyzxyzxy", "repeats or counts"),
        ("890123456789", "repeats or counts"),
        ("nopqrstuvwxyz", "repeats or counts"),
        ("zyxwvutsrqponm", "repeats or counts"),
        ("my nurse.li secret", "name of the account"),
        ("NURSE.LI-2026", "name of the account"),
    ],
)
def test_what_everybody_tries_first_is_refused(password: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        check_password(password, chars_min=12, own=("nurse.li", "李护士", "demo"))


def test_the_bound_is_a_setting() -> None:
    check_password("eight ch", chars_min=8)
    with pytest.raises(BadInput, match="at least 20"):
        check_password("a sentence of mine", chars_min=20)

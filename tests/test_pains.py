"""The table of pains and cures, and the tests named after them: what the table names is there, under its number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "pains.md"
_ROW = re.compile(r"^\| (\d\d) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_NAMED = re.compile(r"^def (test_pain_\w+)\(", re.MULTILINE)
ROWS = [(int(row[0]), row[3]) for row in _ROW.findall(PAGE.read_text(encoding="utf-8"))]


def numbers_of(name: str) -> set[int]:
    """test_pain_04_and_08_the_database -> {4, 8}."""
    found = re.match(r"test_pain_(\d+(?:_(?:and_)?\d+)*)_[a-z]", name)
    assert found, f"{name}: a number, and what happens"
    return {int(one) for one in re.findall(r"\d+", found[1])}


def named_after_pains() -> set[tuple[int, str]]:
    """(number, path::name) of every test in the tree."""
    return {
        (number, f"{path.relative_to(TESTS).as_posix()}::{name}")
        for path in sorted(TESTS.rglob("test_*.py"))
        for name in _NAMED.findall(path.read_text(encoding="utf-8"))
        for number in numbers_of(name)
    }


def test_every_pain_has_its_row() -> None:
    assert [number for number, _ in ROWS] == list(range(1, 48))


def test_no_test_named_after_a_pain_is_left_out() -> None:
    told = {(number, one) for number, cell in ROWS for one in re.findall(r"`([^`]+)`", cell)}
    assert named_after_pains() - told == set()


@pytest.mark.parametrize(("number", "cell"), ROWS)
def test_what_the_table_names_is_there(number: int, cell: str) -> None:
    named = re.findall(r"`([^`]+)`", cell)
    assert named or cell.strip() == "–"
    assert {(number, one) for one in named} <= named_after_pains()

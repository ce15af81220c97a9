"""Cursors: what a list gave out comes back, anything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.paging import cursor_id, cursor_number, cursor_text, cursor_time, decode_cursor, encode_cursor, page
from core.errors import BadInput

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ID = UUID(int=7)


def test_a_sort_key_survives_the_way_there_and_back() -> None:
    cursor = encode_cursor((MOMENT, ID, 12, "x:ä"))
    assert decode_cursor(cursor, cursor_time, cursor_id, cursor_number, cursor_text) == [MOMENT, ID, 12, "x:ä"]
    assert decode_cursor(None, cursor_time, cursor_id) == [None, None]


@given(st.text(max_size=60))
def test_anything_else_is_bad_input_and_nothing_worse(text: str) -> None:
    with pytest.raises(BadInput):
        decode_cursor(text, cursor_time, cursor_id)


@pytest.mark.parametrize("value", [True, 2**63, -2, 1.5, "1", None])
def test_a_number_out_of_bounds_is_refused(value: object) -> None:
    with pytest.raises(BadInput):
        decode_cursor(encode_cursor((value,)), cursor_number)


def test_a_page_knows_whether_there_is_more() -> None:
    rows = [{"n": number} for number in range(4)]
    shown, following = page(rows, 3, lambda row: (row["n"],))
    assert shown == rows[:3]
    assert decode_cursor(following, cursor_number) == [2]
    assert page(rows[:3], 3, lambda row: (row["n"],)) == (rows[:3], None)
    assert page([], 3, lambda row: (row["n"],)) == ([], None)

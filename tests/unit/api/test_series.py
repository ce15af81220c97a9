"""Buckets and ranges of a series, without a database."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.residents.series import BUCKETS, RAW_AGE_MAX, _parts, floor, parse_bucket, plan
from core.errors import BadInput
from core.metrics import BY_CODE

NOW = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
HEART = BY_CODE["heart_rate"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("5m", "5m"), ("5min", "5m"), ("1m", "1m"),
     ("5 minutes", "5m"), ("PT5M", "5m"), ("pt15m", "15m"), ("60m", "1h"), ("1hour", "1h"),
     ("24h", "1d"), ("P1D", "1d"), ("RAW", "raw")],
)  # fmt: skip
def test_ways_of_writing_a_bucket(text: str, name: str) -> None:
    assert parse_bucket(text) == name


@pytest.mark.parametrize("text", ["", "2m", "5", "m", "5x", "P1M", "-5m", "5m5m", "1" * 16])
def test_other_buckets_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_bucket(text)


def test_the_range_is_the_last_day_unless_told_otherwise() -> None:
    query = plan(HEART, None, None, "5m", NOW)
    assert query.start == NOW - timedelta(hours=24)
    assert query.end > NOW
    assert plan(HEART, None, NOW - timedelta(days=3), "5m", NOW).start == NOW - timedelta(days=4)


def test_days_begin_at_midnight_in_china() -> None:
    assert floor(NOW, timedelta(days=1)) == datetime(2026, 2, 28, 16, tzinfo=UTC)


@given(
    st.sampled_from([name for name, width in BUCKETS.items() if width]),
    st.integers(0, 40 * 86_400),
    st.integers(1, 20 * 86_400),
)
def test_parts_cover_the_range_once_and_meet_at_a_bucket(bucket: str, ago: int, seconds: int) -> None:
    start = NOW - timedelta(seconds=ago)
    try:
        query = plan(HEART, start, start + timedelta(seconds=seconds), bucket, NOW)
    except BadInput:
        return
    assert query.width is not None
    parts = list(_parts(query, NOW - RAW_AGE_MAX))
    assert 1 <= len(parts) <= 2
    assert floor(query.start, query.width) <= parts[0][1] <= query.start
    assert parts[-1][2] == query.end
    for (_, _, end), (_, begin, _) in itertools.pairwise(parts):
        assert end == begin == floor(begin, query.width)
    for source, _, end in parts:
        assert source == "bucketed_raw" or end <= NOW - RAW_AGE_MAX

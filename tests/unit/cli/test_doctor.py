"""What the doctor makes of an ingest process's own word about its oldest message."""

from __future__ import annotations

from typing import Any

import pytest

from cli import doctor


def beat(role: str, **detail: Any) -> dict[str, Any]:
    return {"role": role, "instance": f"{role}-0", "detail": detail}


@pytest.mark.parametrize(("lag", "needs_doing"), [(0.0, False), (10.0, False), (10.1, True)])
def test_a_message_that_waits_for_more_than_ten_seconds_needs_doing(lag: float, *, needs_doing: bool) -> None:
    (found,) = doctor._look_at_lag([beat("ingest", broker=True, lag_seconds=lag), beat("jobs")])
    assert f"{lag:.1f} s" in found.detail
    assert bool(found.advice) == needs_doing


def test_an_ingest_that_does_not_say_is_not_judged() -> None:
    assert list(doctor._look_at_lag([beat("ingest", broker=True)])) == []

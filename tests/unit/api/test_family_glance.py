"""Today in one sentence: never calmer than what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from api.family.glance import Known, sentence
from api.family.kinship import called
from api.family.morning import Rise, rise
from api.family.schemas import MonitoredDevice, Monitoring
from api.schemas import Names as Pair
from core.vocabulary import Names

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # noon in China
MORNING = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)  # four o'clock in China


def monitored(level: str = "full", *reasons: str) -> Monitoring:
    return Monitoring(
        resident_id=UUID(int=1), at=NOW, monitored=level != "none", level=level,  # type: ignore[arg-type]  # a test's
        name=Pair(zh="", en=""), reasons=[Pair(zh=one, en=one) for one in reasons], devices=[], away_until=None,
        open_alerts=0,
    )  # fmt: skip


def alert(**given: Any) -> dict[str, Any]:
    base = {
        "type": "fall", "state": "open", "opened_at": NOW - timedelta(minutes=5), "actor": None, "answered_at": None,
        "answer": None, "outcome": None,
    }  # fmt: skip
    return base | given


WELL = Known(
    called=Names("妈妈", "Mum"), status="active", scopes=frozenset({"alerts", "activity"}), monitoring=monitored(),
    alerts=[], away=None, rise=Rise(datetime(2026, 3, 1, 23, 40, tzinfo=UTC), "bed"), now=NOW, zone=ZONE,
)  # fmt: skip


def test_a_usual_day_is_one_sentence() -> None:
    tone, said = sentence(WELL)
    assert (tone, said.zh) == ("calm", "妈妈今天一切如常，7:40 起床")
    assert said.en == "Mum is fine today, all as usual, up at 7:40"


@pytest.mark.parametrize(
    ("changed", "tone", "words"),
    [
        ({"monitoring": monitored("none", "没有绑定设备")}, "unknown", "目前没有守护：没有绑定设备"),
        ({"monitoring": monitored("partly", "手环：失联")}, "notice", "守护不完整：手环：失联"),
        ({"scopes": frozenset({"health"})}, "unknown", "没有查看报警的授权"),
        ({"status": "discharged"}, "notice", "已不在本机构"),
        ({"rise": None}, "calm", "起床时间未知"),
        ({"rise": Rise(NOW, "motion")}, "calm", "12:00 起有活动"),
        ({"alerts": [alert()]}, "alarm", "11:55 有跌倒报警，正在通知人员，尚无人响应"),
        (
            {"alerts": [alert(actor="李护士", answered_at=NOW, answer="acknowledged")]},
            "alarm", "李护士 12:00 正在处理",
        ),
        ({"alerts": [alert(actor="李护士", answered_at=NOW, answer="arrived")]}, "alarm", "李护士 12:00 已到场"),
        ({"alerts": [alert(state="resolved", outcome="assisted")]}, "notice", "11:55 跌倒报警已处理：已现场协助"),
        ({"away": {"kind": "away", "until": NOW + timedelta(days=1)}}, "notice", "外出中，预计 3月3日 12:00 返回"),
    ],
)  # fmt: skip
def test_everything_else_is_said_as_what_it_is(changed: dict[str, Any], tone: str, words: str) -> None:
    found, said = sentence(replace(WELL, **changed))
    assert found == tone
    assert words in said.zh
    assert "一切如常" not in said.zh or tone == "calm" or "无法" in said.zh


def test_an_alert_outweighs_being_away_and_yesterdays_has_its_day() -> None:
    yesterday = alert(opened_at=NOW - timedelta(days=1))
    tone, said = sentence(replace(WELL, alerts=[yesterday], away={"kind": "away", "until": NOW}))
    assert tone == "alarm"
    assert "03-01 12:00" in said.zh


def test_without_the_consent_for_activity_the_morning_is_not_told() -> None:
    _, said = sentence(replace(WELL, scopes=frozenset({"alerts"})))
    assert said.zh == "妈妈今天一切如常"


def points(values: list[float | None]) -> list[dict[str, Any]]:
    return [
        {"t": MORNING + timedelta(minutes=n), "avg": value, "max": value}
        for n, value in enumerate(values)
        if value is not None
    ]


def test_a_way_to_the_toilet_is_not_getting_up() -> None:
    bed = points([1.0] * 60 + [0.0] * 9 + [1.0] * 100 + [0.0] * 45)
    assert rise(bed, [], NOW) == Rise(MORNING + timedelta(minutes=169), "bed")
    assert rise(points([1.0] * 60 + [0.0] * 9), [], MORNING + timedelta(minutes=69)) is None


def test_a_bed_that_says_nothing_of_the_night_says_nothing_of_the_morning() -> None:
    assert rise(points([0.0] * 200), [], NOW) is None
    assert rise([], [], NOW) is None


def test_motion_speaks_where_there_is_no_bed() -> None:
    motion = points([0, 0, 3, 0, 0] + [0] * 60 + [2, 0, 1, 4, 0, 2])
    assert rise([], motion, NOW) == Rise(MORNING + timedelta(minutes=65), "motion")
    assert rise(points([1.0] * 200), motion, NOW) is None, "somebody else moves while the bed is occupied"


@pytest.mark.parametrize(
    ("relation", "sex", "word"),
    [("女儿", "female", "妈妈"), ("儿子", "male", "爸爸"), ("外孙", "female", "外婆"), ("Daughter", "female", "妈妈"),
     ("女婿", "female", "王秀英"), ("女儿", "unknown", "王秀英"), ("", "male", "王秀英")],
)  # fmt: skip
def test_families_read_their_own_word(relation: str, sex: str, word: str) -> None:
    assert called(relation, sex, "王秀英").zh == word


def test_many_silent_devices_are_a_number() -> None:
    watched = monitored("none", "手环：失联", "床垫：失联")
    watched.devices = [
        MonitoredDevice(
            kind="bed",
            kind_name=Pair(zh="", en=""),
            name="",
            working=False,
            last_sample=None,
            battery=None,
            reason=None,
        )
        for _ in range(2)
    ]
    _, said = sentence(replace(WELL, monitoring=watched))
    assert said.zh == "妈妈目前没有守护：2 个设备均无数据"

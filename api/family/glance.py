"""Today in one sentence: what is known of somebody enters, words in two languages and how grave it is leave. Pure.

The sentence says "as usual" only where somebody would have noticed otherwise: devices speak, the platform watches, and
the account may know of alerts. Everything else is said as what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from alerts.notify.message import type_names
from api.family.morning import Rise
from api.family.schemas import Monitoring
from api.schemas import Names as Pair
from core.vocabulary import OUTCOME_NAMES, AlertState, Names, Outcome

Tone = Literal["calm", "notice", "alarm", "unknown"]
RISE_EXPECTED_HOUR: Final = 9
"""From this hour on it is worth a word that nobody knows when somebody got up."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one resident for one account.

    called: what the reader calls them. alerts: rows of `family.alerts_of_today`, newest first. away: the absence that
    counts now. asked_rise: whether the account may know of the morning; rise: what it would be told.
    """

    called: Names
    status: str
    scopes: frozenset[str]
    monitoring: Monitoring
    alerts: Sequence[dict[str, Any]]
    away: dict[str, Any] | None
    rise: Rise | None
    now: datetime
    zone: ZoneInfo


def sentence(known: Known) -> tuple[Tone, Names]:
    """How grave it is, and the sentence."""
    if known.status in ("discharged", "deceased"):
        return "notice", _with(known, "已不在本机构，不再守护", "is no longer here; nobody is watching")
    unsolved = [row for row in known.alerts if row["state"] != AlertState.RESOLVED]
    if unsolved and "alerts" in known.scopes:
        return "alarm", _alarm(known, unsolved)
    if known.away is not None:
        return "notice", _away(known, known.away)
    reason = _reason(known.monitoring)
    if known.monitoring.level == "none":
        zh, en = (reason.zh, reason.en) if reason else ("设备均无数据", "no device is heard of")
        return "unknown", _with(known, f"目前没有守护：{zh}", f"is not monitored now: {en}")
    morning = _morning(known)
    if "alerts" not in known.scopes:
        return "unknown", _with(
            known,
            f"守护中{morning.zh}；您没有查看报警的授权，无法告诉您是否一切如常",
            f"is monitored{morning.en}; there is no consent to tell you of alerts",
        )
    if reason is not None:
        return "notice", _with(
            known, f"今天没有未处理的报警{morning.zh}，但守护不完整：{reason.zh}",
            f"has no open alert today{morning.en}, yet is only partly monitored: {reason.en}",
        )  # fmt: skip
    if known.alerts:
        return "notice", _settled(known, morning)
    return "calm", _with(known, f"今天一切如常{morning.zh}", f"is fine today, all as usual{morning.en}")


def _reason(monitoring: Monitoring) -> Pair | None:
    """Why it is not full, in few words: the first reason, or how many devices where several are to blame."""
    silent = [one for one in monitoring.devices if not one.working]
    if not monitoring.reasons:
        return None
    if len(silent) < 2 or len(silent) != len(monitoring.reasons):
        return monitoring.reasons[0]
    count = len(silent)
    if count == len(monitoring.devices):
        return Pair(zh=f"{count} 个设备均无数据", en=f"none of {count} devices is heard of")
    return Pair(zh=f"{count} 个设备无数据", en=f"{count} devices are not heard of")


def _with(known: Known, zh: str, en: str) -> Names:
    return Names(f"{known.called.zh}{zh}", f"{known.called.en} {en}")


def _alarm(known: Known, unsolved: Sequence[dict[str, Any]]) -> Names:
    row = unsolved[0]
    kind, at = type_names(row["type"]), _clock(known, row["opened_at"])
    if row["actor"] is None:
        return _with(
            known, f" {at} 有{kind.zh}报警，正在通知人员，尚无人响应",
            f"has an alert since {at}: {kind.en}; people are being called, nobody has answered yet",
        )  # fmt: skip
    since = _clock(known, row["answered_at"])
    does = Names("已到场", "is on site") if row["answer"] == "arrived" else Names("正在处理", "is taking care of it")
    return _with(
        known, f" {at} 有{kind.zh}报警，{row['actor']} {since} {does.zh}",
        f"has an alert since {at}: {kind.en}; {row['actor']} {does.en}, since {since}",
    )  # fmt: skip


def _away(known: Known, away: dict[str, Any]) -> Names:
    until = away["until"].astimezone(known.zone)
    day = Names(f"{until.month}月{until.day}日 {until:%H:%M}", f"{until:%Y-%m-%d %H:%M}")
    kind = Names("住院", "in hospital") if away["kind"] == "hospital" else Names("外出", "away")
    none = known.monitoring.level == "none"
    still = (
        Names("目前没有守护", "not monitored now")
        if none
        else Names("居家规则暂缓，随身呼叫有效", "a call for help still works")
    )
    return _with(
        known, f"{kind.zh}中，预计 {day.zh} 返回；{still.zh}", f"is {kind.en} until {day.en}; {still.en}"
    )  # fmt: skip


def _settled(known: Known, morning: Names) -> Names:
    count, row = len(known.alerts), known.alerts[0]
    kind, at = type_names(row["type"]), _clock(known, row["opened_at"])
    ended = OUTCOME_NAMES[Outcome(row["outcome"])]
    more = f"共 {count} 次报警，最近一次" if count > 1 else ""
    also = f"{count} alerts today, the last" if count > 1 else "one alert today"
    return _with(
        known, f"现在平安{morning.zh}；今天{more} {at} {kind.zh}报警已处理：{ended.zh}",
        f"is fine now{morning.en}; {also} at {at}, {kind.en}, is over: {ended.en}",
    )  # fmt: skip


def _morning(known: Known) -> Names:
    """What to add about the morning; nothing where the account may not know or the day is young."""
    if "activity" not in known.scopes:
        return Names("", "")
    if known.rise is None:
        late = known.now.astimezone(known.zone).hour >= RISE_EXPECTED_HOUR
        return Names("，起床时间未知", ", when they got up is not known") if late else Names("", "")
    at = f"{known.rise.at.astimezone(known.zone):%-H:%M}"
    if known.rise.by == "bed":
        return Names(f"，{at} 起床", f", up at {at}")
    return Names(f"，{at} 起有活动", f", active since {at}")


def _clock(known: Known, moment: datetime) -> str:
    """The wall time, with the day where it is not today."""
    local = moment.astimezone(known.zone)
    same = local.date() == known.now.astimezone(known.zone).date()
    return f"{local:%-H:%M}" if same else f"{local:%m-%d %H:%M}"

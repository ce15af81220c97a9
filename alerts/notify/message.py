"""What a page says: an alert and the names around it enter, a title and a text leave, Chinese first.

A channel marked public (a screen in a corridor, a group chat) gets neither name nor place nor values, only that
somebody has to look at the console.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.vocabulary import ALERT_TYPES, EVENT_TYPES, SEVERITY_NAMES, Names, Severity

WHAT_TO_DO: dict[str, Names] = {
    "sos": Names("立即联系老人并前往现场", "Call and go to the resident now"),
    "fall": Names("立即前往现场，勿急于扶起，先查看意识与伤情", "Go now; check before lifting"),
    "smoke": Names("立即前往现场，确认火情，必要时拨打119并疏散", "Go now; if there is fire call 119 and evacuate"),
    "gas": Names("立即前往现场，开窗、关阀，勿开关电器", "Go now; open windows, shut the valve, touch no switch"),
    "co": Names("立即开窗通风，将老人移至室外，必要时拨打120", "Air the room, bring them out, call 120 if needed"),
    "water_leak": Names("前往现场关闭水阀，防止滑倒", "Shut the water off; mind the wet floor"),
    "check_overdue": Names("按下设备测试键或做一次演练，并登记结果", "Try the device, by its test button or a drill"),
    "device_silent": Names("检查设备电量、佩戴与网络；此期间请人工巡视", "Check battery and network; look in"),
    "sensor_silent": Names("检查传感器与佩戴；此项数据暂不可用", "Check the sensor; this value is not watched now"),
    "sensor_flatline": Names("检查传感器，读数可能是缓存值；必要时人工复测", "Check the sensor; measure by hand"),
    "sensor_replayed": Names("检查网关与设备时钟，读数可能为旧数据", "Check gateway and clock; readings may be old"),
    "battery_low": Names("充电或更换电池", "Charge or change the battery"),
    "gateway_down": Names("检查网关电源与网络；其下设备暂不受监护，请人工巡视", "Check its power and network; look in"),
    "site_offline": Names("检查机构电源与网络；请立即人工巡视", "Check power and network of the house; look in now"),
    "ingest_down": Names("联系平台运维；恢复前请人工巡视", "Call operations; look in until it is back"),
    "takeover_suspected": Names("核对设备编号与密码，更换凭证", "Check the device's id; change its credentials"),
}
_VITAL = Names("前往查看并复测，异常持续请联系医护", "Look in, measure again, call a clinician if it persists")


def type_names(code: str) -> Names:
    """The names of an alert's type; the code itself for one that this release does not know."""
    return ALERT_TYPES.get(code) or EVENT_TYPES.get(code) or Names(code, code)


def compose(
    alert: dict[str, Any],
    context: dict[str, Any],
    *,
    public: bool,
    about: Names | None = None,
    scopes: frozenset[str] | None = None,
) -> dict[str, Any]:
    """The message of one page.

    alert: a row of `alerts`. context: the row of `alerts.context`. about: why this page beside the first one.
    scopes: what the resident lets a family contact know; None for those who work here. Values need `health`; how to
    get in is for staff alone.
    Returns {"title", "body", "type", "severity", "occurred_at", "public"} and, unless public, "resident", "place",
    "speech" (what a voice reads out) and "about".
    """
    base = _base(alert, context, public=public, about=about)
    if public:
        return _public(alert, base)
    kind, severity = type_names(alert["type"]), SEVERITY_NAMES[Severity(alert["severity"])]
    who, place, since = base["resident"], base["place"], base["occurred_at"]
    todo = WHAT_TO_DO.get(alert["type"], _VITAL)
    values = scopes is None or "health" in scopes
    lines = [
        "【演练 DRILL】这是预先通知的演练，不是真实报警 · This is a drill" if _drill(alert) else None,
        f"{who}：{kind.zh}（{severity.zh}）",
        f"地点：{place}",
        f"时间：{since} 起",
        _measured(alert["evidence"]) if values else None,
        f"说明：{about.zh}" if about else None,
        f"处置：{todo.zh}",
        _access(context) if scopes is None else None,
        "请在平台上点击“响应”。",
        "",
        f"{kind.en} ({severity.en}): {who}, {place}, since {since}. {todo.en}.",
        f"{about.en}." if about else None,
    ]
    title = f"{_drill(alert)}【{severity.zh}】{who} {kind.zh} {place}"
    speech = f"{_spoken_drill(alert)}安护报警。{who}，{kind.zh}，{place}。{todo.zh}。"
    return {**base, "title": title, "body": _text(lines), "speech": speech}


def compose_update(
    alert: dict[str, Any], context: dict[str, Any], *, public: bool, about: Names | None = None
) -> dict[str, Any]:
    """What the family is told once somebody responds: about says who, since when, or how it ended."""
    base = _base(alert, context, public=public, about=about)
    if public:
        return _public(alert, base)
    kind, news = type_names(alert["type"]), about or Names("有新的进展", "There is news")
    who, since = base["resident"], base["occurred_at"]
    lines = [f"{who}：{kind.zh}（{since} 起）", news.zh, "", f"{kind.en}, {who}, since {since}: {news.en}."]
    title = f"{_drill(alert)}【进展】{who} {kind.zh}：{news.zh}"
    return {
        **base,
        "title": title,
        "body": _text(lines),
        "speech": f"{_spoken_drill(alert)}安护通知。{who}，{news.zh}。",
    }


def compose_rescue(
    alert: dict[str, Any], context: dict[str, Any], card: dict[str, Any], *, about: Names | None = None
) -> dict[str, Any]:
    """What a rescue service from outside needs to come and to help; card: the rescue card as it may be told now."""
    message = compose(alert, context, public=False, about=about)
    lines = [
        f"请派救援 · Please send help: {context['institution_zh']} {context.get('institution_phone') or ''}".rstrip()
    ]
    lines += [f"{_CARD_NAMES[name]}：{card[name]}" for name in _CARD_NAMES if card.get(name)]
    lines += [f"联系人：{one['name']}（{one['relation']}）{one['phone']}" for one in card.get("contacts", ())]
    body = f"{_text([*lines, ''])}\n{message['body']}"
    return {**message, "body": body, "rescue_card": card}


_CARD_NAMES = {
    "address": "地址",
    "access": "进门",
    "conditions": "病史",
    "medication": "用药",
    "allergies": "过敏",
    "mobility": "行动能力",
    "communication": "沟通",
    "hospital": "首选医院",
    "notes": "备注",
}


def with_link(message: dict[str, Any], url: str) -> dict[str, Any]:
    """The message with the recipient's own link, put in as it is sent: nothing that is stored holds one."""
    body = f"{message['body']}\n确认：{url}\nOpen to answer: {url}"
    return {**message, "body": body, "link": url}


def as_speech(message: dict[str, Any]) -> dict[str, Any]:
    """The message as a voice reads it out."""
    speech = message.get("speech") or message["title"]
    return {**message, "body": f"{speech}重复一遍：{speech}"}


def about_of(message: dict[str, Any]) -> Names | None:
    """Why a stored message was written, to write it anew."""
    return Names(*message["about"]) if message.get("about") else None


def _base(alert: dict[str, Any], context: dict[str, Any], *, public: bool, about: Names | None) -> dict[str, Any]:
    since = _local(alert["occurred_at"], context["timezone"])
    base = {"type": alert["type"], "severity": alert["severity"], "occurred_at": since, "public": public}
    if not public:
        who = context["resident_name"] or context["device_name"] or context["device_id"] or ""
        base |= {"resident": who, "place": alert["place"] or "位置不详"}
    return base | {"about": [about.zh, about.en] if about and not public else None}


def _public(alert: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Neither who nor what nor where: only that somebody has to look."""
    title = f"{_drill(alert)}安护平台有新的待处理信息"
    body = f"{_drill(alert)}请登录安护平台查看并处理。\nAnhu: something is waiting for you, please sign in."
    return {"title": title, "body": body, "occurred_at": base["occurred_at"], "public": True}


def _drill(alert: dict[str, Any]) -> str:
    return "【演练 DRILL】" if alert["evidence"].get("test") else ""


def _spoken_drill(alert: dict[str, Any]) -> str:
    return "这是演练。" if alert["evidence"].get("test") else ""


def _text(lines: list[str | None] | list[str]) -> str:
    return "\n".join(line for line in lines if line is not None)


def _measured(evidence: dict[str, Any]) -> str | None:
    value, limit, unit = evidence.get("value"), evidence.get("limit"), evidence.get("unit") or ""
    if not isinstance(value, int | float):
        return None
    against = f"（界限 {limit:g} {unit}）" if isinstance(limit, int | float) else ""
    return f"数值：{value:g} {unit}{against}"


def _access(context: dict[str, Any]) -> str | None:
    return f"进门：{context['access_notes']}" if context.get("access_notes") else None


def local_time(moment: datetime, timezone: str) -> str:
    """The time of day where the institution is."""
    return moment.astimezone(_zone(timezone)).strftime("%H:%M")


def _local(moment: datetime, timezone: str) -> str:
    """Wall time where the institution is, with the offset said: a page may be read elsewhere."""
    return moment.astimezone(_zone(timezone)).strftime("%Y-%m-%d %H:%M:%S%z")


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("Asia/Shanghai")

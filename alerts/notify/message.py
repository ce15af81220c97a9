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
    alert: dict[str, Any], context: dict[str, Any], *, public: bool, about: Names | None = None
) -> dict[str, Any]:
    """The message of one page.

    alert: a row of `alerts`. context: the row of `alerts.context`. about: why this page beside the first one.
    Returns {"title", "body", "type", "severity", "occurred_at", "public"} and, unless public, "resident" and "place".
    """
    kind, severity = type_names(alert["type"]), SEVERITY_NAMES[Severity(alert["severity"])]
    drill = "【演练 DRILL】" if alert["evidence"].get("test") else ""
    since = _local(alert["occurred_at"], context["timezone"])
    base = {"type": alert["type"], "severity": alert["severity"], "occurred_at": since, "public": public}
    if public:
        title = f"{drill}安护平台有新的待处理信息"
        body = f"{drill}请登录安护平台查看并处理。\nAnhu: something is waiting for you, please sign in."
        return {"title": title, "body": body, "occurred_at": since, "public": True}
    who = context["resident_name"] or context["device_name"] or context["device_id"] or ""
    place = alert["place"] or "位置不详"
    todo = WHAT_TO_DO.get(alert["type"], _VITAL)
    lines = [f"{who}：{kind.zh}（{severity.zh}）", f"地点：{place}", f"时间：{since} 起", _measured(alert["evidence"])]
    if about is not None:
        lines.append(f"说明：{about.zh}")
    lines += [f"处置：{todo.zh}", _access(context), "请在平台上点击“响应”。", ""]
    lines.append(f"{kind.en} ({severity.en}): {who}, {place}, since {since}. {todo.en}.")
    if about is not None:
        lines.append(f"{about.en}.")
    title = f"{drill}【{severity.zh}】{who} {kind.zh} {place}"
    if drill:
        lines.insert(0, "【演练 DRILL】这是预先通知的演练，不是真实报警 · This is a drill")
    body = "\n".join(line for line in lines if line is not None)
    return {"title": title, "body": body, "resident": who, "place": place, **base}


def _measured(evidence: dict[str, Any]) -> str | None:
    value, limit, unit = evidence.get("value"), evidence.get("limit"), evidence.get("unit") or ""
    if not isinstance(value, int | float):
        return None
    against = f"（界限 {limit:g} {unit}）" if isinstance(limit, int | float) else ""
    return f"数值：{value:g} {unit}{against}"


def _access(context: dict[str, Any]) -> str | None:
    return f"进门：{context['access_notes']}" if context.get("access_notes") else None


def _local(moment: datetime, timezone: str) -> str:
    """Wall time where the institution is, with the offset said: a page may be read elsewhere."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("Asia/Shanghai")
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S%z")

"""The fixed words of the contract with their names for people: event types, severities, states, outcomes, roles."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Names(NamedTuple):
    """A name for people, Chinese first."""

    zh: str
    en: str


class Severity(StrEnum):
    """How urgent an alert is, most urgent first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlertState(StrEnum):
    """Where an alert stands; it only ever moves down this list."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ON_SITE = "on_site"
    RESOLVED = "resolved"


class Outcome(StrEnum):
    """How an alert ended; needed to resolve one."""

    ASSISTED = "assisted"
    HOSPITAL = "hospital"
    FALSE_ALARM = "false_alarm"
    TEST = "test"
    NO_ACTION = "no_action"
    OTHER = "other"


class Role(StrEnum):
    """What an account is for."""

    ADMIN = "admin"
    CAREGIVER = "caregiver"
    FAMILY = "family"
    PROVIDER = "provider"
    REGULATOR = "regulator"
    DEVICE = "device"
    PLATFORM = "platform"


EVENT_TYPES: dict[str, Names] = {
    "sos": Names("紧急呼叫", "SOS pressed"),
    "fall": Names("跌倒", "Fall"),
    "smoke": Names("烟雾报警", "Smoke"),
    "gas": Names("燃气泄漏", "Gas leak"),
    "co": Names("一氧化碳", "Carbon monoxide"),
    "water_leak": Names("漏水", "Water leak"),
    "bed_exit": Names("离床", "Left the bed"),
    "bed_return": Names("回床", "Back in bed"),
    "door_open": Names("开门", "Door opened"),
    "door_close": Names("关门", "Door closed"),
    "geofence_exit": Names("离开安全区域", "Left the safe area"),
    "geofence_return": Names("回到安全区域", "Back in the safe area"),
    "tamper": Names("设备被拆动", "Tampering"),
    "power_loss": Names("断电", "Power lost"),
    "power_restore": Names("恢复供电", "Power restored"),
    "low_battery": Names("电量低", "Low battery"),
    "test": Names("测试", "Test"),
    "restore": Names("恢复正常", "Back to normal"),
}

EMERGENCY_EVENTS: dict[str, Severity] = {
    "sos": Severity.CRITICAL,
    "fall": Severity.CRITICAL,
    "smoke": Severity.CRITICAL,
    "gas": Severity.CRITICAL,
    "co": Severity.CRITICAL,
    "water_leak": Severity.HIGH,
}
"""Events that open an alert by themselves, at once, whatever else is known."""

NOTICED_EVENTS: dict[str, tuple[str, Severity]] = {
    "geofence_exit": ("geofence_exit", Severity.HIGH),
    "tamper": ("tamper", Severity.MEDIUM),
    "low_battery": ("battery_low", Severity.LOW),
}
"""What a device has judged by itself: the alert that it opens, the same as a detector's of this type."""

ALERT_TYPES: dict[str, Names] = {
    **{code: EVENT_TYPES[code] for code in EMERGENCY_EVENTS},
    "heart_rate_high": Names("心率过快", "Heart rate high"),
    "heart_rate_low": Names("心率过慢", "Heart rate low"),
    "spo2_low": Names("血氧过低", "Oxygen saturation low"),
    "resp_rate_high": Names("呼吸过快", "Breathing fast"),
    "resp_rate_low": Names("呼吸过慢", "Breathing slow"),
    "body_temp_high": Names("体温过高", "Body temperature high"),
    "body_temp_low": Names("体温过低", "Body temperature low"),
    "bp_sys_high": Names("收缩压过高", "Systolic pressure high"),
    "bp_sys_low": Names("收缩压过低", "Systolic pressure low"),
    "bp_dia_high": Names("舒张压过高", "Diastolic pressure high"),
    "bp_dia_low": Names("舒张压过低", "Diastolic pressure low"),
    "glucose_high": Names("血糖过高", "Glucose high"),
    "glucose_low": Names("血糖过低", "Glucose low"),
    "heart_rate_unusual": Names("心率异于平时", "Heart rate unusual for this person"),
    "spo2_unusual": Names("血氧低于平时", "Oxygen saturation below this person's usual"),
    "resp_rate_unusual": Names("呼吸异于平时", "Breathing unusual for this person"),
    "body_temp_unusual": Names("体温异于平时", "Temperature unusual for this person"),
    "bp_sys_unusual": Names("收缩压异于平时", "Systolic pressure unusual for this person"),
    "bp_dia_unusual": Names("舒张压异于平时", "Diastolic pressure unusual for this person"),
    "weight_rising": Names("体重上升", "Weight rising"),
    "weight_falling": Names("体重下降", "Weight falling"),
    "heart_rate_rising": Names("静息心率逐日上升", "Resting pulse rising over days"),
    "heart_rate_falling": Names("静息心率逐日下降", "Resting pulse falling over days"),
    "body_temp_rising": Names("体温逐日上升", "Temperature rising over days"),
    "body_temp_falling": Names("体温逐日下降", "Temperature falling over days"),
    "bp_sys_rising": Names("血压逐日上升", "Blood pressure rising over days"),
    "bp_sys_falling": Names("血压逐日下降", "Blood pressure falling over days"),
    "fever": Names("疑似发热（老年标准）", "Fever by the rules for older people"),
    "news2": Names("早期预警评分升高", "Early warning score raised (NEWS2)"),
    "vitals_review": Names("生命体征需复核", "Day's vital readings need a look"),
    "inactivity": Names("长时间无活动", "No activity for long"),
    "missed_morning": Names("早晨未起身", "Not up in the morning"),
    "night_wandering": Names("夜间徘徊", "Wandering at night"),
    "bed_not_returned": Names("夜间离床未归", "Not back in bed"),
    "door_open_night": Names("夜间开门", "Door open at night"),
    "routine_review": Names("作息异常需关注", "An unusual day"),
    "geofence_exit": EVENT_TYPES["geofence_exit"],
    "wandering": Names("在外徘徊", "Wandering about"),
    "room_cold": Names("室温过低", "Room cold"),
    "room_hot": Names("室温过高", "Room hot"),
    "water_running": Names("用水不止", "Water running on"),
    "water_unused": Names("长时间未用水", "No water drawn"),
    "device_silent": Names("设备失联", "Device silent"),
    "sensor_silent": Names("传感器无数据", "Sensor silent"),
    "sensor_flatline": Names("数值异常不变", "Value stuck"),
    "sensor_replayed": Names("数据疑似重放", "Readings repeated"),
    "battery_low": Names("设备电量低", "Battery low"),
    "gateway_down": Names("网关离线", "Gateway down"),
    "site_offline": Names("机构整体离线", "Site offline"),
    "ingest_down": Names("平台数据接收中断", "Data reception down"),
    "takeover_suspected": Names("设备编号被重复使用", "Device id used twice"),
    "check_overdue": Names("安全设备检查逾期", "Safety check overdue"),
    "tamper": EVENT_TYPES["tamper"],
}

WATCHED_ROLES: tuple[str, ...] = ("ingest", "alerts", "jobs")
"""Roles without which somebody may not be heard; the others serve people who look."""

EMERGENCY_TYPES: frozenset[str] = frozenset({"sos", "fall", "smoke", "gas", "co"})
"""Calls for help: nothing silences or inhibits them."""

TECHNICAL_TYPES: frozenset[str] = frozenset(
    {
        "device_silent", "sensor_silent", "sensor_flatline", "sensor_replayed", "battery_low", "gateway_down",
        "site_offline", "ingest_down", "takeover_suspected", "check_overdue",
    }
)  # fmt: skip
"""About devices and lines, not people: what a silence means that names no type, and what may end by itself."""
PAUSED_WHILE_AWAY = frozenset(
    {
        "device_silent", "sensor_silent", "sensor_flatline", "geofence_exit", "inactivity", "missed_morning",
        "night_wandering", "wandering", "bed_not_returned", "routine_review", "water_unused",
    }
)  # fmt: skip
"""What detectors conclude from somebody not being where they live; held while the resident is away or in hospital."""

STATE_NAMES: dict[AlertState, Names] = {
    AlertState.OPEN: Names("待响应", "Open"),
    AlertState.ACKNOWLEDGED: Names("已响应", "Acknowledged"),
    AlertState.ON_SITE: Names("已到场", "On site"),
    AlertState.RESOLVED: Names("已解除", "Resolved"),
}

SEVERITY_NAMES: dict[Severity, Names] = {
    Severity.CRITICAL: Names("危急", "Critical"),
    Severity.HIGH: Names("高", "High"),
    Severity.MEDIUM: Names("中", "Medium"),
    Severity.LOW: Names("低", "Low"),
}

OUTCOME_NAMES: dict[Outcome, Names] = {
    Outcome.ASSISTED: Names("已现场协助", "Assisted on site"),
    Outcome.HOSPITAL: Names("已送医", "Taken to hospital"),
    Outcome.FALSE_ALARM: Names("误报", "False alarm"),
    Outcome.TEST: Names("测试", "Test"),
    Outcome.NO_ACTION: Names("无需处理", "No action needed"),
    Outcome.OTHER: Names("其他", "Other"),
}

PURPOSES: dict[str, Names] = {
    "care": Names("日常照护", "Everyday care"),
    "emergency": Names("紧急救助", "An emergency"),
    "management": Names("机构管理", "Running the institution"),
    "family": Names("家属知情", "Family being informed"),
    "service": Names("服务履约", "Fulfilling a service"),
    "supervision": Names("监督检查", "Supervision"),
    "rights": Names("个人权利请求", "A request of the person concerned"),
    "technical": Names("系统运维", "Operating the platform"),
}
"""What personal data is used for; stands with every reading of it."""

PURPOSES_OF_ROLE: dict[Role, tuple[str, ...]] = {
    Role.ADMIN: ("management", "care", "emergency", "supervision", "rights"),
    Role.CAREGIVER: ("care", "emergency", "management", "rights"),
    Role.FAMILY: ("family", "emergency", "rights"),
    Role.PROVIDER: ("service", "emergency"),
    Role.REGULATOR: ("supervision",),
    Role.PLATFORM: ("technical", "supervision"),
}
"""The purposes that somebody may name; the first stands where none is named."""

CONSENT_SCOPES: dict[str, Names] = {
    "alerts": Names("报警信息", "Alerts"),
    "health": Names("健康数据", "Health data"),
    "location": Names("位置信息", "Location"),
    "activity": Names("活动情况", "Daily activity"),
}

DEVICE_KINDS: dict[str, Names] = {
    "wristband": Names("智能手环", "Wristband"),
    "pendant": Names("呼叫挂坠", "Pendant"),
    "bed": Names("床垫传感器", "Bed sensor"),
    "pir": Names("人体感应器", "Motion sensor"),
    "door": Names("门磁", "Door sensor"),
    "smoke": Names("烟感", "Smoke detector"),
    "gas": Names("燃气报警器", "Gas detector"),
    "co": Names("一氧化碳报警器", "CO detector"),
    "water": Names("水浸传感器", "Water sensor"),
    "climate": Names("温湿度计", "Thermometer"),
    "scale": Names("体重秤", "Scale"),
    "bp_monitor": Names("血压计", "Blood pressure monitor"),
    "glucometer": Names("血糖仪", "Glucometer"),
    "tracker": Names("定位器", "Location tracker"),
    "gateway": Names("网关", "Gateway"),
    "other": Names("其他", "Other"),
}

CHECKED_KINDS: tuple[str, ...] = ("wristband", "pendant", "smoke", "gas", "co", "water")
"""Devices that somebody's life may hang on and that say nothing until then: they are tried at intervals."""

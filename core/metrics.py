"""The registry of metrics: a code enters, its unit, plausible range, kind, LOINC and names leave.

Ranges bound what a working sensor can report, not what is healthy; a value outside is a rejection.
LOINC codes and UCUM units are those of the HL7 R4 vital-signs value set where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["vital", "activity", "state", "environment", "location", "device"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One measurable thing. `id` is what the database stores; it never changes meaning."""

    id: int
    code: str
    unit: str
    ucum: str
    low: float
    high: float
    kind: Kind
    zh: str
    en: str
    loinc: str | None = None


METRICS: tuple[Metric, ...] = (
    Metric(1, "heart_rate", "/min", "/min", 10, 300, "vital", "心率", "Heart rate", "8867-4"),
    Metric(2, "spo2", "%", "%", 30, 100, "vital", "血氧饱和度", "Oxygen saturation", "59408-5"),
    Metric(3, "resp_rate", "/min", "/min", 1, 80, "vital", "呼吸频率", "Respiratory rate", "9279-1"),
    Metric(4, "body_temp", "°C", "Cel", 25, 45, "vital", "体温", "Body temperature", "8310-5"),
    Metric(5, "bp_sys", "mmHg", "mm[Hg]", 30, 300, "vital", "收缩压", "Systolic blood pressure", "8480-6"),
    Metric(6, "bp_dia", "mmHg", "mm[Hg]", 10, 200, "vital", "舒张压", "Diastolic blood pressure", "8462-4"),
    Metric(7, "glucose", "mmol/L", "mmol/L", 0.5, 50, "vital", "血糖", "Blood glucose", "15074-8"),
    Metric(8, "weight", "kg", "kg", 15, 300, "vital", "体重", "Body weight", "29463-7"),
    Metric(9, "steps", "count", "{steps}", 0, 200_000, "activity", "步数", "Steps", "55423-8"),
    Metric(10, "sleep_stage", "0-4", "1", 0, 4, "activity", "睡眠阶段", "Sleep stage"),
    Metric(11, "motion", "count", "{count}", 0, 100_000, "activity", "人体活动", "Motion (PIR)"),
    Metric(12, "door", "0/1", "1", 0, 1, "state", "门磁", "Door open"),
    Metric(13, "bed", "0/1", "1", 0, 1, "state", "在床", "Bed occupied"),
    Metric(14, "room_temp", "°C", "Cel", -40, 80, "environment", "室温", "Room temperature"),
    Metric(15, "humidity", "%", "%", 0, 100, "environment", "湿度", "Relative humidity"),
    Metric(16, "co_ppm", "ppm", "[ppm]", 0, 10_000, "environment", "一氧化碳", "Carbon monoxide"),
    Metric(17, "gas_lel", "%LEL", "%", 0, 100, "environment", "可燃气体", "Flammable gas"),
    Metric(18, "smoke", "0/1", "1", 0, 1, "environment", "烟雾", "Smoke"),
    Metric(19, "water_leak", "0/1", "1", 0, 1, "environment", "水浸", "Water leak"),
    Metric(20, "water_flow", "L", "L", 0, 100_000, "environment", "用水量", "Water drawn"),
    Metric(21, "power_w", "W", "W", 0, 100_000, "environment", "用电功率", "Electric power"),
    Metric(22, "lat", "°", "deg", -90, 90, "location", "纬度", "Latitude"),
    Metric(23, "lon", "°", "deg", -180, 180, "location", "经度", "Longitude"),
    Metric(24, "loc_acc", "m", "m", 0, 100_000, "location", "定位精度", "Location accuracy"),
    Metric(25, "battery", "%", "%", 0, 100, "device", "电量", "Battery"),
    Metric(26, "rssi", "dBm", "dB[mW]", -200, 20, "device", "信号强度", "Signal strength"),
)

BY_CODE: dict[str, Metric] = {metric.code: metric for metric in METRICS}
BY_ID: dict[int, Metric] = {metric.id: metric for metric in METRICS}
LOCATION_METRICS: frozenset[int] = frozenset(metric.id for metric in METRICS if metric.kind == "location")

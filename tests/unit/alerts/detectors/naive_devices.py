"""The slow obvious twins of the detectors about devices: dictionaries and loops, one reading at a time."""

from __future__ import annotations

import math
from typing import Any

from alerts.detectors.parameters import (
    BATTERY_READINGS,
    FLAT_RULES,
    OUTAGE_CHILDREN,
    OUTAGE_DEVICES,
    OUTAGE_MIN,
    OUTAGE_OFFLINE,
    OUTAGE_SHARE,
    REPEAT_DISTINCT,
    REPEAT_MEMORY,
    REPEAT_READINGS,
    SENSOR_LATE,
)
from core.metrics import BY_CODE

Row = tuple[int, int, float, float]
Told = tuple[int, str, str]
"""Subject, type, phase."""


def sane(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row[0] >= 0 and math.isfinite(row[2]) and math.isfinite(row[3])]


class NaiveSensors:
    def __init__(self) -> None:
        self.sensors: dict[tuple[int, int], dict[str, Any]] = {}
        self.devices: dict[int, dict[str, float]] = {}

    def register(self, device: int, metric: int, interval: float, since: float) -> None:
        known = self.sensors.setdefault((device, metric), {"heard": None, "silent": False, "since": since})
        known["interval"] = interval
        known["since"] = max(known["since"], since)
        self.devices.setdefault(device, {"heard": -math.inf, "run": since})

    def consume(self, rows: list[Row]) -> list[Told]:
        rows = sane(rows)
        for device in {row[0] for row in rows} & set(self.devices):
            known = self.devices[device]
            intervals = [one["interval"] for (d, _), one in self.sensors.items() if d == device and one["interval"] > 0]
            pause = max(min(intervals, default=math.inf), SENSOR_LATE.value)
            times = [row[2] for row in rows if row[0] == device and row[1] > 0]
            late = [t for t in times if t > known["heard"] + pause]
            if late and known["heard"] > -math.inf:
                known["run"] = max(known["run"], min(late))
            known["heard"] = max([known["heard"], *times])
        back = set()
        for key in {row[:2] for row in rows} & set(self.sensors):
            sensor = self.sensors[key]
            newest = max(row[2] for row in rows if row[:2] == key)
            if sensor["heard"] is None or newest > sensor["heard"]:
                sensor["heard"] = newest
                if sensor["silent"]:
                    sensor["silent"] = False
                    back.add(key[0])
        return self._ended(back)

    def tick(self, now: float) -> list[Told]:
        for known in self.devices.values():
            known["heard"] = min(known["heard"], now)
        ended, told = set(), set()
        for (device, _), sensor in self.sensors.items():
            if sensor["heard"] is not None:
                sensor["heard"] = min(sensor["heard"], now)
            if sensor["silent"] and sensor["interval"] <= 0:
                sensor["silent"] = False
                ended.add(device)
        out = self._ended(ended)
        for (device, _), sensor in self.sensors.items():
            heard = -math.inf if sensor["heard"] is None else sensor["heard"]
            start = max(heard, sensor["since"], self.devices[device]["run"])
            quiet = self.devices[device]["heard"] - start
            if not sensor["silent"] and 0 < sensor["interval"] <= quiet:
                sensor["silent"] = True
                told.add(device)
        return out + [(device, "sensor_silent", "raised") for device in told]

    def _ended(self, devices: set[int]) -> list[Told]:
        still = {device for (device, _), sensor in self.sensors.items() if sensor["silent"]}
        return [(device, "sensor_silent", "cleared") for device in devices - still]


class NaiveBattery:
    def __init__(self) -> None:
        self.known: dict[int, dict[str, Any]] = {}

    def register(self, device: int, low: float, critical: float, back: float) -> None:
        known = self.known.setdefault(device, {"time": -math.inf, "run": 0, "rank": 0})
        known |= {"low": low, "critical": critical, "back": min(back, 100 - low)}

    def consume(self, rows: list[Row]) -> list[Told]:
        out: list[Told] = []
        for device, metric, time, value in sorted(sane(rows), key=lambda row: (row[2], row[3])):
            known = self.known.get(device)
            if known is None or metric != BY_CODE["battery"].id or time <= known["time"]:
                continue
            known["time"] = time
            known["run"] = known["run"] + 1 if value <= known["low"] else 0
            rank = 2 if value <= known["critical"] else 1 if known["run"] >= BATTERY_READINGS.value else 0
            if rank > known["rank"]:
                known["rank"] = rank
                out.append((device, "battery_low", "raised"))
            elif known["rank"] and value >= known["low"] + known["back"]:
                known["rank"] = 0
                out.append((device, "battery_low", "cleared"))
        return out


class NaiveFlatline:
    def __init__(self) -> None:
        self.known: dict[tuple[int, int], dict[str, Any]] = {}
        self.rules = {BY_CODE[rule.metric].id: rule for rule in FLAT_RULES}

    def consume(self, rows: list[Row]) -> list[Told]:
        out: list[Told] = []
        for device, metric, time, value in sorted(sane(rows), key=lambda row: (row[2], row[3])):
            rule = self.rules.get(metric)
            if rule is None:
                continue
            known = self.known.setdefault((device, metric), {"rows": [], "flat": False, "again": False, "fresh": 0})
            if known["rows"] and time <= known["rows"][-1][0]:
                continue
            known["rows"].append((time, value))
            same = 0
            while same < len(known["rows"]) and known["rows"][-1 - same][1] == value:
                same += 1
            span = time - known["rows"][-same][0]
            flat = same >= rule.readings.value and span >= rule.span.value
            out += self._settle(device, known, "flat", "sensor_flatline", holds=flat, over=not flat)
            values = [one for _, one in known["rows"]]
            again = repeats(values)
            known["fresh"] = 0 if again else known["fresh"] + 1
            over = known["fresh"] >= REPEAT_READINGS.value
            out += self._settle(device, known, "again", "sensor_replayed", holds=again, over=over)
        return out

    def _settle(
        self, device: int, known: dict[str, Any], word: str, name: str, *, holds: bool, over: bool
    ) -> list[Told]:
        if holds and not known[word]:
            known[word] = True
            return [(device, name, "raised")]
        if over and known[word]:
            known[word] = False
            if not any(one[word] for (other, _), one in self.known.items() if other == device):
                return [(device, name, "cleared")]
        return []


def repeats(values: list[float]) -> bool:
    run = int(REPEAT_READINGS.value)
    tail, before = values[-run:], values[-run - int(REPEAT_MEMORY.value) : -run]
    if len(tail) < run or len(set(tail)) < REPEAT_DISTINCT.value:
        return False
    return any(before[at : at + run] == tail for at in range(len(before) - run + 1))


class NaiveOutage:
    def __init__(self) -> None:
        self.devices: dict[int, dict[str, Any]] = {}
        self.down: set[tuple[str, int]] = set()
        self.now = -math.inf

    def register(self, device: int, interval: float, *, site: int, gateway: int = -1, offline: bool = False) -> None:
        for key in {device, site, gateway} - {-1}:
            self.devices.setdefault(
                key, {"heard": None, "deaf": 0.0, "interval": 0.0, "site": -1, "gateway": -1, "offline": False}
            )
        self.devices[device] |= {"interval": interval, "site": site, "gateway": gateway, "offline": offline}

    def consume(self, rows: list[Row]) -> list[Told]:
        for device, _, time, _ in sane(rows):
            known = self.devices.get(device)
            if known is not None and (known["heard"] is None or time > known["heard"]):
                known |= {"heard": time, "deaf": 0.0}
        return []

    def tick(self, now: float, *, listening: bool = True) -> list[Told]:
        for known in self.devices.values():
            if known["heard"] is not None:
                known["heard"] = min(known["heard"], max(now, self.now))
            if not listening and math.isfinite(self.now):
                known["deaf"] += max(0.0, now - self.now)
        self.now = now
        return [] if not listening else self._settle("gateway", now) + self._settle("site", now)

    def _settle(self, group: str, now: float) -> list[Told]:
        out: list[Told] = []
        for head in {known[group] for known in self.devices.values()} - {-1}:
            members = {
                device: (now - known["heard"] - known["deaf"], known["interval"])
                for device, known in self.devices.items()
                if known[group] == head and known["heard"] is not None
            }
            if not members:
                continue
            quiet = min(one for one, _ in members.values())
            lived = [
                interval
                for device, (one, interval) in members.items()
                if interval > 0 and one - quiet < interval and not (group == "gateway" and device == head)
            ]
            least = OUTAGE_CHILDREN.value if group == "gateway" else OUTAGE_DEVICES.value
            limit = max(OUTAGE_MIN.value, OUTAGE_SHARE.value * min(lived)) if len(lived) >= least else math.inf
            known = self.devices.get(head)
            if group == "gateway" and known is not None and known["offline"] and known["gateway"] == head:
                limit = min(limit, OUTAGE_OFFLINE.value)
            name = "gateway_down" if group == "gateway" else "site_offline"
            if quiet >= limit and (group, head) not in self.down:
                self.down.add((group, head))
                out.append((head, name, "raised"))
            elif (group, head) in self.down and quiet < limit:
                self.down.discard((group, head))
                out.append((head, name, "cleared"))
        return out

"""The detectors of one follower: what people have set enters as rows of the directory, their arguments leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts.detectors.aftermath import FallAftermath
from alerts.detectors.base import Detector
from alerts.detectors.baseline import PersonalBaseline
from alerts.detectors.drift import DailyDrift
from alerts.detectors.falls import FallDetector
from alerts.detectors.fever import FeverDetector
from alerts.detectors.home import HomeDetector
from alerts.detectors.inactivity import InactivityDetector
from alerts.detectors.news2 import News2Detector
from alerts.detectors.night import NightDetector
from alerts.detectors.place import PlaceDetector
from alerts.detectors.routine_day import RoutineDay
from alerts.detectors.vital_day import VitalDayScore
from alerts.detectors.vitals import VitalsDetector
from alerts.supervision import DeviceWatch


@dataclass(slots=True)
class Detectors:
    """The detectors of one follower."""

    vitals: VitalsDetector = field(default_factory=VitalsDetector)
    news2: News2Detector = field(default_factory=News2Detector)
    baseline: PersonalBaseline = field(default_factory=PersonalBaseline)
    drift: DailyDrift = field(default_factory=DailyDrift)
    fever: FeverDetector = field(default_factory=FeverDetector)
    vital_day: VitalDayScore = field(default_factory=VitalDayScore)
    inactivity: InactivityDetector = field(default_factory=InactivityDetector)
    night: NightDetector = field(default_factory=NightDetector)
    place: PlaceDetector = field(default_factory=PlaceDetector)
    routine_day: RoutineDay = field(default_factory=RoutineDay)
    home: HomeDetector = field(default_factory=HomeDetector)
    falls: FallDetector = field(default_factory=FallDetector)
    aftermath: FallAftermath = field(default_factory=FallAftermath)
    devices: DeviceWatch = field(default_factory=DeviceWatch)

    def by_name(self) -> dict[str, Detector]:
        own: tuple[Detector, ...] = (self.home, self.falls, self.aftermath)
        return self.personal() | {detector.name: detector for detector in own} | self.devices.by_name()

    def personal(self) -> dict[str, Detector]:
        """Those whose subject is the resident, not the device; they are shown every reading of the resident."""
        own: tuple[Detector, ...] = (
            self.vitals, self.news2, self.baseline, self.drift, self.fever, self.vital_day,
            self.inactivity, self.night, self.place, self.routine_day,
        )  # fmt: skip
        return {detector.name: detector for detector in own}


PERSONAL = frozenset(Detectors().personal())


def clinical(known: Mapping[str, str]) -> dict[str, bool | None]:
    """What `News2Detector.set_clinical` takes, from settings and observations by their kind."""
    return {
        "scale2": known.get("spo2_scale") == "2",
        "oxygen": known["oxygen"] == "oxygen" if "oxygen" in known else None,
        "altered": known["consciousness"] != "A" if "consciousness" in known else None,
    }

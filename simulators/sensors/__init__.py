"""The devices: a kind enters, the class that speaks for it leaves."""

from __future__ import annotations

from core.errors import BadInput
from simulators.provisioning import SimulatedDevice
from simulators.sensors.base import Sensor, SensorOptions
from simulators.sensors.bed import Bed
from simulators.sensors.door import Door
from simulators.sensors.gas import Gas
from simulators.sensors.pir import Pir
from simulators.sensors.smoke import Smoke
from simulators.sensors.wristband import Wristband
from simulators.world import Life

SENSORS: dict[str, type[Sensor]] = {cls.kind: cls for cls in (Wristband, Bed, Pir, Door, Smoke, Gas)}


def make_sensor(device: SimulatedDevice, life: Life, options: SensorOptions) -> Sensor:
    """The sensor of this device in this life. Raises BadInput for a kind that is not simulated."""
    if device.kind not in SENSORS:
        raise BadInput(f"no simulated {device.kind!r}; there are: {', '.join(SENSORS)}")
    return SENSORS[device.kind](device, life, options)

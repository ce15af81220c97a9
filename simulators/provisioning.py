"""Who is simulated: a number, a seed and a site enter; residents with their devices leave, to be registered or run.

Seeding a demo institution registers exactly these people and devices, and `stream` later speaks for exactly them,
so that simulated and registered devices match. Resident k is the same person however many are planned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from core.errors import BadInput
from core.ids import broker_username, device_id, site_code
from simulators.rng import keyed

RESIDENTS_MAX = 9_999
ROOMS_PER_FLOOR = 12
_YOUNGEST, _OLDEST = date(1930, 1, 1), date(1956, 12, 31)

# Family names by how common they are among the generation; given names of people born between 1930 and 1956.
_FAMILY = (
    ("王", "Wang", 7), ("李", "Li", 7), ("张", "Zhang", 7), ("刘", "Liu", 5), ("陈", "Chen", 5), ("杨", "Yang", 3),
    ("赵", "Zhao", 3), ("黄", "Huang", 2), ("周", "Zhou", 2), ("吴", "Wu", 2), ("徐", "Xu", 2), ("孙", "Sun", 2),
    ("马", "Ma", 1), ("朱", "Zhu", 1), ("胡", "Hu", 1), ("郭", "Guo", 1), ("何", "He", 1), ("林", "Lin", 1),
    ("罗", "Luo", 1), ("谢", "Xie", 1), ("邓", "Deng", 1), ("冯", "Feng", 1), ("彭", "Peng", 1), ("曾", "Zeng", 1),
)  # fmt: skip
_FEMALE = (
    ("秀英", "Xiuying"), ("桂英", "Guiying"), ("秀兰", "Xiulan"), ("玉兰", "Yulan"), ("桂兰", "Guilan"),
    ("玉珍", "Yuzhen"), ("凤英", "Fengying"), ("素珍", "Suzhen"), ("淑芬", "Shufen"), ("淑贞", "Shuzhen"),
    ("翠华", "Cuihua"), ("月娥", "Yue'e"), ("惠芳", "Huifang"), ("美玲", "Meiling"), ("文英", "Wenying"),
    ("金花", "Jinhua"), ("春梅", "Chunmei"), ("丽华", "Lihua"), ("明珍", "Mingzhen"), ("德芳", "Defang"),
)  # fmt: skip
_MALE = (
    ("建国", "Jianguo"), ("国华", "Guohua"), ("志强", "Zhiqiang"), ("德明", "Deming"), ("文清", "Wenqing"),
    ("福生", "Fusheng"), ("永贵", "Yonggui"), ("树林", "Shulin"), ("长庚", "Changgeng"), ("世昌", "Shichang"),
    ("光荣", "Guangrong"), ("振华", "Zhenhua"), ("玉林", "Yulin"), ("家宝", "Jiabao"), ("正德", "Zhengde"),
    ("天明", "Tianming"), ("云山", "Yunshan"), ("学文", "Xuewen"), ("大成", "Dacheng"), ("炳坤", "Bingkun"),
)  # fmt: skip

KIT: tuple[tuple[str, str], ...] = (
    ("wristband", "wb"),
    ("bed", "bed"),
    ("pir", "pir"),
    ("door", "door"),
    ("smoke", "smoke"),
    ("gas", "gas"),
)
"""What every resident has: (device kind, prefix of its id)."""


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One device. `slot` is the broker account under which it signs in; `worn` ones follow the person, others stay."""

    id: str
    kind: str
    slot: str
    worn: bool


@dataclass(frozen=True, slots=True)
class SimulatedResident:
    """One made-up person and what is installed around them."""

    index: int
    site: str
    name_zh: str
    name_en: str
    gender: str
    birth_date: date
    building: str
    floor: int
    room: str
    devices: tuple[SimulatedDevice, ...]

    def device(self, kind: str) -> SimulatedDevice:
        """The device of this kind; BadInput when the person has none."""
        for device in self.devices:
            if device.kind == kind:
                return device
        raise BadInput(f"{self.name_en} has no {kind}")


def plan(residents: int, seed: int, site: str, *, first: int = 0) -> list[SimulatedResident]:
    """The people number `first` to `first + residents - 1` of a site.

    gender is "female" or "male", room is text such as "203". Raises BadInput for a count out of bounds.
    """
    if residents < 1 or first < 0 or first + residents > RESIDENTS_MAX:
        raise BadInput(f"residents must be between 1 and {RESIDENTS_MAX}, got {first} to {first + residents}")
    code = site_code(site)
    return [_person(index, seed, code) for index in range(first, first + residents)]


def _person(index: int, seed: int, site: str) -> SimulatedResident:
    rng = keyed(seed, site, index, "person")
    gender = "female" if rng.random() < 0.58 else "male"
    weights = [weight for _, _, weight in _FAMILY]
    family_zh, family_en, _ = _FAMILY[int(rng.choice(len(_FAMILY), p=[w / sum(weights) for w in weights]))]
    given = _FEMALE if gender == "female" else _MALE
    given_zh, given_en = given[int(rng.integers(len(given)))]
    days = int(rng.integers((_OLDEST - _YOUNGEST).days + 1))
    building, place = divmod(index, ROOMS_PER_FLOOR * 9)
    floor = place // ROOMS_PER_FLOOR + 1
    devices = tuple(_device(f"{prefix}-{index + 1:04d}", kind, site) for kind, prefix in KIT)
    return SimulatedResident(
        index=index,
        site=site,
        name_zh=family_zh + given_zh,
        name_en=f"{family_en} {given_en}",
        gender=gender,
        birth_date=_YOUNGEST + timedelta(days=days),
        building=str(building + 1),
        floor=floor,
        room=f"{floor}{place % ROOMS_PER_FLOOR + 1:02d}",
        devices=devices,
    )


def _device(text: str, kind: str, site: str) -> SimulatedDevice:
    identifier = device_id(text)
    return SimulatedDevice(identifier, kind, broker_username(site, identifier), worn=kind == "wristband")

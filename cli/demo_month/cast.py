"""Who lives and works in the demo: numbers of the plan enter, conditions, answers of assessments and names leave.

The people are those of `simulators.provisioning.plan(10, 1, "demo")`; everything here is made up to fit them. Eight
live in the house. Number 8 lives alone in a village, number 9 there with an old wife: the platform serves them at home.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AT_HOME: Final = {8: "白市驿镇海龙村 3 组 12 号", 9: "白市驿镇九里村 5 组 7 号"}
"""Residents who do not live in the house, with their address."""
HOSPITAL: Final = "高新区人民医院"


@dataclass(frozen=True, slots=True)
class Relative:
    """Somebody to call. username: their account, if they have one, with the scopes consented."""

    name: str
    relation: str
    phone: str
    username: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What staff know of a resident.

    answers: the 26 scores of GB/T 42195-2022 in the order of the form, one digit each. barthel, morse: likewise, in
    fives. level: what the answers come to, the change clauses counted.
    """

    conditions: str
    medication: str
    answers: str
    level: int
    relatives: tuple[Relative, ...]
    diagnosis: str = "none"
    barthel: tuple[int, ...] = ()
    morse: tuple[int, ...] = ()
    allergies: str = ""
    mobility: str = "可独立行走"
    communication: str = "沟通正常"
    access: str = "钥匙在值班室"
    problems: str = ""
    goals: str = ""
    measures: tuple[tuple[str, str], ...] = ()
    diet: str = ""
    groups: tuple[str, ...] = ()


ALL: Final = ("alerts", "health", "location", "activity")
PEOPLE: Final[tuple[Profile, ...]] = (
    Profile(
        "高血压 2 级，骨质疏松，1 年内跌倒史",
        "氨氯地平 5 mg 每早；碳酸钙 D3 600 mg 每日",
        "44344434443244444411212324",
        1,
        (Relative("王晓梅", "女儿", "139 0000 0101", "daughter", ALL), Relative("王晓东", "儿子", "139 0000 0102")),
        barthel=(10, 5, 5, 10, 10, 10, 10, 15, 10, 5),
        morse=(25, 15, 0, 0, 10, 0),
        problems="高血压 2 级，跌倒高风险",
        goals="血压低于 140/90 mmHg，三个月内不再跌倒",
        measures=(("测血压", "每日 8:00、20:00"), ("穿防滑鞋，夜间开感应灯", "每日"), ("平衡操", "每周三次")),
        diet="低盐",
    ),
    Profile(
        "2 型糖尿病 12 年，高血压",
        "二甲双胍 0.5 g 早晚；缬沙坦 80 mg 每早",
        "44344444444344434411212434",
        1,
        (Relative("李静", "女儿", "139 0000 0201"),),
        morse=(0, 15, 0, 0, 0, 0),
        problems="血糖波动，餐后偏高",
        goals="空腹血糖 5.0–7.5 mmol/L，不发生低血糖",
        measures=(("测空腹及餐后 2 小时血糖", "周一、周四"), ("糖尿病饮食", "每餐"), ("餐后散步 20 分钟", "每日")),
        diet="低糖",
    ),
    Profile(
        "阿尔茨海默病（早期），高血压",
        "多奈哌齐 5 mg 睡前；氨氯地平 5 mg 每早",
        "43233432443222313310222212",
        3,
        (Relative("孙立新", "儿子", "139 0000 0301", "son.sun", ("alerts", "location")),),
        diagnosis="dementia",
        morse=(0, 15, 0, 0, 0, 15),
        communication="近事遗忘，需慢语、重复",
        problems="近事遗忘，傍晚易走动，有走失风险",
        goals="不走失，保持自我照料",
        measures=(("定位手环不离身", "全天"), ("认知训练小组", "周二、周五"), ("傍晚专人陪伴", "每日 17:00–19:00")),
    ),
    Profile(
        "慢性心力衰竭（心功能 II 级），心房颤动",
        "华法林 2.5 mg 每晚；呋塞米 20 mg 每早；美托洛尔 25 mg 早晚",
        "33222333321033433311211213",
        2,
        (Relative("张敏", "女儿", "139 0000 0401"), Relative("张强", "儿子", "139 0000 0402")),
        barthel=(10, 0, 5, 10, 10, 5, 5, 10, 5, 0),
        morse=(0, 15, 15, 0, 10, 0),
        mobility="扶拐步行 50 米",
        problems="心衰，服华法林有出血风险",
        goals="体重三天内增长不超过 1 kg，静息心率低于 100 次/分",
        measures=(("晨起称体重", "每日 7:00"), ("测心率、血压", "每日两次"), ("观察牙龈、皮肤出血", "每日")),
        diet="低盐",
    ),
    Profile(
        "脑梗死后遗症，左侧肢体偏瘫，高血压",
        "阿司匹林 100 mg 每早；阿托伐他汀 20 mg 每晚；氨氯地平 5 mg 每早",
        "32122322221044434310222213",
        2,
        (Relative("周伟", "儿子", "139 0000 0501", "son.zhou", ("alerts", "health", "activity")),),
        barthel=(5, 0, 5, 5, 10, 10, 5, 10, 5, 0),
        morse=(25, 15, 15, 0, 20, 0),
        mobility="轮椅，可扶助行器站立",
        problems="左侧偏瘫，情绪低落，跌倒高风险",
        goals="三个月内扶助行器行走 30 米",
        measures=(("康复训练", "每周三次"), ("床椅转移须两人", "每次"), ("情绪评估", "每月")),
        diet="低盐",
    ),
    Profile(
        "高龄失能，长期卧床，压疮高风险",
        "多种维生素 每日；乳果糖 15 ml 每晚",
        "11000000100011212211211001",
        4,
        (Relative("陈国庆", "儿子", "139 0000 0601"), Relative("陈丽", "孙女", "139 0000 0602")),
        barthel=(5, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        morse=(0, 15, 0, 0, 0, 0),
        allergies="青霉素",
        mobility="卧床，转移用移位机",
        communication="能简单应答",
        problems="长期卧床，压疮、坠积性肺炎风险",
        goals="皮肤完好，无肺部感染",
        measures=(("翻身叩背", "每 2 小时"), ("气垫床，检查皮肤", "每班"), ("软食，进食时坐起 60°", "每餐")),
        diet="软食",
    ),
    Profile(
        "无慢性病",
        "",
        "44444444444344444411222434",
        0,
        (Relative("吴海燕", "女儿", "139 0000 0701"),),
        problems="能力完好，愿意做志愿者",
        goals="保持社会参与",
        measures=(("每月体检血压、体重", "每月"), ("志愿服务", "自愿")),
    ),
    Profile(
        "慢性阻塞性肺疾病（稳定期），听力下降",
        "噻托溴铵 18 μg 每日吸入；氨溴索 30 mg 每日三次",
        "32111122221033323311211102",
        3,
        (Relative("李建华", "儿子", "139 0000 0801"),),
        barthel=(10, 0, 0, 5, 5, 5, 5, 5, 5, 0),
        morse=(0, 15, 15, 0, 10, 0),
        communication="听力差，请大声、面对面",
        mobility="助行器，活动后气促",
        problems="慢阻肺，活动后气促",
        goals="血氧保持 88–92 %，无急性加重",
        measures=(("测血氧、呼吸", "每日三次"), ("缩唇呼吸训练", "每日两次"), ("接种流感疫苗", "每年秋季")),
    ),
    Profile(
        "高血压，白内障术后",
        "缬沙坦 80 mg 每早",
        "44444444444244434411212424",
        1,
        (Relative("杨帆", "侄子", "139 0000 0901"),),
        access="邻居何大姐有钥匙（139 0000 0912）",
        problems="独居，夜间无人照应",
        goals="居家安全，血压平稳",
        measures=(("探访或电话", "每周"), ("测血压", "每日一次")),
        groups=("alone",),
    ),
    Profile(
        "脑萎缩，重度骨关节炎，失能",
        "塞来昔布 200 mg 每日；硝苯地平控释片 30 mg 每早",
        "32112222211023323311211102",
        3,
        (
            Relative("刘淑芬", "妻子", "139 0000 1001", "wife.liu", ("alerts", "health", "activity")),
            Relative("张勇", "儿子（在外地）", "139 0000 1002"),
        ),
        barthel=(5, 0, 5, 5, 5, 5, 5, 5, 5, 0),
        morse=(25, 15, 15, 0, 20, 0),
        mobility="床椅转移需一人协助",
        access="老伴在家，院门不锁",
        problems="失能，由老伴照护，照护者疲劳",
        goals="居家不跌倒，照护者每月有休息",
        measures=(("上门照护", "每周两次"), ("探访", "每两周"), ("喘息服务", "每季度")),
        groups=("impaired", "empty_nest"),
    ),
)

STAFF: Final[tuple[tuple[str, str, str], ...]] = (
    ("nurse.liu", "caregiver", "刘护士"),
    ("nurse.he", "caregiver", "何护士"),
    ("nurse.sun", "caregiver", "孙护士"),
    ("therapist.tang", "caregiver", "唐治疗师"),
    ("social.lin", "caregiver", "林社工"),
)
OUTSIDE: Final[tuple[tuple[str, str, str], ...]] = (
    ("son.sun", "family", "孙立新"),
    ("son.zhou", "family", "周伟"),
    ("wife.liu", "family", "刘淑芬"),
    ("canteen", "provider", "幸福食堂 订餐员"),
    ("bath.team", "provider", "安康助浴 调度"),
    ("builder", "provider", "宜居改造 工长"),
    ("hospital", "provider", "高新区人民医院 转诊办"),
    ("volunteers", "provider", "邻里志愿队 队长"),
)
"""(user name, role, name) of accounts beside those of demo.json; their passwords stand in demo-passwords.json."""

HAND_HELD: Final[tuple[tuple[str, str, frozenset[int]], ...]] = (
    ("bp_monitor", "bp", frozenset({0, 1, 2, 3, 4, 8})),
    ("glucometer", "glu", frozenset({1})),
    ("scale", "scale", frozenset({3})),
)
"""Devices beside the kit, which nobody plays: (kind, prefix of the id, who is measured with it)."""


def hand_held(index: int) -> list[tuple[str, str]]:
    """(kind, id) of what this resident is measured with by hand."""
    return [(kind, f"{prefix}-{index + 1:04d}") for kind, prefix, whom in HAND_HELD if index in whom]

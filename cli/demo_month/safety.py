"""Faults against the clock, rounds by day and night, cameras; enquiries, articles and facilities for who asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

from api.services.information.kinds import ARTICLE, ENQUIRY, FACILITY
from api.services.safety.kinds import CAMERA, FAULT, ROUND
from cli.demo_month.chapter import Story
from cli.demo_month.house import Tale
from cli.demo_month.suppliers import provider_id, worker_id

FAULTS: Final[tuple[tuple[str, int, str, str, str, int, str], ...]] = (
    # device, days ago, hour, fault, cover, repaired after minutes, last action
    ("wb-0004", 23, "08:40", "手环充不进电", "换备用手环，加派每小时巡视", 95, "close"),
    ("pir-0006", 16, "11:10", "人体感应器离线", "", 70, "close"),
    ("smoke-0003", 11, "15:20", "烟感自检蜂鸣，电量不足", "", 40, "close"),
    ("door-0009", 7, "10:05", "门磁松脱，一直报开门", "邻居协助，电话确认", 1450, "close"),
    ("bed-0008", 2, "09:30", "床垫传感器无数据", "每两小时人工巡床", 185, "repair"),
    ("gas-0010", 1, "14:50", "燃气报警器自检失败", "关闭燃气总阀，改用电磁炉", 0, "cover"),
)
CAMERAS: Final = (("一层走廊东", "1 层走廊"), ("一层走廊西", "1 层走廊"), ("大门", "主入口"), ("餐厅", "1 层餐厅"),
                  ("后院", "后院花园"), ("旧大厅", "1 层大厅"))  # fmt: skip
SEEN: Final = (
    "各房间正常，老人均已入睡",
    "103 室门未关，已关好；其余正常",
    "106 室已翻身，皮肤完好",
    "走廊有水渍，已擦干",
    "正常",
)


def stories() -> Iterator[Story]:
    """What kept the house safe, and what it told people."""
    for fault in FAULTS:
        yield f"fault {fault[0]}", partial(_fault, fault)
    yield "fault of now", _fault_now
    for days_ago in range(13, -2, -1):
        for hour, title in (("22:00", "夜间巡查（熄灯后）"), ("02:00", "夜间巡查"), ("10:00", "日间安全巡查")):
            yield f"round {days_ago} {hour}", partial(_round, days_ago, hour, title)
    for number, (title, place) in enumerate(CAMERAS):
        yield f"camera {title}", partial(_camera, number, title, place)
    yield from _information()


def _fault(row: tuple[str, int, str, str, str, int, str], tale: Tale) -> None:
    device, days_ago, hour, fault, cover, minutes, last = row
    began = tale.on(days_ago, hour)
    record = tale.make("nurse.sun", FAULT, device=device, fault=fault)
    tale.at(began, minutes=8)
    words = {"provider_id": provider_id(tale, "宜居适老化改造公司"), "worker_id": worker_id(tale, "彭工")}
    tale.do("nurse.sun", FAULT, record, "assign", **words)
    if cover:
        tale.at(began, minutes=18)
        tale.do("nurse.sun", FAULT, record, "cover", cover=cover)
    if last == "cover":
        return
    tale.at(began, minutes=minutes)
    tale.do("builder", FAULT, record, "repair", done="更换电池与触点，现场测试正常", tested=True)
    if last == "close":
        tale.at(began, minutes=minutes + 45)
        tale.do("nurse.sun", FAULT, record, "close", note="已观察，数据正常")


def _fault_now(tale: Tale) -> None:
    began = tale.at(tale.house.anchor, minutes=-35)
    tale.make("nurse.chen", FAULT, device="wb-0006", fault="表带断裂")
    tale.at(began, minutes=10)
    record = tale.make("nurse.chen", FAULT, device="door-0007", fault="门磁偶尔不报")
    tale.at(began, minutes=15)
    words = {"provider_id": provider_id(tale, "宜居适老化改造公司"), "worker_id": worker_id(tale, "彭工")}
    tale.do("nurse.chen", FAULT, record, "assign", **words)


def _round(days_ago: int, hour: str, title: str, tale: Tale) -> None:
    begins = tale.house.moment(days_ago, hour)
    planned = begins - timedelta(hours=16)
    if not tale.has_come(planned + timedelta(minutes=5)):
        return
    tale.at(planned)
    record = tale.make("nurse.li", ROUND, title=title, starts_at=begins, ends_at=begins + timedelta(minutes=40))
    if not tale.has_come(begins + timedelta(minutes=45)):
        return
    nurse = "nurse.liu" if hour != "10:00" else "nurse.sun"
    if (days_ago, hour) == (8, "02:00"):
        tale.at(begins, minutes=45)
        tale.do("nurse.li", ROUND, record, "miss", reason="同时处理 104 室呼叫，未完成整轮")
        return
    tale.at(begins, minutes=25 + tale.rng.randrange(10))
    danger = ["消防通道堆放轮椅"] if (days_ago, hour) in ((10, "10:00"), (0, "10:00")) else []
    seen = "消防通道被占" if danger else SEEN[(days_ago + len(title)) % len(SEEN)]
    tale.do(nurse, ROUND, record, "walk", findings=seen, dangers=danger)
    if days_ago == 0:
        return
    if danger:
        tale.at(begins, minutes=90)
        tale.do(nurse, ROUND, record, "put_right", done="轮椅移至辅具间，通道已清")
    wanted = begins + timedelta(hours=6)
    if tale.has_come(wanted):
        tale.at(wanted)
        tale.do("nurse.li", ROUND, record, "close", note="已阅")


def _camera(number: int, title: str, place: str, tale: Tale) -> None:
    tale.on(32, "10:00")
    record = tale.make("admin", CAMERA, title=title, place=place, private=False)
    if number == 4:
        return  # hangs there, not yet connected
    if number == 5:
        tale.on(20, "09:00")
        tale.do("admin", CAMERA, record, "retire", reason="镜头进水，已拆除")
        return
    tale.do("admin", CAMERA, record, "connect", reachable=True)
    for days_ago in (22, 15, 9, 2):
        tale.on(days_ago, "08:20")
        tale.do("nurse.li", CAMERA, record, "check", reachable=True)
    if number == 0:
        tale.on(1, "14:40")
        tale.do("nurse.li", CAMERA, record, "view", purpose="核实走廊跌倒报警")
    if number == 3:
        tale.on(1, "18:30")
        tale.do("admin", CAMERA, record, "switch_off", reason="餐厅改造施工三天")


ENQUIRIES: Final[tuple[tuple[int, str, dict[str, Any], str, str], ...]] = (
    # days ago, asked by, the question, the answer, last action
    (26, "nurse.sun", {"title": "护理型床位是否有空", "question": "母亲 82 岁，中度失能，想咨询护理型床位和价格",
     "topic": "beds", "caller": "王女士", "phone": "139 0000 2001"},
     "现有护理型床位 3 张，每月 3,600 元起，可预约参观", "close"),
    (21, "daughter", {"title": "失能补贴怎么申请", "question": "母亲评估为轻度失能，能否申请补贴？",
     "topic": "subsidies"},
     "重度及以上可申请护理补贴；轻度可申请助餐补贴，请携带评估结果到社区办理", "close"),
    (14, "nurse.sun", {"title": "想来院参观", "question": "父亲想来看看环境，周末可以吗？",
     "topic": "beds", "caller": "赵先生",
     "phone": "139 0000 2002"}, "周六上午 9:30 可以，已安排接待", "follow_up"),
    (9, "son.zhou", {"title": "康复训练能否增加", "question": "父亲每周三次训练，能否加到五次？", "topic": "services"},
     "治疗师评估后可加到四次，下周起执行", "answer"),
    (4, "daughter", {"title": "午餐偏咸", "question": "母亲说这周午餐偏咸，她要低盐的。", "topic": "complaint"},
     "已核对，周二发错套餐，已向食堂提出并致歉", "answer"),
    (2, "wife.liu", {"title": "护理床能否续租", "question": "护理床到期后还能再租吗？",
     "topic": "services"}, "", "forward"),
)  # fmt: skip


def _information() -> Iterator[Story]:
    for row in ENQUIRIES:
        yield f"enquiry {row[2]['title']}", partial(_enquiry, row)
    yield "enquiry of now", _enquiry_now
    for article in ARTICLES:
        yield f"article {article[0]}", partial(_article, article)
    yield "facilities", _facilities


def _enquiry(row: tuple[int, str, dict[str, Any], str, str], tale: Tale) -> None:
    days_ago, asked_by, words, answer, last = row
    began = tale.on(days_ago, "19:10" if asked_by != "nurse.sun" else "10:20")
    record = tale.make(asked_by, ENQUIRY, **words)
    complaint = words["topic"] == "complaint"
    steps: tuple[tuple[float, str, dict[str, Any]], ...] = (
        (0.5, "forward", {"department": "膳食科" if complaint else "入住接待"}),
        (15.0, "answer", {"answer": answer}),
        (40.0, "follow_up", {"satisfied": True, "words": "清楚了，谢谢"}),
        (42.0, "close", {"note": "已归档"}),
    )
    for hours, action, body in steps:
        tale.at(began, minutes=hours * 60)
        tale.do("nurse.sun", ENQUIRY, record, action, **body)
        if action == last:
            return


def _enquiry_now(tale: Tale) -> None:
    tale.at(tale.house.anchor, minutes=-40)
    words = {
        "title": "短期托养",
        "question": "下月做手术，想让父亲住两周",
        "caller": "钱女士",
        "phone": "139 0000 2003",
    }
    tale.make("nurse.chen", ENQUIRY, None, topic="beds", **words)


ARTICLES: Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        "高龄津贴免申即享",
        "policy",
        "80 周岁及以上户籍老年人无需申请，由系统比对后按月发放。变更银行卡请到社区办理。",
        "published",
    ),
    ("本院收费标准", "price", "护理型床位每月 3,600 元起，自理型每月 2,400 元起；膳食费每月 900 元。", "published"),
    ("流感疫苗接种安排", "notice", "请家属在接种日前告知过敏史和近期发热情况；接种后观察 30 分钟。", "published"),
    ("中秋国庆探视安排", "activity", "探视时间 9:00–11:30、14:30–17:00，请提前一天预约。", "archived"),
    ("重阳节游园会", "activity", "院内花园，设合影、下棋、手工三个角。", "expired"),
    ("手机缴费操作说明", "notice", "打开家属页面，选择账单，核对后支付。", "review"),
    ("冬季防跌倒十条", "notice", "穿合脚防滑鞋；起床先坐一分钟；夜里开灯。", "draft"),
    ("旧版收费标准", "price", "已由新标准替代。", "withdrawn"),
)


def _article(row: tuple[str, str, str, str], tale: Tale) -> None:
    title, topic, text, state = row
    tale.on(28 if state != "draft" else 2, "14:00")
    until = tale.house.day(6) if state in ("expired", "archived") else None
    record = tale.make("nurse.sun", ARTICLE, title=title, text=text, topic=topic, valid_until=until)
    if state == "draft":
        return
    tale.on(27 if state != "review" else 1, "15:00")
    tale.do("nurse.sun", ARTICLE, record, "submit")
    if state == "review":
        return
    tale.on(26, "09:30")
    tale.do("admin", ARTICLE, record, "publish")
    if state == "withdrawn":
        tale.on(14, "10:00")
        tale.do("admin", ARTICLE, record, "withdraw", reason="新标准已发布")
    if state in ("expired", "archived"):
        tale.on(5, "08:10")
        tale.do("nurse.sun", ARTICLE, record, "expire", note="活动已结束")
    if state == "archived":
        tale.on(4, "08:10")
        tale.do("admin", ARTICLE, record, "archive")


FACILITIES: Final[tuple[tuple[dict[str, Any], str, str], ...]] = (
    ({"title": "安护示范养老院", "facility_type": "institution", "run_by": "society", "street": "白市驿镇",
      "community": "和平社区", "comprehensive": True, "beds": 16, "nursing_beds": 13, "care_licence": True,
      "medical_licence": True, "grade": 4, "price_from": 2400,
      "introduction": "医养结合机构，护理型床位 13 张，与高新区人民医院签约。"}, "operating", "full"),
    ({"title": "白市驿镇综合养老服务中心", "facility_type": "centre", "run_by": "society", "street": "白市驿镇",
      "community": "驿都社区", "beds": 20, "nursing_beds": 8, "care_licence": True}, "operating", "basic"),
    ({"title": "海龙村互助养老点", "facility_type": "mutual_aid", "rural": True, "run_by": "society",
      "street": "白市驿镇", "community": "海龙村", "beds": 6, "nursing_beds": 0}, "operating", "none"),
    ({"title": "九里村养老服务站", "facility_type": "station", "rural": True, "run_by": "government",
      "street": "白市驿镇", "community": "九里村", "beds": 4, "nursing_beds": 0}, "suspended", "none"),
    ({"title": "金凤镇日间照料站", "facility_type": "station", "run_by": "society", "street": "金凤镇",
      "community": "凤凰社区", "beds": 8, "nursing_beds": 2}, "filed", "none"),
)  # fmt: skip


def _facilities(tale: Tale) -> None:
    for number, (words, state, quality) in enumerate(FACILITIES):
        tale.on(44, f"{10 + number}:00")
        record = tale.make("admin", FACILITY, **words)
        tale.at(tale.clock.now(), minutes=20)
        tale.do("admin", FACILITY, record, "file", note="已在民政部门备案")
        if state == "filed":
            continue
        tale.at(tale.clock.now(), minutes=20)
        tale.do("admin", FACILITY, record, "open", note="开业")
        if quality != "none":
            tale.on(19, "15:30")
            tale.do("admin", FACILITY, record, "inspect", quality=quality, words="区民政质量检查")
        if state == "suspended":
            tale.on(10, "10:00")
            tale.do("admin", FACILITY, record, "suspend", reason="屋面漏水维修")

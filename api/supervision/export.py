"""Tables for offices: indicators, facilities and months enter, CSV text or a workbook leaves; no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import xlsxwriter

from api.supervision.schemas import Facility, IndicatorView, Level

COLUMNS: Final = (
    *("编号 code", "指标", "indicator", "公式", "分子 numerator", "分母 denominator", "值 value", "单位 unit"),
    *("要求 target", "年份 year", "条款 clause", "来源 basis", "达标 met"),
)
LEVEL_COLUMNS: Final = (
    "级别 level",
    "街道 street",
    "社区 community",
    "设施 facilities",
    "床位 beds",
    "护理型 nursing_beds",
)
FACILITY_COLUMNS: Final = (
    *("街道 street", "社区 community", "设施 facility", "类型 type", "运营 run_by", "床位 beds", "护理型 nursing_beds"),
    *("质量 quality", "养老备案 care_licence", "医疗许可 medical_licence"),
)
MONTH_COLUMNS: Final = ("编号 code", "指标", "indicator", "月份 month", "分子 numerator", "分母 denominator")
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MET: Final = {True: "是 yes", False: "否 no", None: ""}
# A cell that begins so would be run as a formula by a spreadsheet.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_WIDTH_MAX: Final = 48


def cells(views: Iterable[IndicatorView]) -> list[list[Any]]:
    """A row for each indicator, below the head."""
    return [list(COLUMNS)] + [
        [one.code, one.name.zh, one.name.en, one.formula.zh, one.numerator, one.denominator, one.value, one.unit,
         f"{one.operator} {one.target}", one.year, one.clause, one.basis, _MET[one.met]]
        for one in views
    ]  # fmt: skip


def level_cells(levels: Iterable[Level]) -> list[list[Any]]:
    """A row for the district, each street and each community."""
    return [list(LEVEL_COLUMNS)] + [
        [one.level, one.street, one.community, one.facilities, one.beds, one.nursing_beds] for one in levels
    ]


def facility_cells(facilities: Iterable[Facility]) -> list[list[Any]]:
    """A row for each facility."""
    return [list(FACILITY_COLUMNS)] + [
        [one.street, one.community, one.title, one.type, one.run_by, one.beds, one.nursing_beds, one.quality,
         _MET[one.care_licence], _MET[one.medical_licence]]
        for one in facilities
    ]  # fmt: skip


def as_csv(table: list[list[Any]]) -> str:
    """UTF-8 with the mark that spreadsheets look for."""
    out = io.StringIO()
    csv.writer(out).writerows([[_harmless(cell) for cell in row] for row in table])
    return "\ufeff" + out.getvalue()


def as_xlsx(sheets: Mapping[str, list[list[Any]]], made: datetime) -> bytes:
    """A workbook with a sheet for each table, its head frozen and filtered, ready to print on A4 across.

    Text stays text: nothing becomes a formula or a link.
    """
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties(
            {"title": "安护监管指标 Anhu indicators", "created": made.astimezone(UTC).replace(tzinfo=None)}
        )
        head = book.add_format({"bold": True, "bg_color": "#DDE7EE", "border": 1, "text_wrap": True, "valign": "top"})
        body = book.add_format({"border": 1, "valign": "top", "text_wrap": True})
        for name, table in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(table):
                sheet.write_row(number, 0, row, body if number else head)
            for column, width in enumerate(_widths(table)):
                sheet.set_column(column, column, width)
            sheet.freeze_panes(1, 0)
            sheet.autofilter(0, 0, len(table) - 1, len(table[0]) - 1)
            sheet.repeat_rows(0)
            sheet.set_landscape()
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
    return out.getvalue()


def _widths(table: list[list[Any]]) -> list[int]:
    """How wide each column should be, in characters; a Chinese one takes two."""
    return [
        min(_WIDTH_MAX, 2 + max(sum(2 if ord(one) > 255 else 1 for one in str(cell or "")) for cell in column))
        for column in zip(*table, strict=True)
    ]


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

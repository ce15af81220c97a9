"""Tables for offices: indicators enter, CSV text leaves, readable by spreadsheets, with no formula in any cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, Final

from api.supervision.schemas import IndicatorView

COLUMNS: Final = (
    *("编号 code", "指标", "indicator", "公式", "分子 numerator", "分母 denominator", "值 value", "单位 unit"),
    *("要求 target", "年份 year", "条款 clause", "来源 basis", "达标 met"),
)
_MET: Final = {True: "是 yes", False: "否 no", None: ""}
# A cell that begins so would be run as a formula by a spreadsheet.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def cells(views: Iterable[IndicatorView]) -> list[list[Any]]:
    """A row for each indicator, below the head."""
    return [list(COLUMNS)] + [
        [one.code, one.name.zh, one.name.en, one.formula.zh, one.numerator, one.denominator, one.value, one.unit,
         f"{one.operator} {one.target}", one.year, one.clause, one.basis, _MET[one.met]]
        for one in views
    ]  # fmt: skip


def as_csv(table: list[list[Any]]) -> str:
    """UTF-8 with the mark that spreadsheets look for."""
    out = io.StringIO()
    csv.writer(out).writerows([[_harmless(cell) for cell in row] for row in table])
    return "\ufeff" + out.getvalue()


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

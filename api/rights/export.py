"""Everything about a person: a transaction and a resident enter, a ZIP of JSON and CSV in a temporary file leaves.

Every table that knows the resident's id is in it, also one that was added yesterday (`person_tables` of the database);
beside them what hangs on alerts, records and devices. Rows pass through a few thousand at a time.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final
from uuid import UUID

from core.errors import BadInput
from db.tenant import STREAM_ROWS, Transaction

BYTES_MAX: Final = 2 * 1024**3
_LINKED: Final = (
    "rights.alert_entries", "rights.pages", "rights.page_links", "rights.service_events", "rights.notices",
    "rights.device_events", "rights.readings", "rights.readings_hourly", "rights.audit",
)  # fmt: skip
_README: Final = (
    "个人数据导出 · Everything that is kept about this person\n\n"
    "每类数据各有 .json 与 .csv 两个文件；manifest.json 列出条数与校验值。\n"
    "Each kind of data is there as .json and as .csv; manifest.json tells rows and SHA-256.\n"
    "readings: 原始读数 raw readings; readings_hourly: 小时汇总 hourly values; audit: 谁看过 who looked.\n"
)

Rows = Callable[[], Iterable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Export:
    """The file, its size and hash, and how many rows of each kind are in it."""

    file: IO[bytes]
    size_bytes: int
    sha256: str
    rows: dict[str, int]


def write(tx: Transaction, resident: UUID, at: datetime) -> Export:
    """Write the whole export. The file is closed by whoever sends it. Raises BadInput where it would be too large."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- sent, then closed, by the route
    manifest: dict[str, Any] = {"resident_id": str(resident), "exported_at": at.isoformat(), "files": {}}
    rows: dict[str, int] = {}
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            for name, source in _parts(tx, resident):
                rows[name] = _add(archive, manifest["files"], name, source)
                _check_size(file.tell())
            manifest["rows"] = rows
            archive.writestr("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1))
            archive.writestr("README.txt", _README)
    except BaseException:
        file.close()
        raise
    size = file.tell()
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return Export(file, size, digest, rows)


def _check_size(size_bytes: int) -> None:
    if size_bytes > BYTES_MAX:
        raise BadInput("the export is too large for one file; ask the operator")


def _parts(tx: Transaction, resident: UUID) -> Iterator[tuple[str, Rows]]:
    yield "resident", lambda: tx.stream("rights.resident", resident=resident)
    for table in [row["name"] for row in tx.all("rights.tables")]:
        yield table, lambda name=table: tx.stream("rights.rows", name=name, resident=resident)  # type: ignore[misc]  # bound now
    for query in _LINKED:
        yield query.partition(".")[2], lambda query=query: tx.stream(query, resident=resident)  # type: ignore[misc]  # bound now


def _add(archive: zipfile.ZipFile, files: dict[str, Any], name: str, source: Rows) -> int:
    """One kind of data, as JSON and as CSV whose columns are those of its first rows; how many rows."""
    columns: dict[str, None] = {}
    count = 0
    with _Hashed(archive, f"{name}.json", files) as out:
        out.write("[")
        for found in source():
            row = found["row"]
            if count < STREAM_ROWS:
                columns |= dict.fromkeys(row)
            out.write(("," if count else "") + "\n" + json.dumps(row, ensure_ascii=False))
            count += 1
        out.write("\n]\n")
    with _Hashed(archive, f"{name}.csv", files) as out:
        table = csv.DictWriter(out, list(columns), extrasaction="ignore", lineterminator="\r\n")
        table.writeheader()
        if count:
            table.writerows({key: _cell(value) for key, value in found["row"].items()} for found in source())
    return count


class _Hashed:
    """A text file of the archive whose hash goes into the manifest. CSV begins with the mark that Excel needs."""

    def __init__(self, archive: zipfile.ZipFile, name: str, files: dict[str, Any]) -> None:
        self._entry = archive.open(name, "w", force_zip64=True)
        self._name = name
        self._files = files
        self._hash = hashlib.sha256()
        if name.endswith(".csv"):
            self.write("\ufeff")

    def write(self, text: str) -> int:
        data = text.encode()
        self._hash.update(data)
        return self._entry.write(data)

    def __enter__(self) -> io.TextIOBase:
        return self  # type: ignore[return-value]  # all that a writer of CSV asks for is `write`

    def __exit__(self, *_: object) -> None:
        self._entry.close()
        self._files[self._name] = {"sha256": self._hash.hexdigest()}


def _cell(value: Any) -> Any:
    """A value as a spreadsheet may see it: what begins like a formula is no formula."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value

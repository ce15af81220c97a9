"""`anhu audit`: an institution's code enters; whether its audit log is as it was written leaves, and where it is not.

Works on ANHU_DATABASE_URL, with a login that may take the role anhu_admin, or with --data-dir on the embedded database.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from cli import provision
from cli.runtime import embedded_url
from core.clock import SystemClock
from core.errors import BadInput
from core.settings import load_settings
from db.pool import make_pool
from db.tenant import Transaction, service_transaction

app = typer.Typer(no_args_is_help=True, help="The sealed audit log. 审计日志校验。")
Option = typer.Option
DataDir = Annotated[Path | None, Option(help="Data directory of a running `anhu up`, instead of ANHU_DATABASE_URL.")]
Site = Annotated[str | None, Option(help="Code of one institution; all of them and the rest unless given.")]

BATCHES = 500
KEPT_MIN = timedelta(days=180)
"""The least age that the settings allow for the log: what was let go of earlier was not let go of by the job."""
_HASH = re.compile(r"[0-9a-f]{64}")
console = Console(soft_wrap=True, highlight=False)


@app.command()
def verify(
    site: Site = None,
    head: Annotated[str | None, Option(help="A hash written down earlier: is it still on the chain?")] = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, Option("--json", help="One JSON object: ok, chains.")] = False,
) -> None:
    """Compute every seal again; exit code 1 where a row was changed, removed or slipped in."""
    if head is not None and (site is None or not _HASH.fullmatch(head)):
        raise BadInput("--head is 64 hexadecimal digits, and needs --site")
    with _admin(data_dir) as tx:
        chains = [verify_chain(tx, name, institution) for name, institution in _chains(tx, site)]
        if head is not None:
            known = tx.one("audit.head_known", institution=_chains(tx, site)[0][1], hash=head)["known"]
            if not known:
                chains[0]["ok"] = False
                chains[0]["faults"].append({"number": None, "fault": "head_unknown", "row_id": None})
    ok = all(chain["ok"] for chain in chains)
    if as_json:
        console.print_json(json.dumps({"ok": ok, "chains": chains}))
    else:
        _tell(chains)
    sys.exit(0 if ok else 1)


@app.command()
def heads(site: Site = None, data_dir: DataDir = None) -> None:
    """Show the newest hash of each chain, to be written down where nobody who can change the database can change it."""
    with _admin(data_dir) as tx:
        for name, institution in _chains(tx, site):
            rows = tx.all("audit.seals", institution=institution, before=None, limit=1)
            told = (
                f"{rows[0]['hash']}  batch {rows[0]['number']}, {rows[0]['sealed_at']:%Y-%m-%d %H:%M:%S}Z"
                if rows
                else "-"
            )
            console.print(f"{name}  {told}")


@contextmanager
def _admin(data_dir: Path | None) -> Iterator[Transaction]:
    clock = SystemClock()
    url = embedded_url(data_dir, "admin", clock) if data_dir else load_settings().require_database()
    pool = make_pool(url, "admin", size_max=1)
    try:
        with service_transaction(pool) as tx:
            yield tx
    finally:
        pool.close()


def verify_chain(tx: Transaction, name: str, institution: UUID | None) -> dict[str, Any]:
    """One chain from its beginning: {"site", "ok", "batches", "rows", "head", "faults": [...]}."""
    chain: dict[str, Any] = {"site": name, "ok": True, "batches": 0, "rows": 0, "head": None, "faults": []}
    after = 0
    while True:
        reach = tx.one("audit.reach", institution=institution, after=after, batches=BATCHES)
        if not reach["batches"]:
            break
        chain["faults"] += tx.all("audit.faults", institution=institution, after=after, batches=BATCHES, kept=KEPT_MIN)
        chain["batches"] += reach["batches"]
        chain["rows"] += reach["rows"]
        chain["head"], after = reach["hash"], reach["last"]
    chain["ok"] = not chain["faults"]
    return chain


def _chains(tx: Transaction, site: str | None) -> list[tuple[str, UUID | None]]:
    if site is not None:
        return [(site, provision.institution_id(tx, site))]
    rows = tx.all("admin.institutions")
    return [*((row["code"], row["id"]) for row in rows), ("(no institution)", None)]


def _tell(chains: list[dict[str, Any]]) -> None:
    for chain in chains:
        state = "as it was written" if chain["ok"] else "NOT as it was written"
        console.print(f"{chain['site']}: {state}; {chain['rows']} rows in {chain['batches']} batches")
        if chain["head"]:
            console.print(f"  head {chain['head']}  (write it down elsewhere; later: --site {chain['site']} --head …)")
        for fault in chain["faults"][:100]:
            row = f", row {fault['row_id']}" if fault["row_id"] is not None else ""
            console.print(f"  batch {fault['number']}: {fault['fault']}{row}")

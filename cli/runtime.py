"""The state of an embedded installation: a data directory enters, its secrets and database addresses leave."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cli.embedded.postgres import EmbeddedPostgres
from core.clock import Clock
from core.errors import Misconfigured
from db.pool import DbRole

INGEST_USER = "anhu-ingest"
"""The account that ingest signs in with at an embedded broker."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random at first start, kept in DIR/secrets.json (mode 0600)."""

    token_key: str = field(repr=False)
    device_key: str = field(repr=False)
    broker_password: str = field(repr=False)

    @classmethod
    def load(cls, data_dir: Path) -> Secrets:
        """Read them. Raises Misconfigured where there are none."""
        try:
            content = json.loads((data_dir / "secrets.json").read_text(encoding="utf-8"))
            return cls(**content)
        except (OSError, ValueError, TypeError) as error:
            raise Misconfigured(f"{data_dir} is not the data directory of an `anhu up`: {error}") from error

    @classmethod
    def ensure(cls, data_dir: Path) -> Secrets:
        """Read them, or make them."""
        path = data_dir / "secrets.json"
        if path.exists():
            return cls.load(data_dir)
        made = cls(*(secrets.token_urlsafe(36) for _ in range(3)))
        write_private(path, json.dumps(asdict(made)))
        return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def embedded_url(data_dir: Path, role: DbRole, clock: Clock) -> str:
    """The address of the embedded database for one role; the database must be running."""
    return EmbeddedPostgres(data_dir, clock).role_url(role)

"""A directory enters; every secret that docker-compose.yml names is in it afterwards, random, and none is replaced.

    make_secrets.py [DIRECTORY]      deploy/secrets unless named; needs nothing but Python

The directory has mode 0700. The files have 0444: containers see single files of it and read them as users of their own.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

BYTES = 36
DATABASE = "timescaledb:5432/anhu"
BROKER = "mosquitto:8884"
ROLES = ("api", "ingest", "alerts", "jobs", "admin")


def secret_texts() -> dict[str, str]:
    """A fresh value for each secret; addresses hold the login's password."""
    owner = secrets.token_urlsafe(BYTES)
    return {
        "database_password_owner": owner,
        "database_url_owner": f"postgresql://postgres:{owner}@{DATABASE}",
        **{
            f"database_url_{role}": f"postgresql://login_anhu_{role}:{secrets.token_urlsafe(BYTES)}@{DATABASE}"
            for role in ROLES
        },
        "database_password_monitor": secrets.token_urlsafe(BYTES),
        "mqtt_url": f"mqtts://anhu-ingest:{secrets.token_urlsafe(BYTES)}@{BROKER}",
        "mqtt_accounts_url": f"mqtts://anhu-accounts:{secrets.token_urlsafe(BYTES)}@{BROKER}",
        "token_key": secrets.token_urlsafe(BYTES),
        "device_key": secrets.token_urlsafe(BYTES),
        "grafana_password": secrets.token_urlsafe(BYTES),
    }


def make_secrets(directory: Path) -> list[str]:
    """Write those that are missing; their names."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    texts = secret_texts()
    if (directory / "database_password_owner").exists() != (directory / "database_url_owner").exists():
        raise SystemExit("database_password_owner and database_url_owner belong together; restore the missing one")
    made = [name for name in texts if not (directory / name).exists()]
    for name in made:
        with os.fdopen(os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "w") as out:
            out.write(texts[name])
        (directory / name).chmod(0o444)
    return made


def main(arguments: list[str]) -> None:
    """Say what was made."""
    directory = Path(arguments[0]) if arguments else Path(__file__).parent / "secrets"
    made = make_secrets(directory)
    sys.stdout.write(f"{directory}: {', '.join(made) or 'nothing was missing'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

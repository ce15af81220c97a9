"""The platform's devices enter, Mosquitto's password and access files leave; kept equal until SIGTERM.

    broker_accounts.py DIRECTORY

Needs ANHU_DATABASE_URL (the admin role's login), ANHU_DEVICE_KEY, and ANHU_MQTT_URL for the account of ingest. A
notification wakes it when a device is registered, rotated or retired; every minute it looks by itself.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from cli.embedded.broker import BrokerUser, access_rules, mosquitto_hash
from core import logging
from core.errors import AnhuError, Misconfigured
from core.settings import Settings, load_settings
from db.listen import listen
from db.pool import Pool, make_pool
from db.tenant import service_transaction
from devices.registry import broker_accounts
from ingest.mqtt import parse_broker_url

LOOK_SECONDS = 60.0
QUIET_SECONDS = 0.5
RETRY_SECONDS = 5.0
SALT_BYTES = 12
# Passwords are random: iterations add nothing but work, for thousands of devices that come back at once.
HASH_ITERATIONS = 101

log = logging.get("broker-accounts")


class AccountFiles:
    """`passwords` and `acl` in one directory, replaced only when an account changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._hashes: dict[tuple[str, str], str] = {}

    def write(self, users: list[BrokerUser]) -> bool:
        """Bring both files to these users; whether anything changed."""
        ordered = sorted(users, key=lambda user: user.username)
        known = {(user.username, user.password): self._hash(user) for user in ordered}
        self._hashes = known
        passwords = "".join(f"{name}:{hashed}\n" for (name, _), hashed in known.items())
        # The rights first: a device that may sign in before its rights are there would be refused its topics.
        changed = self._replace("acl", "".join(map(access_rules, ordered)))
        changed |= self._replace("passwords", passwords)
        (self._directory / "checked").touch(mode=0o640)
        return changed

    def _hash(self, user: BrokerUser) -> str:
        made = self._hashes.get((user.username, user.password))
        return made or mosquitto_hash(user.password, secrets.token_bytes(SALT_BYTES), HASH_ITERATIONS)

    def _replace(self, name: str, text: str) -> bool:
        path = self._directory / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return False
        fresh = self._directory / f".{name}.new"
        fresh.unlink(missing_ok=True)
        # Only its owner: Mosquitto runs as the same user and refuses files that others can read.
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
        return True


def users_of(pool: Pool, settings: Settings) -> list[BrokerUser]:
    """The account of ingest, and one for each device that is not retired."""
    address = parse_broker_url(settings.require_mqtt())
    if not address.username or not address.password:
        raise Misconfigured("ANHU_MQTT_URL must name the account of ingest: mqtts://NAME:PASSWORD@HOST:8883")
    users = [BrokerUser(address.username, address.password, "service")]
    with service_transaction(pool) as tx:
        accounts = broker_accounts(tx, settings.require_device_key())
    for account in accounts:
        site, _, device = account.username.partition(".")
        users.append(BrokerUser(account.username, account.password, "device", site, device))
    return users


def keep(directory: Path, settings: Settings, stop: threading.Event) -> None:
    """Write the files now, on every change and every minute, until told to stop."""
    files, changed = AccountFiles(directory), threading.Event()
    url = settings.require_database()
    pool = make_pool(url, "admin", size_max=1)

    def wake(channel: str, payload: str) -> None:
        del channel, payload
        changed.set()

    listener = threading.Thread(target=listen, args=(url, "admin", ("anhu_device",), wake, stop), daemon=True)
    listener.start()
    wait = 0.0
    while _due(changed, stop, wait):
        changed.clear()
        try:
            users = users_of(pool, settings)
            if files.write(users):
                log.info("accounts written", users=len(users))
            wait = LOOK_SECONDS
        except Misconfigured:
            raise
        except AnhuError as error:
            log.warning("accounts not written yet", error=str(error))
            wait = RETRY_SECONDS
    listener.join(timeout=2)
    pool.close(timeout=2)


def _due(changed: threading.Event, stop: threading.Event, seconds: float) -> bool:
    """Wait for a change or for the time to pass; False where told to stop."""
    looks = round(seconds / QUIET_SECONDS)
    while looks > 0 and not changed.is_set() and not stop.wait(QUIET_SECONDS):
        looks -= 1
    if changed.is_set():
        # Devices are often registered in a row: one reload serves them all.
        stop.wait(QUIET_SECONDS)
    return not stop.is_set()


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or Ctrl-C."""
    if len(arguments) != 1:
        sys.stderr.write("usage: broker_accounts.py DIRECTORY\n")
        return 2
    settings = load_settings()
    logging.configure("broker-accounts", level=settings.log_level, json=settings.log_json)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        keep(Path(arguments[0]), settings, stop)
    except AnhuError as error:
        sys.stderr.write(f"broker-accounts: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

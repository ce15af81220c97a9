"""Accounts enter, the file of Mosquitto's dynamic-security plugin leaves, for a broker that does not run yet.

The plugin writes its whole file after each command, so a fleet is not put in one by one: five thousand accounts take
minutes that way and a second this way. Once the broker runs, the file is the plugin's and changes go by `reconcile`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from devices.accounts.reconcile import acls, unique
from devices.accounts.rights import DEFAULTS, KEEPER_RIGHTS, KEEPER_ROLE, KEEPER_USER, MARK, BrokerUser, Right, roles_of

SALT_BYTES: Final = 12
# As the plugin itself does. Passwords here are random: more iterations add nothing but work at every sign-in.
HASH_ITERATIONS: Final = 101


def seed_text(users: Iterable[BrokerUser], keeper_password: str) -> str:
    """The file's content: the keeper's account, which manages the others, and these."""
    roles: dict[str, Iterable[Right]] = {KEEPER_ROLE: KEEPER_RIGHTS}
    clients = [_client(KEEPER_USER, keeper_password, "", [KEEPER_ROLE])]
    for user in unique(users).values():
        mine = roles_of(user)
        roles |= mine
        clients.append(_client(user.username, user.password, user.fingerprint, sorted(mine)))
    listed = [
        # The keeper's own role is nobody's to change from inside.
        {"rolename": name, **({"textname": MARK} if name != KEEPER_ROLE else {}), "acls": acls(rights)}
        for name, rights in roles.items()
    ]
    return json.dumps({"defaultACLAccess": DEFAULTS, "clients": clients, "roles": listed}, ensure_ascii=False)


def _client(username: str, password: str, fingerprint: str, roles: list[str]) -> dict[str, Any]:
    salt = secrets.token_bytes(SALT_BYTES)
    return {
        "username": username,
        **({"textname": MARK, "textdescription": fingerprint} if fingerprint else {}),
        "password": base64.b64encode(hash_password(password, salt)).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": HASH_ITERATIONS,
        "roles": [{"rolename": name} for name in roles],
    }


def hash_password(password: str, salt: bytes) -> bytes:
    """PBKDF2 with SHA-512, as Mosquitto 2 keeps passwords (mosquitto_passwd(1))."""
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, HASH_ITERATIONS)


def write_seed(path: Path, text: str, own: Callable[[Path], None] | None = None) -> None:
    """Put the file there in one step, readable by the broker alone at every moment; `own` hands it over first."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    if own is not None:
        own(fresh)
    fresh.replace(path)

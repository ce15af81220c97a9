"""Accounts that should be and a broker's control enter, a broker that has them leaves, with what was changed.

Idempotent: what is right is not touched, since touching an account disconnects it. A password is compared by the
fingerprint that stands beside it, so a rotation is seen whoever missed it. Accounts that an operator made by hand lack
our mark; they are counted and left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import BadInput, Conflict, Unavailable
from devices.accounts.control import Command, Control
from devices.accounts.rights import DEFAULTS, KEEPER_USER, MARK, BrokerUser, Right, roles_of

PAGE: Final = 200
REMOVALS_MIN: Final = 20
REMOVALS_SHARE: Final = 0.5
"""More than this share of the accounts at once (and more than the least number) is no ordinary day: the wrong database,
say. It wants somebody's word."""

Roles = dict[str, frozenset[Right]]


@dataclass(frozen=True, slots=True)
class Actual:
    """What the broker has. Only roles and accounts with our mark are ours to change."""

    clients: dict[str, Command]
    roles: dict[str, Command]
    defaults: dict[str, bool]

    @property
    def foreign(self) -> list[str]:
        """Accounts that somebody else made, which may or may not be meant."""
        return sorted(n for n, one in self.clients.items() if one.get("textname") != MARK and n != KEEPER_USER)


@dataclass(slots=True)
class Changes:
    """Commands in the order in which they must run, and what they come to."""

    commands: list[Command] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    rights: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.commands)


def reconcile(control: Control, users: Iterable[BrokerUser], *, allow_removals: bool = False) -> Changes:
    """Give the broker exactly these accounts; what had to be changed.

    Raises Unavailable where the broker is away, Conflict where most accounts would go and nobody said that they may.
    """
    wanted = unique(users)
    actual = read_actual(control)
    changes = difference(wanted, actual)
    ours = sum(client.get("textname") == MARK for client in actual.clients.values())
    if len(changes.removed) > max(REMOVALS_MIN, REMOVALS_SHARE * ours) and not allow_removals:
        raise Conflict(
            f"the registry lacks {len(changes.removed)} of the {ours} accounts that the broker has. If that is meant: "
            "anhu devices accounts sync --allow-removals. If not, look at ANHU_DATABASE_URL."
        )
    failed = [answer for answer in control.run(changes.commands) if "error" in answer]
    if failed:
        told = "; ".join(f"{one['command']}: {one['error']}" for one in failed[:3])
        raise Unavailable(f"the broker refused {len(failed)} of {len(changes.commands)} changes: {told}")
    return changes


def read_actual(control: Control) -> Actual:
    """Everything that the plugin holds, page by page."""
    (answer,) = control.run([{"command": "getDefaultACLAccess"}])
    defaults = {one["acltype"]: one["allow"] for one in _data(answer)["acls"]}
    clients = {one["username"]: one for one in _pages(control, "listClients", "clients")}
    roles = {one["rolename"]: one for one in _pages(control, "listRoles", "roles")}
    return Actual(clients, roles, defaults)


def difference(users: dict[str, BrokerUser], actual: Actual) -> Changes:
    """What turns the actual state into the wanted one. Rights come before accounts, and go after them."""
    changes = Changes(foreign=[name for name in actual.foreign if name not in users])
    if actual.defaults != DEFAULTS:
        acls = [{"acltype": act, "allow": allow} for act, allow in DEFAULTS.items()]
        changes.commands.append({"command": "setDefaultACLAccess", "acls": acls})
    wanted_roles: Roles = {}
    for user in users.values():
        mine = {name: frozenset(rights) for name, rights in roles_of(user).items()}
        for name, rights in mine.items():
            if name not in wanted_roles:
                _settle_role(changes, name, rights, actual)
        wanted_roles |= mine
        _settle_client(changes, user, sorted(mine), actual.clients.get(user.username))
    for name, client in actual.clients.items():
        if name not in users and client.get("textname") == MARK:
            changes.commands.append({"command": "deleteClient", "username": name})
            changes.removed.append(name)
    for name, role in actual.roles.items():
        if name not in wanted_roles and role.get("textname") == MARK:
            changes.commands.append({"command": "deleteRole", "rolename": name})
    return changes


def _settle_role(changes: Changes, name: str, rights: frozenset[Right], actual: Actual) -> None:
    known = actual.roles.get(name)
    if known is not None and rights == {Right(a["acltype"], a["topic"]) for a in known["acls"] if a["allow"]}:
        return
    body: dict[str, Any] = {"rolename": name, "textname": MARK, "acls": acls(rights)}
    changes.commands.append({"command": "createRole" if known is None else "modifyRole", **body})
    if known is not None:
        changes.rights.append(name)


def _settle_client(changes: Changes, user: BrokerUser, roles: list[str], known: Command | None) -> None:
    body: dict[str, Any] = {
        "username": user.username,
        "password": user.password,
        "textname": MARK,
        "textdescription": user.fingerprint,
        "roles": [{"rolename": name} for name in roles],
    }
    if known is None:
        changes.commands.append({"command": "createClient", **body})
        changes.created.append(user.username)
        return
    same = (
        known.get("textname") == MARK
        and known.get("textdescription") == user.fingerprint
        and sorted(one["rolename"] for one in known["roles"]) == roles
        and not known.get("groups")
    )
    if not same:
        # Ends the session of whoever is signed in under the old password.
        changes.commands.append({"command": "modifyClient", **body, "groups": []})
        changes.changed.append(user.username)
    if known.get("disabled"):
        changes.commands.append({"command": "enableClient", "username": user.username})


def acls(rights: Iterable[Right]) -> list[Command]:
    """Rights in the plugin's words, in a fixed order."""
    return [{"acltype": act, "topic": topic, "priority": 0, "allow": True} for act, topic in sorted(rights)]


def unique(users: Iterable[BrokerUser]) -> dict[str, BrokerUser]:
    """Accounts by name. Raises BadInput where one stands twice."""
    by_name: dict[str, BrokerUser] = {}
    for user in users:
        if user.username in by_name:
            raise BadInput(f"broker user {user.username} stands twice")
        if user.username == KEEPER_USER:
            raise BadInput(f"{KEEPER_USER} is the keeper's own account")
        by_name[user.username] = user
    return {name: by_name[name] for name in sorted(by_name)}


def _pages(control: Control, command: str, what: str) -> list[Command]:
    found: dict[str, Command] = {}
    offset, total = 0, 1
    while offset < total:
        (answer,) = control.run([{"command": command, "verbose": True, "count": PAGE, "offset": offset}])
        data = _data(answer)
        total = data["totalCount"]
        for one in data[what]:
            found[one.get("username") or one["rolename"]] = one
        offset += PAGE
    return list(found.values())


def _data(answer: Command) -> dict[str, Any]:
    if "error" in answer:
        raise Unavailable(f"the broker's access control refuses {answer['command']}: {answer['error']}")
    data: dict[str, Any] = answer["data"]
    return data

"""An account enters, the roles that it needs at the broker leave, topic by topic; nothing else is allowed to anybody.

A device writes its own channels and reads its own commands. A gateway also writes its `x/` tree, and speaks and listens
for the devices that the registry puts behind it. What an account may do hangs on roles named after it, so that a
change of rights disconnects nobody.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from core.errors import BadInput
from core.ids import device_id, site_code

PREFIX: Final = "anhu/v1"
CHANNELS: Final = ("telemetry", "event", "motion", "status", "command/ack")
CONTROL_TOPIC: Final = "$CONTROL/dynamic-security/v1"
RESPONSE_TOPIC: Final = f"{CONTROL_TOPIC}/response"
KEEPER_USER: Final = "anhu-accounts"
KEEPER_ROLE: Final = "service accounts"
MARK: Final = "anhu"
"""Stands in the text name of every account and role that is kept by us; what lacks it is an operator's own."""

_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,100}")

Act = Literal["publishClientSend", "publishClientReceive", "subscribeLiteral", "subscribePattern"]


class Right(NamedTuple):
    """One act that is allowed on one topic or filter."""

    act: Act
    topic: str


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """Somebody who may sign in: a device below its own topic, or a service of ours.

    children: ids of the devices behind a gateway. writes: further filters to publish to (load generators).
    """

    username: str
    password: str = field(repr=False)
    kind: Literal["device", "service"]
    site: str | None = None
    device: str | None = None
    children: tuple[str, ...] = ()
    is_gateway: bool = False
    writes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.username):
            raise BadInput(f"broker user name must match {_NAME.pattern}, got {self.username[:80]!r}")
        if not self.password or not self.password.isprintable():
            raise BadInput(f"the password of broker user {self.username} is empty or has unprintable characters")
        if self.kind == "device":
            site_code(self.site or "")
            for one in (self.device or "", *self.children):
                device_id(one)

    @property
    def fingerprint(self) -> str:
        """Tells one password from another and gives neither away: passwords here have 192 random bits."""
        return hashlib.sha256(f"{self.username}\0{self.password}".encode()).hexdigest()[:16]


def roles_of(user: BrokerUser) -> dict[str, list[Right]]:
    """The names and rights of the account's roles."""
    if user.kind == "service":
        roles = {name: list(rights) for name, rights in SERVICE_ROLES.items()}
    else:
        rights = _speaks(f"{PREFIX}/{user.site}/{user.device}")
        if user.is_gateway:
            rights.append(Right("publishClientSend", f"{PREFIX}/{user.site}/{user.device}/x/#"))
        for child in user.children:
            rights += _speaks(f"{PREFIX}/{user.site}/{child}")
        roles = {f"device {user.username}": rights}
    if user.writes:
        roles[f"more {user.username}"] = [Right("publishClientSend", topic) for topic in user.writes]
    return roles


def _speaks(base: str) -> list[Right]:
    """A device's own channels, and its commands to be read."""
    return [
        *(Right("publishClientSend", f"{base}/{channel}") for channel in CHANNELS),
        Right("publishClientReceive", f"{base}/command"),
        Right("subscribeLiteral", f"{base}/command"),
    ]


SERVICE_ROLES: Final[dict[str, tuple[Right, ...]]] = {
    "service ingest": (
        Right("publishClientReceive", f"{PREFIX}/#"),
        Right("subscribePattern", f"{PREFIX}/#"),
    ),
    "service commander": (Right("publishClientSend", f"{PREFIX}/+/+/command"),),
}
"""Ingest reads everything below our prefix and carries the commander, who alone writes commands. The api has no account
at the broker: its commands go through the database."""

KEEPER_RIGHTS: Final = (
    Right("publishClientSend", CONTROL_TOPIC),
    Right("publishClientReceive", RESPONSE_TOPIC),
    Right("subscribeLiteral", RESPONSE_TOPIC),
    Right("publishClientReceive", "$SYS/broker/#"),
    Right("subscribePattern", "$SYS/broker/#"),
)
"""The keeper of accounts manages them and watches the broker's own figures; it hears no device."""

DEFAULTS: Final = {
    "publishClientSend": False,
    "publishClientReceive": False,
    "subscribe": False,
    "unsubscribe": True,
}
"""Where no role speaks: nothing but leaving."""

"""Rights of embedded services: a name or a path enters, a user to run as and a path that user can reach leave.

PostgreSQL refuses to run as root, and Mosquitto gives root up by itself. Started as root, each gets a system user of
its own, which owns its own directory and may pass through the directories above it, nothing more.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from core import logging
from core.errors import Misconfigured

log = logging.get(__name__)

# POSIX access control lists as Linux stores them (acl(5), linux/posix_acl_xattr.h): a version, then (tag, bits, id).
_ACL_NAME = "system.posix_acl_access"
_ACL_VERSION = 2
_ACL_UNDEFINED_ID = 0xFFFFFFFF
_OWNER, _USER, _OWNER_GROUP, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_EXECUTE = 1


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """A system user that a service runs as."""

    name: str
    uid: int
    gid: int


def service_user(name: str) -> ServiceUser | None:
    """The system user `name`, made when it is not there; None when not started as root: then nothing is handed over.

    Raises Misconfigured where the user cannot be made.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        entry = _make_user(name)
    return ServiceUser(name, entry.pw_uid, entry.pw_gid)


def _make_user(name: str) -> pwd.struct_passwd:
    refusal = (
        f"this must not run as root, and the system user {name} cannot be made. "
        f"Start it as an ordinary user, or make the user: useradd --system {name}"
    )
    if shutil.which("useradd") is None:
        raise Misconfigured(refusal)
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise Misconfigured(f"{refusal}: {done.stderr.strip()}") from None


def own_directory(path: Path, user: ServiceUser | None) -> None:
    """Make a directory that only its service (and root) can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    if user is not None:
        os.chown(path, user.uid, user.gid)


def give_file(path: Path, user: ServiceUser | None) -> None:
    """Hand a file with secrets to its service: mode 0600."""
    path.chmod(0o600)
    if user is not None:
        os.chown(path, user.uid, user.gid)


def allow_passage(path: Path, user: ServiceUser | None) -> None:
    """Let the user pass through the directories above `path`, without being able to list them.

    Only directories that lack this right are touched, and only for this one user where the file system has access
    control lists.
    """
    if user is None:
        return
    for directory in path.resolve().parents:
        if _may_pass(directory, user):
            continue
        log.info("letting a service pass through a directory", directory=str(directory), user=user.name)
        try:
            _add_acl_passage(directory, user.uid)
        except (AttributeError, OSError):  # no such lists here
            directory.chmod(stat.S_IMODE(directory.stat().st_mode) | stat.S_IXOTH)


def allow_reading(tree: Path, user: ServiceUser | None) -> None:
    """Let the user read and run programs below `tree`; a restrictive umask at install time may have denied it."""
    allow_passage(tree, user)
    if user is None:
        return
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or mode & stat.S_IXUSR else 0)
        if wanted != mode:
            path.chmod(wanted)


def _may_pass(directory: Path, user: ServiceUser) -> bool:
    state = directory.stat()
    if state.st_uid == user.uid:
        return bool(state.st_mode & stat.S_IXUSR)
    if state.st_mode & stat.S_IXOTH:
        return True
    try:
        entries = _read_acl(directory)
    except AttributeError:
        return False
    mask = entries.get((_MASK, _ACL_UNDEFINED_ID), 0)
    return bool(entries.get((_USER, user.uid), 0) & mask & _EXECUTE)


def _add_acl_passage(directory: Path, uid: int) -> None:
    entries = _read_acl(directory)
    entries[_USER, uid] = entries.get((_USER, uid), 0) | _EXECUTE
    entries[_MASK, _ACL_UNDEFINED_ID] = entries.get((_MASK, _ACL_UNDEFINED_ID), 0) | _EXECUTE
    blob = struct.pack("<I", _ACL_VERSION)
    for (tag, owner), bits in sorted(entries.items()):
        blob += struct.pack("<HHI", tag, bits, owner)
    os.setxattr(directory, _ACL_NAME, blob)


def _read_acl(directory: Path) -> dict[tuple[int, int], int]:
    """Entries (tag, id) -> bits of a directory's list, or those that its mode stands for."""
    try:
        blob = os.getxattr(directory, _ACL_NAME)
    except OSError:
        mode = directory.stat().st_mode
        group = mode >> 3 & 7
        plain = {_OWNER: mode >> 6 & 7, _OWNER_GROUP: group, _MASK: group, _OTHER: mode & 7}
        return {(tag, _ACL_UNDEFINED_ID): bits for tag, bits in plain.items()}
    return {(tag, owner): bits for tag, bits, owner in struct.iter_unpack("<HHI", blob[4:])}

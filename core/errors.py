"""The tree of errors, by what to do about them.

    AnhuError
    ├── BadInput            the caller's fault; tell them, do not try again
    │   ├── BadIdentifier
    │   ├── BadTransition   the thing is not in a state that allows this
    │   └── Rejected        a device's message cannot be used; `reason` is a stable word
    ├── NotFound            not there, or not visible to this tenant
    ├── Conflict            somebody else changed it first
    ├── Forbidden           signed in, but the role or consent does not allow it
    ├── Misconfigured       the operator's turn: the message says what to set or install
    └── Unavailable         database, broker or channel is away; `retryable` is True

`retryable` says whether the same call may succeed later without anyone changing anything.
"""

from __future__ import annotations


class AnhuError(Exception):
    """Base of every error that Anhu raises on purpose; the class docstring is the default message."""

    retryable = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class BadInput(AnhuError):
    """The input is not valid."""


class BadIdentifier(BadInput):
    """An identifier does not have the required form."""


class BadTransition(BadInput):
    """This action is not possible in the present state."""


class Rejected(BadInput):
    """A device's message cannot be used."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class NotFound(AnhuError):
    """There is no such thing."""


class Conflict(AnhuError):
    """It was changed by somebody else in the meantime."""


class Forbidden(AnhuError):
    """This is not allowed for this account."""


class Misconfigured(AnhuError):
    """Something must be configured or installed first."""


class Unavailable(AnhuError):
    """A part that is needed cannot be reached at the moment."""

    retryable = True

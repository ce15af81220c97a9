"""How a delivery failed: whether trying again can help."""

from __future__ import annotations

from core.errors import AnhuError


class NotifyError(AnhuError):
    """A page could not be delivered; `retryable` says whether the same channel may work later."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable

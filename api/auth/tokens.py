"""Access and refresh tokens: an account enters, signed text leaves, and back.

Access tokens are short-lived JWTs (HS256). Refresh tokens are random, used once, and kept hashed; one carries its
tenant's id only so that its row can be looked up inside that tenant.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import jwt

from api.errors import Unauthenticated
from core.clock import Clock

ISSUER: Final = "anhu"
_ALGORITHM: Final = "HS256"
_SECRET_BYTES: Final = 32
_NO_TENANT: Final = UUID(int=0)
_LEEWAY_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says."""

    user_id: UUID
    version: int


class Tokens:
    """Signs and reads access tokens by the platform's key and clock."""

    def __init__(self, key: str, clock: Clock, *, access_seconds: int) -> None:
        self._key = key
        self._clock = clock
        self.access_seconds = access_seconds

    def issue(self, *, user_id: UUID, role: str, tenant: UUID | None, version: int) -> str:
        now = int(self._clock.time())
        claims = {
            "iss": ISSUER,
            "sub": str(user_id),
            "role": role,
            "tenant": str(tenant) if tenant else None,
            "ver": version,
            "iat": now,
            "exp": now + self.access_seconds,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def read(self, token: str) -> AccessClaims:
        """The claims of a token that is ours and in time. Raises Unauthenticated."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                # Times are checked below, by the platform's clock.
                options={"require": ["sub", "exp", "iat", "ver"], "verify_exp": False, "verify_iat": False},
            )
            user_id, version = UUID(claims["sub"]), int(claims["ver"])
            expires, issued = float(claims["exp"]), float(claims["iat"])
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError) as error:
            raise Unauthenticated("the token is not valid") from error
        now = self._clock.time()
        if now >= expires:
            raise Unauthenticated("the token has expired")
        if issued > now + _LEEWAY_SECONDS:
            raise Unauthenticated("the token is not valid yet")
        return AccessClaims(user_id, version)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The parts of a refresh token."""

    tenant: UUID | None
    id: UUID
    secret: bytes

    @classmethod
    def new(cls, tenant: UUID | None, token_id: UUID) -> RefreshToken:
        return cls(tenant, token_id, secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> RefreshToken:
        """Raises Unauthenticated for anything that has not the form."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise Unauthenticated("the refresh token is not valid") from error
        if len(raw) != 32 + _SECRET_BYTES:
            raise Unauthenticated("the refresh token is not valid")
        tenant = UUID(bytes=raw[:16])
        return cls(None if tenant == _NO_TENANT else tenant, UUID(bytes=raw[16:32]), raw[32:])

    @property
    def text(self) -> str:
        raw = (self.tenant or _NO_TENANT).bytes + self.id.bytes + self.secret
        return base64.urlsafe_b64encode(raw).decode()

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.secret).digest()

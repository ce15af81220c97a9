"""Bodies of signing in."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, SecretStr

from api.auth.policy import PASSWORD_CHARS_MAX
from api.schemas import Input, Names
from core.vocabulary import Role

Owed = Literal["password", "otp"]
"""What an account must do before anything else."""

NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=8,
        max_length=PASSWORD_CHARS_MAX,
        description="至少12个字符，不能是常用密码或包含账号名 · 12 characters or more, unless the operator set another "
        "bound; not one that many use, not built on the account's name",
        examples=["a long sentence of your own"],
    ),
]


class TokenPair(BaseModel):
    """What signing in gives; the refresh token is good for one use."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIs…"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 -- a word of OAuth2
    expires_in: int = Field(description="seconds", examples=[900])
    refresh_token: str = Field(examples=["AAAA…"])


class RefreshRequest(Input):
    """A refresh token to be exchanged for a new pair, or given up."""

    refresh_token: str = Field(min_length=1, max_length=256, examples=["AAAA…"])


class PasswordChange(Input):
    """The present password and the one to come."""

    current: SecretStr = Field(max_length=1024, examples=["the old one"])
    new: NewPassword


class Institution(BaseModel):
    """The caller's institution."""

    id: UUID
    site: str = Field(examples=["demo"])


class Me(BaseModel):
    """Who the caller is."""

    id: UUID
    username: str = Field(examples=["nurse.li"])
    name: str = Field(examples=["李护士"])
    role: Role = Field(examples=["caregiver"])
    role_name: Names
    institution: Institution | None = Field(description="null for regulators and platform accounts of no institution")
    owes: list[Owed] = Field(
        description="须先完成：修改密码、设置动态验证码 · what must be settled before anything else is open",
        examples=[[]],
    )
    has_otp: bool = Field(description="whether signing in needs a one-time code")

"""Types that several parts of the api share: bounded texts, times, names for people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from core.ids import DEVICE_PATTERN


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the NUL character")
    return text


def _in_era(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:
        raise ValueError("must lie between the years 2000 and 2199")
    return moment


Storable = AfterValidator(_storable)
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), Storable]
LongText = Annotated[str, StringConstraints(max_length=4000), Storable]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=32, pattern=r"^[0-9+() -]*$")]
Instant = Annotated[AwareDatetime, AfterValidator(_in_era)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
DeviceCode = Annotated[str, StringConstraints(pattern=f"^{DEVICE_PATTERN}$")]
DevicePath = Annotated[str, Path(pattern=f"^{DEVICE_PATTERN}$", description="设备编号 · the device's id")]


class Input(BaseModel):
    """A request body; a field that is not known is refused, so that a typing mistake does not pass unseen."""

    model_config = ConfigDict(extra="forbid")


class Names(BaseModel):
    """A name for people."""

    zh: str = Field(examples=["心率"])
    en: str = Field(examples=["Heart rate"])

"""Settings: `ANHU_*` variables and `anhu.toml` enter, one frozen object leaves; built once, in `__main__`.

No secret has a default. A missing one is asked for by name, by the role that needs it. `ANHU_<NAME>_FILE` names a file
that holds the value of `ANHU_<NAME>`, so that a secret stands in no environment and no process list.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from core.errors import Misconfigured
from core.vocabulary import Role

PREFIX = "ANHU_"


class _FileSource(PydanticBaseSettingsSource):
    """Values from the files that `ANHU_<NAME>_FILE` names; a line break at the end is not part of the value."""

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 -- its API
        variable = f"{PREFIX}{field_name.upper()}"
        name = self._environment.get(f"{variable}_FILE")
        if not name:
            return None, field_name, False
        if variable in self._environment:
            raise Misconfigured(f"{variable} and {variable}_FILE are both set; unset one of them")
        try:
            return Path(name).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"{variable}_FILE names {name}, which cannot be read: {error}") from error

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """What an operator can set. Variables win over `anhu.toml`; times are seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        toml_file="anhu.toml",
        secrets_dir=None,
        frozen=True,
        extra="ignore",
    )

    database_url: SecretStr | None = None
    mqtt_url: SecretStr | None = None
    """mqtt://user:password@host:port, or mqtts:// for TLS with the system's certificates."""
    mqtt_accounts_url: SecretStr | None = None
    """The same broker, with the account that manages the others (`anhu run accounts`)."""
    mqtt_ca_file: Path | None = None
    mqtt_client_id: str = Field(default="anhu-ingest-0", pattern=r"[A-Za-z0-9_-]{1,64}")
    """Stable across restarts: the broker keeps this client's unacknowledged messages for it."""

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    api_console: bool = False
    """Whether the api shows the staff console at `/` itself, as under `anhu up`."""
    api_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$")
    """Where the console finds the API; empty: `api_host` and `api_port`."""
    console_host: str = "127.0.0.1"
    console_port: int = Field(default=8081, ge=0, le=65535)
    """Where `anhu run console` listens."""
    console_sessions_file: Path | None = None
    """Where the console keeps who is signed in over a restart (mode 0600); without it everybody signs in again."""
    mqtt_port: int = Field(default=1883, ge=0, le=65535)
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Where ingest, alerts and jobs show /metrics and /healthz; 0 switches it off."""

    token_key: SecretStr | None = Field(default=None, min_length=32)
    """Signs access tokens; 32 characters or more."""
    device_key: SecretStr | None = Field(default=None, min_length=32)
    """Device passwords are derived from this and each device's salt; changing it changes them all."""
    access_token_seconds: int = Field(default=900, ge=60, le=86_400)
    refresh_token_seconds: int = Field(default=14 * 86_400, ge=3600)
    rate_caller_per_minute: int = Field(default=12_000, ge=0)
    rate_address_per_minute: int = Field(default=30_000, ge=0)
    """Requests of one account, and of one address (a house has one), in each api process; 0 switches it off."""
    password_chars_min: int = Field(default=12, ge=8, le=64)
    """Of passwords that people choose from now on (NIST SP 800-63B: length before rules)."""
    otp_required_roles: str = Field(default="", pattern=r"^[a-z, ]*$")
    """Roles that must bring a second factor everywhere, divided by commas; institutions may demand more."""

    notify_workers: int = Field(default=4, ge=1, le=64)
    notify_timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    webhook_allow_private: bool = False
    """Whether webhooks may point at loopback and private addresses."""

    heartbeat_url: SecretStr | None = None
    """https URL of a monitoring service outside, asked each minute by the leading alerts process while all is well."""

    check_interval_days: int = Field(default=7, ge=1, le=366)
    """How often a safety device is to be tried, where neither its model nor its kind says otherwise."""
    public_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$")
    """Where people reach this platform; pages hold a link to answer with once this is set."""

    batch_linger_ms: float = Field(default=4.0, ge=0, le=1000)
    raw_retention_days: int = Field(default=90, ge=14)
    """At least two late windows: a rollup must never be refreshed from days that are already dropped."""
    rollup_5m_retention_days: int = Field(default=400, ge=30)
    """Thirteen months: any day beside the same day a year ago. Of all that is kept these rollups are the most."""
    rollup_1h_retention_days: int = Field(default=5 * 365, ge=30)
    rollup_1d_retention_days: int = Field(default=5 * 365, ge=30)
    """No rollup may be dropped while the level above is still refreshed from it, 12 days back."""
    location_retention_days: int = Field(default=30, ge=8)
    """Where somebody was, at every level of rollup. Longer than the week in which readings may come late."""
    motion_retention_days: int = Field(default=30, ge=1)
    audit_retention_days: int = Field(default=3 * 365, ge=180)
    rejection_retention_days: int = Field(default=90, ge=7)
    page_retention_days: int = Field(default=400, ge=30)
    suppression_retention_days: int = Field(default=400, ge=30)
    notice_retention_days: int = Field(default=400, ge=30)
    resident_record_retention_days: int = Field(default=5 * 365, ge=0)
    """How long the record of care is kept after somebody has left. A default, read in no standard: set what holds."""
    chunk_hours: Literal[1, 2, 3, 4, 6, 8, 12, 24] = 24
    """Length of a chunk of readings on TimescaleDB: the newest should fit in a quarter of the server's memory."""

    timezone: str = "Asia/Shanghai"
    shift_day_from: time = time(8)
    shift_evening_from: time = time(16)
    shift_night_from: time = time(0)
    """When the shifts begin, wall time in `timezone`; what figures by shift are counted by."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_json: bool = True

    @property
    def otp_required_role_set(self) -> frozenset[Role]:
        """The roles that `otp_required_roles` names."""
        return frozenset(Role(word.strip()) for word in self.otp_required_roles.split(",") if word.strip())

    @model_validator(mode="after")
    def _check_roles(self) -> Settings:
        unknown = {word.strip() for word in self.otp_required_roles.split(",")} - {"", *Role}
        if unknown:
            raise ValueError(f"otp_required_roles: there is no role {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _check_shifts(self) -> Settings:
        if len({self.shift_day_from, self.shift_evening_from, self.shift_night_from}) < 3:
            raise ValueError("the three shifts must begin at three different times")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic names them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the signature is the library's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = _FileSource(settings_cls, os.environ)
        return init_settings, env_settings, files, TomlConfigSettingsSource(settings_cls)

    @property
    def console_api_url(self) -> str:
        """Where the console finds the API."""
        host = "127.0.0.1" if self.api_host in ("0.0.0.0", "::") else self.api_host  # noqa: S104 -- compared only
        return self.api_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"

    def require_database(self) -> str:
        """The database URL, or Misconfigured."""
        return _required(self.database_url, "ANHU_DATABASE_URL", "postgresql://anhu_ingest:…@127.0.0.1:5432/anhu")

    def require_mqtt(self) -> str:
        """The broker URL, or Misconfigured."""
        return _required(self.mqtt_url, "ANHU_MQTT_URL", "mqtt://ingest:…@127.0.0.1:1883")

    def require_mqtt_accounts(self) -> str:
        """The broker URL with the account that manages accounts, or Misconfigured."""
        example = "mqtts://anhu-accounts:…@127.0.0.1:8884"
        return _required(self.mqtt_accounts_url, "ANHU_MQTT_ACCOUNTS_URL", example)

    def require_token_key(self) -> str:
        """The key that signs tokens, or Misconfigured."""
        return _required(self.token_key, "ANHU_TOKEN_KEY", "32 or more random characters, one for all of api")

    def require_device_key(self) -> str:
        """The key that device passwords are derived from, or Misconfigured."""
        return _required(self.device_key, "ANHU_DEVICE_KEY", "32 or more random characters, kept for good")


def _required(value: SecretStr | None, name: str, example: str) -> str:
    if value is None or not value.get_secret_value():
        raise Misconfigured(f"{name} is not set. Set it, for example: {name}={example}")
    return value.get_secret_value()


def load_settings(**overrides: object) -> Settings:
    """Read the settings; a value that is not valid becomes Misconfigured with the variable's name."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        problems = "; ".join(f"ANHU_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise Misconfigured(f"settings are not valid: {problems}") from error

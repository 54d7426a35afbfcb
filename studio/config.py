"""Settings: read from the environment once, frozen, and refused at start when unsafe."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .errors import SettingsError

MIN_TOKEN = 32
PROVIDER_KEYS = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY",
    "GROQ_API_KEY", "MISTRAL_API_KEY", "AZURE_OPENAI_API_KEY",
)  # fmt: skip


class Settings(BaseSettings):
    """Every setting is STUDIO_<NAME> in the environment; `studio serve` overrides a few.

    home                data folder, made with mode 0700
    token               a bearer token for automation; needed, 32 characters or more, when the
                        studio listens elsewhere than on loopback
    allowed_hosts       host names, comma separated: names the studio may be called by, and hosts
                        that models may live on when the studio is not on loopback; a host on
                        loopback or in a private network is reached by code and skills only if it
                        stands here and in their own list
    open_network        whether code and skills whose network is "open" may reach every public host
    boxes               what code may run in, comma separated, the preferred one first
    max_*               no session exceeds these
    """

    model_config = SettingsConfigDict(env_prefix="STUDIO_", frozen=True, extra="ignore")

    home: Path = Path("~/.roundtable")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    token: SecretStr | None = None
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    open_network: bool = False
    public_url: str = ""
    sqlite_synchronous: Literal["full", "normal"] = "full"
    max_messages: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000_000)] = 50_000_000
    max_cost_usd: Annotated[float, Field(gt=0, le=1_000_000)] = 100.0
    max_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 86_400
    gallery: bool = True
    boxes: Annotated[tuple[Literal["docker", "sandbox"], ...], NoDecode] = ("docker", "sandbox")

    @field_validator("allowed_hosts", "boxes", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(h.strip().lower() for h in value.split(",") if h.strip())
        return value

    @field_validator("home", "secret_key_file")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        token = self.token.get_secret_value() if self.token else ""
        if not self.on_loopback and len(token) < MIN_TOKEN:
            raise ValueError(
                f"STUDIO_HOST={self.host} is reachable from other machines: set STUDIO_TOKEN to a "
                f"secret of at least {MIN_TOKEN} characters, or use 127.0.0.1"
            )
        return self

    @property
    def on_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'studio.db'}"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; overrides that are None are ignored. Raises SettingsError."""
    given = {k: v for k, v in overrides.items() if v is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [
            f"STUDIO_{str(e['loc'][0]).upper()}: {e['msg']}"
            if e["loc"]
            else str(e["msg"]).removeprefix("Value error, ")
            for e in error.errors()
        ]
        raise SettingsError("; ".join(lines)) from None


def has_display() -> bool:
    """Whether a graphical browser can be opened; a text browser would take the terminal over."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def child_environment(**more: str) -> dict[str, str]:
    """The environment for a process we start: without our own settings and anybody's keys."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STUDIO_") and name not in PROVIDER_KEYS
    }
    return {**ours, **more}


def environment_keys() -> dict[str, str]:
    """Provider keys that stand in the environment, by variable name: offered, never just used."""
    return {name: os.environ[name] for name in PROVIDER_KEYS if os.environ.get(name)}

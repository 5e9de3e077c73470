"""Every setting, typed and checked: `AMPLIFY_*` environment over `AMPLIFY_*_FILE` secrets over a TOML file.

An unknown key, a bad value or a missing production secret refuses to start and says which and why.
The same names stand, commented, in config/defaults.toml; a test keeps the two and docs/settings.md together.
"""

import os
import tomllib
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

DEVELOPMENT_SECRET = "development-only-not-a-secret"  # noqa: S105 (says itself that it is none)
PREFIX = "AMPLIFY_"
# Read elsewhere: the settings file, the tests' browser, and the exits that fault tests ask for.
NOT_SETTINGS = ("AMPLIFY_CONFIG", "AMPLIFY_CHROMIUM", "AMPLIFY_FAILPOINT")
# Never shown whole.
SECRETS = ("secret_key", "smtp_password", "twilio_auth_token", "metrics_token")


class SettingsRefused(Exception):
    """The settings do not make a safe start; the text lists each field with its rule."""


class Settings(BaseSettings):
    """All settings. Units stand in the names."""

    model_config = SettingsConfigDict(env_prefix="AMPLIFY_", extra="forbid", frozen=True)

    env: Literal["development", "demo", "test", "production"] = "development"
    data_dir: Path = Path("var")
    database_url: str = ""
    secret_key: str = ""
    base_url: str = "http://127.0.0.1:8000"
    trusted_hosts: list[str] = Field(default_factory=list)
    proxies: int = Field(0, ge=0, le=5)
    # Only where a network in front of us sets it on every request: a visitor could send it as well.
    country_header: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9-]{0,63})?$")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    threads: int = Field(8, ge=1, le=64)
    wall_streams: int = Field(200, ge=0, le=10_000)

    mail: Literal["console", "smtp", "file"] = "console"
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_timeout_seconds: float = Field(20.0, gt=0, le=120)
    mail_from: str = "Amplify <hello@amplify.example>"
    # Text messages by Twilio: all three, or none.
    twilio_account_sid: str = Field("", pattern=r"^(AC[0-9a-fA-F]{32})?$")
    twilio_auth_token: str = ""
    sms_from: str = Field("", pattern=r"^(\+[1-9][0-9]{6,14}|MG[0-9a-fA-F]{32})?$")
    twilio_url: str = "https://api.twilio.com"
    # Tests and the demo answer their own webhooks; anywhere else this would let a brand's address reach inside.
    outgoing_to_loopback: bool = False

    # Requests per minute and caller; 0 switches a limit off. Tracked links and signed postbacks are never limited.
    limit_sign_in: int = Field(10, ge=0)
    limit_form: int = Field(60, ge=0)
    limit_api: int = Field(6_000, ge=0)
    max_body_bytes: int = Field(1_000_000, ge=1_000)
    max_import_bytes: int = Field(200_000_000, ge=1_000)
    ask_link_days: int = Field(30, ge=1, le=365)
    attribution_days: int = Field(90, ge=1, le=365)
    worker_poll_seconds: float = Field(0.5, gt=0, le=60)
    worker_threads: int = Field(4, ge=1, le=64)
    worker_nice: int = Field(5, ge=0, le=19)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_token: str = ""

    @field_validator("trusted_hosts", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """In the environment a list is written with commas."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be http:// or https:// and a host name")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
            raise ValueError("must be a scheme, a host and perhaps a port, without a path")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must be sqlite:///path or postgresql://user:password@host/name")
        if value.removeprefix("sqlite:///") in ("", ":memory:") and value:
            raise ValueError("must name a file: several processes work on it")
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_from(cls, value: str) -> str:
        _name, address = parseaddr(value)
        if "@" not in address or any(ord(char) < 32 for char in value):
            raise ValueError("must be an address, or a name and <address>")
        return value

    @model_validator(mode="after")
    def _safe_in_production(self) -> "Settings":
        if self.env == "production" and (missing := self._missing_in_production()):
            raise ValueError("; ".join(missing))
        return self

    @model_validator(mode="after")
    def _whole_account(self) -> "Settings":
        parts = (self.twilio_account_sid, self.twilio_auth_token, self.sms_from)
        if any(parts) and not all(parts):
            raise ValueError("twilio_account_sid, twilio_auth_token and sms_from: text messages need all three")
        return self

    def _missing_in_production(self) -> list[str]:
        rules = {
            "secret_key: production needs at least 32 characters, as `amplify config secret` makes them": (
                len(self.secret_key) >= 32
            ),
            "base_url: production needs https://": self.base_url.startswith("https://"),
            "mail: production sends by smtp": self.mail == "smtp",
            "mail_from: production needs an address of yours": "@amplify.example" not in self.mail_from,
            "outgoing_to_loopback: production calls no addresses of its own machine": not self.outgoing_to_loopback,
            "smtp_tls: a password is not sent in the clear": (
                not self.smtp_password or self.smtp_tls != "none" or self.smtp_host in ("localhost", "127.0.0.1", "::1")
            ),
        }
        return [rule for rule, kept in rules.items() if not kept]

    @property
    def database(self) -> str:
        """The database address in force; SQLite in the data folder by default."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'amplify.db').resolve()}"

    @property
    def sends_sms(self) -> bool:
        """Whether there is an account for text messages."""
        return bool(self.twilio_account_sid)

    @property
    def secret(self) -> str:
        """The key that signs and seals; outside production a fixed one stands in, so a restart keeps links alive."""
        return self.secret_key or DEVELOPMENT_SECRET

    @property
    def hosts(self) -> list[str]:
        """Host names that requests may carry; the base URL's own is always among them."""
        own = urlsplit(self.base_url).hostname or "localhost"
        return [own, *self.trusted_hosts, *(["localhost", "127.0.0.1"] if self.env != "production" else [])]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `load` reads the rest, so that it can say where each value is from; tests make Settings from nothing else.
        return (init_settings,)


class Given(NamedTuple):
    """A value and where it is from: "environment", a file's path, or "default"."""

    value: Any
    origin: str


def load(**overrides: Any) -> Settings:
    """The settings in force. Raises SettingsRefused with one line per problem, all of them."""
    return read(os.environ, overrides)[0]


def read(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> tuple[Settings, dict[str, Given]]:
    """The settings and where each is from. Raises SettingsRefused."""
    problems: list[str] = []
    given = _from_toml(environ.get("AMPLIFY_CONFIG"), problems)
    given |= _from_environment(environ, problems)
    given |= {name: Given(value, "command line") for name, value in (overrides or {}).items() if value is not None}
    known = {name: one for name, one in given.items() if name in Settings.model_fields}
    try:
        settings = Settings(**{name: one.value for name, one in known.items()})
    except ValidationError as error:
        problems += [_problem(found, known) for found in error.errors(include_url=False)]
    if problems:
        raise SettingsRefused("\n".join(problems))
    return settings, {name: known.get(name, Given(None, "default")) for name in Settings.model_fields}


def _problem(found: Any, known: Mapping[str, Given]) -> str:
    name = ".".join(map(str, found["loc"]))
    said = str(found["msg"]).removeprefix("Value error, ")
    if not name:  # a rule about several; it names them itself
        return said.replace("; ", "\n")
    origin = known[str(found["loc"][0])].origin if str(found["loc"][0]) in known else "default"
    return f"{name}: {said} ({origin})"


def _from_toml(path: str | None, problems: list[str]) -> dict[str, Given]:
    if not path:
        return {}
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"AMPLIFY_CONFIG: {path}: {error}")
        return {}
    problems += [f"{name}: there is no such setting ({path})" for name in values if name not in Settings.model_fields]
    return {name: Given(value, path) for name, value in values.items()}


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, Given]:
    """`AMPLIFY_X=...`, or `AMPLIFY_X_FILE=/run/secrets/x` for the file's content. A misspelt name is a problem."""
    found: dict[str, Given] = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX) and name not in NOT_SETTINGS):
        name = variable.removeprefix(PREFIX).lower()
        if name in Settings.model_fields:
            found[name] = Given(environ[variable], "environment")
        elif name.removesuffix("_file") in Settings.model_fields:
            _from_secret_file(name.removesuffix("_file"), environ[variable], environ, found, problems)
        else:
            problems.append(f"{variable}: there is no such setting")
    return found


def _from_secret_file(
    name: str, path: str, environ: Mapping[str, str], found: dict[str, Given], problems: list[str]
) -> None:
    variable = f"{PREFIX}{name.upper()}"
    if variable in environ:
        problems.append(f"{variable}: given twice, by itself and as {variable}_FILE")
        return
    try:
        found[name] = Given(Path(path).read_text(encoding="utf-8").strip(), path)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{variable}_FILE: {error}")

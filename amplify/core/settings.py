"""Every setting, typed and checked: `AMPLIFY_*` environment over `AMPLIFY_*_FILE` secrets over a TOML file.

An unknown key, a bad value or a missing production secret refuses to start and says which and why.
The same names stand, commented, in config/defaults.toml; a test keeps the two and docs/settings.md together.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

DEVELOPMENT_SECRET = "development-only-not-a-secret"  # noqa: S105


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
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    threads: int = Field(8, ge=1, le=64)

    mail: Literal["console", "smtp", "file"] = "console"
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_timeout_seconds: float = Field(20.0, gt=0, le=120)
    mail_from: str = "Amplify <hello@amplify.example>"

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
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_token: str = ""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must be sqlite:///path or postgresql://user:password@host/name")
        return value

    @model_validator(mode="after")
    def _safe_in_production(self) -> "Settings":
        if self.env == "production":
            if len(self.secret_key) < 32:
                raise ValueError(
                    "secret_key: production needs at least 32 characters; see `amplify config secret`"
                )
            if not self.base_url.startswith("https://"):
                raise ValueError("base_url: production needs https://")
        return self

    @property
    def database(self) -> str:
        """The database address in force; SQLite in the data folder by default."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'amplify.db').resolve()}"

    @property
    def secret(self) -> str:
        """The key that signs and seals; outside production a fixed one stands in, so a restart keeps links alive."""
        return self.secret_key or DEVELOPMENT_SECRET

    @property
    def hosts(self) -> list[str]:
        """Host names that requests may carry; the base URL's own is always among them."""
        from urllib.parse import urlsplit

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
        toml = os.environ.get("AMPLIFY_CONFIG")
        files = (TomlConfigSettingsSource(settings_cls, Path(toml)),) if toml else ()
        return (init_settings, env_settings, *files)


def _from_files(environ: dict[str, str]) -> dict[str, str]:
    """`AMPLIFY_X_FILE=/run/secrets/x` gives setting x the file's content."""
    found = {}
    for name, path in environ.items():
        if name.startswith("AMPLIFY_") and name.endswith("_FILE"):
            found[name[len("AMPLIFY_") : -len("_FILE")].lower()] = Path(path).read_text().strip()
    return found


def _check_names(environ: dict[str, str]) -> None:
    """The environment is not checked by pydantic: a misspelt AMPLIFY_ name would be silently ignored."""
    known = {f"AMPLIFY_{name.upper()}" for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known} | {"AMPLIFY_CONFIG", "AMPLIFY_CHROMIUM", "AMPLIFY_FAILPOINT"}
    unknown = sorted(name for name in environ if name.startswith("AMPLIFY_") and name not in known)
    if unknown:
        raise SettingsRefused(f"unknown settings: {', '.join(unknown)}. See `amplify config --help`.")


def load(**overrides: Any) -> Settings:
    """The settings in force. Raises SettingsRefused with one line per problem."""
    environ = dict(os.environ)
    _check_names(environ)
    try:
        return Settings(**{**_from_files(environ), **overrides})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()]
        raise SettingsRefused("\n".join(lines)) from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsRefused(f"settings file: {error}") from error

"""Settings: where they may come from, what wins, and that every mistake refuses to start and says why."""

import re
import tomllib
from pathlib import Path

import pytest

from amplify.core import paths
from amplify.core.settings import Settings, SettingsRefused, read

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "AMPLIFY_ENV": "production",
    "AMPLIFY_SECRET_KEY": "x" * 32,
    "AMPLIFY_BASE_URL": "https://share.example.org",
    "AMPLIFY_MAIL": "smtp",
    "AMPLIFY_MAIL_FROM": "Example <hello@example.org>",
}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsRefused) as refused:
        read(environ)
    return str(refused.value)


def test_nothing_given_is_a_complete_development_install() -> None:
    settings, given = read({})
    assert settings.env == "development"
    assert settings.database.startswith("sqlite:///")
    assert {one.origin for one in given.values()} == {"default"}


def test_the_environment_wins_over_the_file_and_both_say_so(tmp_path: Path) -> None:
    file = tmp_path / "amplify.toml"
    file.write_text('port = 9000\nthreads = 3\ntrusted_hosts = ["a.example"]\n')
    settings, given = read({"AMPLIFY_CONFIG": str(file), "AMPLIFY_PORT": "9001"})
    assert (settings.port, settings.threads, settings.trusted_hosts) == (9001, 3, ["a.example"])
    assert (given["port"].origin, given["threads"].origin) == ("environment", str(file))


def test_the_command_line_wins_over_everything() -> None:
    settings, given = read({"AMPLIFY_PORT": "9001"}, {"port": 9002, "host": None})
    assert settings.port == 9002
    assert given["port"].origin == "command line"
    assert given["host"].origin == "default"


def test_a_secret_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 40 + "\n")
    settings, given = read({"AMPLIFY_SECRET_KEY_FILE": str(secret)})
    assert settings.secret == "s" * 40
    assert given["secret_key"].origin == str(secret)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    said = refusal({"AMPLIFY_SECRET_KEY_FILE": str(secret), "AMPLIFY_SECRET_KEY": "t" * 40})
    assert "AMPLIFY_SECRET_KEY: given twice" in said
    assert "ssss" not in said


def test_a_list_is_written_with_commas_in_the_environment() -> None:
    settings, _ = read({"AMPLIFY_TRUSTED_HOSTS": "a.example, b.example"})
    assert settings.trusted_hosts == ["a.example", "b.example"]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "amplify.toml"
    file.write_text('colour = "blue"\nthreads = 900\n')
    said = refusal(
        {
            "AMPLIFY_CONFIG": str(file),
            "AMPLIFY_PROT": "80",
            "AMPLIFY_PORT": "eighty",
            "AMPLIFY_BASE_URL": "ftp://x",
            "AMPLIFY_SMTP_PASSWORD_FILE": str(tmp_path / "none"),
        }
    )
    for name in ("colour", "threads", "AMPLIFY_PROT", "port", "base_url", "AMPLIFY_SMTP_PASSWORD_FILE"):
        assert re.search(rf"^{name}\b", said, re.MULTILINE), f"{name} is not named in: {said}"
    assert len(said.splitlines()) == 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENV", "prod"),
        ("PORT", "70000"),
        ("PORT", ""),
        ("THREADS", "0"),
        ("THREADS", "1.5"),
        ("PROXIES", "-1"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///"),
        ("BASE_URL", "https://"),
        ("BASE_URL", "https://example.org/amplify"),
        ("BASE_URL", "https://user@example.org"),
        ("BASE_URL", "example.org"),
        ("MAIL", "pigeon"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@b.example\r\nBcc: c@d.example"),
        ("TWILIO_ACCOUNT_SID", "SK0123"),
        ("SMS_FROM", "600123456"),
        ("SMTP_TLS", "yes"),
        ("SMTP_TIMEOUT_SECONDS", "nan"),
        ("WORKER_POLL_SECONDS", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("MAX_BODY_BYTES", "-5"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    assert name.lower() in refusal({f"AMPLIFY_{name}": value})


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "amplify.toml"
    file.write_bytes(content)
    assert str(file) in refusal({"AMPLIFY_CONFIG": str(file)})


def test_a_missing_file_is_refused_and_not_ignored(tmp_path: Path) -> None:
    assert "AMPLIFY_CONFIG" in refusal({"AMPLIFY_CONFIG": str(tmp_path / "none.toml")})


def test_production_starts_when_it_is_safe() -> None:
    settings, _ = read(PRODUCTION)
    assert settings.hosts == ["share.example.org"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("BASE_URL", "http://share.example.org"),
        ("MAIL", "console"),
        ("MAIL_FROM", "Amplify <hello@amplify.example>"),
        ("OUTGOING_TO_LOOPBACK", "true"),
    ],
)
def test_production_refuses_what_is_not_safe(name: str, value: str) -> None:
    said = refusal({**PRODUCTION, f"AMPLIFY_{name}": value})
    assert said.startswith(f"{name.lower()}: ")
    assert len(said.splitlines()) == 1


def test_production_sends_no_password_in_the_clear() -> None:
    over = {"AMPLIFY_SMTP_HOST": "smtp.example.org", "AMPLIFY_SMTP_PASSWORD": "geheim"}
    assert "smtp_tls" in refusal({**PRODUCTION, **over})
    assert "geheim" not in refusal({**PRODUCTION, **over})
    assert read({**PRODUCTION, **over, "AMPLIFY_SMTP_TLS": "starttls"})[0].smtp_password == "geheim"


def test_an_empty_production_hears_of_everything_it_lacks() -> None:
    assert len(refusal({"AMPLIFY_ENV": "production"}).splitlines()) == 4


def test_settings_made_in_code_look_at_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMPLIFY_PORT", "1234")
    assert Settings().port == 8000


def test_settings_do_not_change_after_the_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_the_defaults_file_has_every_setting_with_its_default_and_a_comment() -> None:
    text = (paths.CONFIG / "defaults.toml").read_text()
    values = tomllib.loads(text)
    assert list(values) == list(Settings.model_fields)
    shown = Settings().model_dump(mode="json")
    assert values == shown
    for name in values:
        assert re.search(rf"(?m)^# .+\n{name} = ", text), f"{name} has no comment above it"


def test_the_production_example_starts_once_its_secret_is_there(tmp_path: Path) -> None:
    example = paths.CONFIG / "production.example.toml"
    assert "secret_key" in refusal({"AMPLIFY_CONFIG": str(example)})
    settings, _ = read({"AMPLIFY_CONFIG": str(example), "AMPLIFY_SECRET_KEY": "k" * 43})
    assert settings.env == "production"


def test_the_documentation_has_every_setting_and_no_other() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    assert re.findall(r"(?m)^\| `([a-z_]+)` \|", text) == list(Settings.model_fields)


def test_an_account_for_text_messages_is_given_whole() -> None:
    part = {"AMPLIFY_SMS_FROM": "+14155550100"}
    assert "text messages need all three" in refusal(part)
    whole = part | {"AMPLIFY_TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "AMPLIFY_TWILIO_AUTH_TOKEN": "t"}
    assert read(whole)[0].sends_sms

"""`amplify config`."""

import json

from tests.cli.conftest import Amplify


def test_the_settings_in_force_are_shown_with_their_origin(amplify: Amplify) -> None:
    told = json.loads(amplify("config", "--json", AMPLIFY_PORT="9000").stdout)
    assert told["port"] == {"value": 9000, "from": "environment"}
    assert told["threads"]["from"] == "default"


def test_secrets_are_masked(amplify: Amplify) -> None:
    secrets = {
        "AMPLIFY_SECRET_KEY": "canary-1" * 5,
        "AMPLIFY_SMTP_PASSWORD": "canary-2",
        "AMPLIFY_METRICS_TOKEN": "canary-3",
    }
    for form in ((), ("--json",)):
        shown = amplify("config", *form, **secrets, AMPLIFY_DATABASE_URL="postgresql://a:canary-4@db/a").stdout
        assert "canary" not in shown
        assert "postgresql://a:***@db/a" in shown


def test_refused_settings_end_every_command_with_two_and_a_line_per_problem(amplify: Amplify) -> None:
    done = amplify("serve", AMPLIFY_PROT="1", AMPLIFY_THREADS="none")
    assert done.returncode == 2
    assert "AMPLIFY_PROT: there is no such setting" in done.stderr
    assert "threads:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_is_new_each_time_and_long_enough_for_production(amplify: Amplify) -> None:
    first, second = amplify("config", "secret").stdout.strip(), amplify("config", "secret").stdout.strip()
    assert first != second
    assert len(first) >= 43

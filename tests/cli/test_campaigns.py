"""`amplify campaigns`, as a script uses it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Amplify

CAMPAIGN = """
name = "Spring"
landing_url = "https://shop.example/spring"
starts_local = "2199-06-01T09:00"
timezone = "Europe/Berlin"
[audience]
kind = "top_n"
value = 10
[texts.en]
headline = "Tell a friend"
disclosure = "I may get a reward. #ad"
[reward]
type = "code_pool"
name = { en = "20 % off" }
value_minor = 500
currency = "USD"
budget_minor = 100000
"""


def test_a_campaign_is_written_scheduled_and_stopped_by_script(amplify: Amplify, tmp_path: Path) -> None:
    def said(*words: str, ok: bool = True) -> Any:
        done = amplify("campaigns", *words, "--brand", "acme", "--json")
        assert (done.returncode == 0) == ok, done.stderr
        return json.loads(done.stdout) if ok else done.stderr

    assert amplify("db", "upgrade").returncode == 0
    assert amplify("brands", "create", "acme", "--name", "Acme", "--host", "shop.example").returncode == 0
    (tmp_path / "spring.toml").write_text(CAMPAIGN)
    (tmp_path / "codes.txt").write_text("A1\nA2\nA1\n")
    made = said("create", "--file", str(tmp_path / "spring.toml"), "--codes", str(tmp_path / "codes.txt"))
    assert (made["state"], made["is_rewarded"], made["codes_added"], made["codes_refused"]) == ("draft", True, 2, 1)
    number = str(made["id"])
    assert said("dry-run", number)["cost_minor"] == 0
    assert said("schedule", number)["state"] == "scheduled"
    assert [one["name"] for one in said("list")] == ["Spring"]
    assert said("start", number)["state"] == "live"
    assert said("pause", number)["state"] == "paused"
    assert said("stop", number)["state"] == "stopped"
    assert "cannot do this" in said("resume", number, ok=False)
    assert said("show", number)["spent_minor"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "spring.toml"),
        (CAMPAIGN.replace("shop.example/spring", "www.yelp.com/biz"), "465.4"),
        (CAMPAIGN.replace('kind = "top_n"', 'kind = "likes"'), "audience.kind"),
        (CAMPAIGN.replace("value = 10", 'value = 10\nlocation = "nowhere"'), "nowhere"),
    ],
)
def test_a_file_that_does_not_fit_is_told_in_one_line(amplify: Amplify, tmp_path: Path, text: str, said: str) -> None:
    amplify("db", "upgrade")
    amplify("brands", "create", "acme", "--name", "Acme", "--host", "shop.example")
    (tmp_path / "spring.toml").write_text(text)
    done = amplify("campaigns", "create", "--brand", "acme", "--file", str(tmp_path / "spring.toml"))
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr

"""`amplify campaigns`, as a script uses it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from amplify import cli
from amplify.core import jobs
from amplify.core.db import Base
from tests.world import a_brand

Command = Callable[..., Result]


@pytest.fixture
def campaigns(new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `amplify campaigns ...` for the brand acme, in this process, on a database of its own."""
    cli._discover()
    address = new_database()
    monkeypatch.setenv("AMPLIFY_DATABASE_URL", address)
    monkeypatch.setenv("AMPLIFY_DATA_DIR", str(tmp_path))
    engine = sa.create_engine(address)
    Base.metadata.create_all(engine)
    jobs.create_tables(engine)
    with Session(engine) as session, session.begin():
        a_brand(session)
    engine.dispose()
    return lambda *words: CliRunner().invoke(cli.cli, ["campaigns", *words, "--brand", "acme"])


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


def test_a_campaign_is_written_scheduled_and_stopped_by_script(campaigns: Command, tmp_path: Path) -> None:
    def said(*words: str) -> Any:
        done = campaigns(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

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
    assert said("show", number)["spent_minor"] == 0
    refused = campaigns("resume", number)
    assert refused.exit_code == 1
    assert "cannot do this" in refused.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "spring.toml"),
        (CAMPAIGN.replace("shop.example/spring", "www.yelp.com/biz"), "465.4"),
        (CAMPAIGN.replace('kind = "top_n"', 'kind = "likes"'), "audience.kind"),
        (CAMPAIGN.replace("value = 10", 'value = 10\nlocation = "nowhere"'), "nowhere"),
    ],
)
def test_a_file_that_does_not_fit_is_told_in_one_line(campaigns: Command, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "spring.toml").write_text(text)
    done = campaigns("create", "--file", str(tmp_path / "spring.toml"))
    assert done.exit_code == 1
    assert said in done.output
    assert json.loads(campaigns("list", "--json").stdout) == []


def test_a_repeating_campaign_is_written_and_copied_by_script(campaigns: Command, tmp_path: Path) -> None:
    file = tmp_path / "weekly.toml"
    file.write_text(CAMPAIGN + '[repeats]\nkind = "monthly_weekday"\nweekdays = [0]\nnth = 1\nuntil = 2199-12-31\n')
    first = json.loads(campaigns("create", "--file", str(file), "--json").output)
    assert first["repeats"] == {"kind": "monthly_weekday", "weekdays": [0], "nth": 1, "until": "2199-12-31"}
    assert first["starts_at"] == "2199-06-03T07:00:00+00:00"
    copy = json.loads(campaigns("clone", str(first["id"]), "--json").output)
    assert (copy["name"], copy["state"], copy["starts_at"]) == ("Spring (copy)", "draft", None)
    assert copy["repeats"] == first["repeats"]
    assert json.loads(campaigns("clone", str(first["id"]), "--name", "Autumn", "--json").output)["name"] == "Autumn"


def test_what_friends_get_is_written_filled_and_counted_by_script(campaigns: Command, tmp_path: Path) -> None:
    file, codes = tmp_path / "both.toml", tmp_path / "friends.txt"
    file.write_text(
        CAMPAIGN + '[friend]\ntype = "code_pool"\nname = { en = "10 % off" }\nvalue_minor = 300\ncurrency = "USD"\n'
        'cap_day = 1\nwhen = "purchase"\nnew_only = true\n'
    )
    codes.write_text("HI-1\nHI-2\n")
    made = campaigns("create", "--file", str(file), "--friend-codes", str(codes), "--json")
    told = json.loads(made.stdout)
    assert (told["friend_codes_added"], told["friend_codes_refused"]) == (2, 0)
    number = str(told["id"])
    assert json.loads(campaigns("dry-run", number, "--json").stdout)["friends"] == {
        "enough_for": 2, "codes": 2, "cost_minor": 600, "cost_a_day_minor": 300,
    }  # fmt: skip
    assert json.loads(campaigns("show", number, "--json").stdout)["friends"] == {
        "asked": 0, "given": 0, "redeemed": 0, "refused": {}, "spent_minor": 0, "currency": "USD",
    }  # fmt: skip
    file.write_text(CAMPAIGN + '[friend]\ntype = "manual"\nname = { en = "A cake" }\ncurrency = "USD"\n')
    refused = campaigns("create", "--file", str(file))
    assert refused.exit_code == 1
    assert "friend.type" in refused.output


def test_exclusion_lists_are_kept_by_script_and_named_in_a_campaigns_file(campaigns: Command, tmp_path: Path) -> None:
    def said(group: str, *words: str) -> Any:
        done = CliRunner().invoke(cli.cli, [group, *words, "--brand", "acme", "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    (tmp_path / "staff.csv").write_text("email\nnobody@mail.example\n")
    said("exclusions", "create", "Staff")
    told = said("exclusions", "put-on", "Staff", "--file", str(tmp_path / "staff.csv"))
    assert told == {"changed": 0, "as_before": 0, "unknown": 1, "unknown_lines": [2]}
    audience = 'exclude = ["Staff"]\njoined_since = 2199-01-01\nholdout_percent = 10\n'
    (tmp_path / "spring.toml").write_text(CAMPAIGN.replace("value = 10\n", f"value = 10\n{audience}"))
    said("campaigns", "create", "--file", str(tmp_path / "spring.toml"))
    assert said("exclusions", "list") == [{"name": "Staff", "people": 0}]
    refused = CliRunner().invoke(cli.cli, ["exclusions", "remove", "Staff", "--brand", "acme"])
    assert (refused.exit_code, "Spring" in refused.output) == (1, True)

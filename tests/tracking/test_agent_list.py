"""The operator's own list: what may stand on it, and that verdicts obey it."""

import pytest
import sqlalchemy as sa

from amplify.core.errors import AmplifyError
from amplify.tracking import agent_list
from amplify.tracking.models import ClickVerdict
from amplify.tracking.services import track
from tests.tracking.world import CHROME, FACEBOOK, World, click

ODD = f"{CHROME} AcmeThing/2.1"


def judged(world: World, agent: str) -> tuple[str, str]:
    click(world, world.link(world.advocate()), agent=agent)
    track(world.session, 10)
    newest = sa.select(ClickVerdict.verdict, ClickVerdict.rule).order_by(ClickVerdict.click_id.desc()).limit(1)
    verdict, rule = world.session.execute(newest).one()
    return verdict, rule


@pytest.mark.parametrize("kind", ["bot", "preview", "scanner"])
def test_a_machine_that_the_operator_knows_does_not_count(world: World, kind: str) -> None:
    assert judged(world, ODD)[0] == "human"
    agent_list.add(world.session, "  AcmeThing/ ", kind, note="seen in May", actor="user:1")
    assert judged(world, ODD) == (kind, "list:acmething/")


def test_a_person_whom_the_built_in_list_takes_for_a_machine_counts_again(world: World) -> None:
    agent_list.add(world.session, "facebookexternalhit/1.1", "human", actor="user:1")
    assert judged(world, FACEBOOK) == ("human", "first-click")


def test_the_longest_pattern_wins(world: World) -> None:
    agent_list.add(world.session, "acmething", "bot", actor="user:1")
    agent_list.add(world.session, "acmething/2", "human", actor="user:1")
    assert judged(world, ODD)[0] == "human"


def test_an_entry_that_is_switched_off_or_removed_says_nothing(world: World) -> None:
    row = agent_list.add(world.session, "acmething", "bot", actor="user:1")
    agent_list.switch(world.session, row, False)
    assert judged(world, ODD)[0] == "human"
    agent_list.switch(world.session, row, True)
    assert judged(world, ODD)[0] == "bot"
    agent_list.remove(world.session, row)
    assert judged(world, ODD)[0] == "human"
    assert agent_list.patterns(world.session) == []


@pytest.mark.parametrize(
    ("text", "kind", "field", "rule"),
    [
        ("ab", "bot", "pattern", "length-3-100"),
        ("x" * 101, "bot", "pattern", "length-3-100"),
        ("a\x00bc", "bot", "pattern", "length-3-100"),
        ("Mozilla/5.0", "bot", "pattern", "everybody"),
        ("applewebkit", "scanner", "pattern", "everybody"),
        ("acmething", "robot", "kind", "choice"),
        ("FIRST", "bot", "pattern", "unique"),
    ],
)
def test_what_is_refused_names_field_and_rule(world: World, text: str, kind: str, field: str, rule: str) -> None:
    agent_list.add(world.session, "first", "bot", actor="user:1")
    with pytest.raises(AmplifyError) as refused:
        agent_list.add(world.session, text, kind, actor="user:1")
    assert (refused.value.field, refused.value.rule) == (field, rule)

"""Milestones: given as soon as they are reached, once for each person and step; undone while nothing has left."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.brands.policy import change_policy
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import jobs
from amplify.core.errors import AmplifyError
from amplify.customers.services import withdraw_consent
from amplify.delivery.render import render
from amplify.leaderboards.models import Snapshot
from amplify.leaderboards.services import project
from amplify.rewards import approving, presenting, queries, services
from amplify.rewards.dry_run import dry_run
from amplify.rewards.milestones import CURSOR
from amplify.rewards.models import Milestone
from amplify.rewards.uploading import upload_codes
from amplify.sharing.models import Advocate
from amplify.tracking import cursors
from tests.campaigns.making import campaign_in
from tests.leaderboards.scene import make_all
from tests.rewards.making import (
    REWARD_TEXTS,
    START,
    catch_up,
    earn,
    give_back,
    is_balanced,
    make_milestone,
    make_rewarded,
    pushes_of,
    reward_in,
    reward_of,
)
from tests.rewards.test_reviewing import check, decide
from tests.rewards.test_start import customer_of, reward_mails, send, states


def steps(session: Session, campaign: Campaign) -> list[tuple[int, int]]:
    """(advocate, step) of every push, in order."""
    return [(push.advocate_id or 0, push.step) for push in pushes_of(session, campaign)]


def test_nothing_is_given_before_it_is_reached_and_one_push_then(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign, anna = make_milestone(session, brand, at_least=3), advocates[0]
    assert session.scalar(sa.select(sa.func.count(Snapshot.id))) == 0
    earn(session, campaign, anna, 2)
    catch_up(session)
    assert pushes_of(session, campaign) == []
    earn(session, campaign, anna, 1)
    catch_up(session)
    (push,) = pushes_of(session, campaign)
    assert (push.advocate_id, push.step, push.rank, push.state, push.snapshot_id) == (anna.id, 1, 1, "earned", None)
    earn(session, campaign, anna, 30)
    catch_up(session)
    assert len(pushes_of(session, campaign)) == 1
    assert is_balanced(session, campaign)


def test_each_further_so_many_is_a_step_up_to_the_last(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=2, times=3, trigger="human_click")
    anna, bert, _carl = advocates
    earn(session, campaign, bert, 3, "human_click")
    earn(session, campaign, anna, 9, "human_click")
    catch_up(session)
    assert sorted(steps(session, campaign)) == sorted([(bert.id, 1), (anna.id, 1), (anna.id, 2), (anna.id, 3)])
    assert len({push.code for push in pushes_of(session, campaign)}) == 4
    assert sorted(push.rank for push in pushes_of(session, campaign)) == [1, 2, 3, 4]


def test_points_that_count_towards_rewards_can_be_reached(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=26, trigger="points")
    weight = brand.weights["human_click"] / 1000
    earn(session, campaign, advocates[0], int(25 / weight), "human_click")
    catch_up(session)
    assert pushes_of(session, campaign) == []
    earn(session, campaign, advocates[0], int(1 / weight), "human_click")
    catch_up(session)
    assert len(pushes_of(session, campaign)) == 1


def test_only_what_came_through_the_links_of_the_campaign_counts(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign, other = make_milestone(session, brand, at_least=2), make_rewarded(session, brand)
    earn(session, other, advocates[0], 5)
    earn(session, campaign, advocates[0], 1)
    catch_up(session)
    assert pushes_of(session, campaign) == []


def test_the_mail_says_what_was_reached_in_the_words_of_the_reader(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=3)
    for advocate in advocates[:2]:
        earn(session, campaign, advocate, 3)
    catch_up(session)
    jobs.drain(session)
    english, spanish = (render(mail, brand) for mail in reward_mails(session))
    assert "Your links have led to 3 purchases at Acme." in english.text
    assert "Your links have led to 3 purchases at Acme." in english.html
    assert "You are number" not in english.text + english.html
    assert "Tus enlaces han llevado a 3 compras en Acme." in spanish.text
    assert {mail.context["code"] for mail in reward_mails(session)} == {p.code for p in pushes_of(session, campaign)}
    send(session)
    assert states(session, campaign) == ["sent", "sent"]


@pytest.mark.parametrize("trigger", ["share", "post", "like", "follow", "review", "nps", "promoter"])
def test_an_act_or_an_opinion_is_no_milestone(session: Session, brand: Brand, trigger: str) -> None:
    with pytest.raises(AmplifyError) as refused:
        make_milestone(session, brand, trigger=trigger)
    assert (refused.value.field, refused.value.rule) == ("rule.trigger", "pay-to-engage")


@pytest.mark.parametrize(
    ("rule", "field", "name"),
    [
        ({"trigger": "rank", "at_least": 3, "when": "reached"}, "rule.trigger", "rank-at-a-start"),
        ({"trigger": "conversion", "when": "reached"}, "rule.at_least", "at-least-one"),
        ({"trigger": "points", "at_least": 3}, "rule.trigger", "points-are-reached"),
        ({"trigger": "conversion", "at_least": 3, "times": 2}, "rule.times", "once-at-a-start"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_name(
    session: Session, brand: Brand, rule: dict[str, Any], field: str, name: str
) -> None:
    with pytest.raises(AmplifyError) as refused:
        make_rewarded(session, brand, rule=rule)
    assert (refused.value.field, refused.value.rule) == (field, name)


@pytest.mark.parametrize(
    ("changes", "field", "name"),
    [
        ({"audience": {"kind": "top_n", "value": 5, "locale": "es"}}, "audience.locale", "milestone-for-everybody"),
        (
            {"audience": {"kind": "top_n", "value": 5, "holdout_percent": 10}},
            "audience.holdout_percent",
            "milestone-for-everybody",
        ),
        ({"repeats": {"kind": "weekly", "weekdays": [0]}}, "repeats.kind", "milestone-starts-once"),
    ],
)
def test_what_only_a_ranking_knows_is_refused_for_a_milestone(
    session: Session, brand: Brand, changes: dict[str, Any], field: str, name: str
) -> None:
    rule = {"trigger": "conversion", "at_least": 3, "when": "reached"}
    campaign = campaigns.create(session, brand, campaign_in(texts=REWARD_TEXTS, **changes), "user:1")
    with pytest.raises(AmplifyError) as refused:
        services.attach(session, campaign, reward_in(rule=rule), "user:1")
    assert (refused.value.field, refused.value.rule) == (field, name)


def test_a_pool_that_is_dry_lets_them_wait_in_their_order_until_it_is_filled(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=1, codes=1)
    for advocate in advocates:
        earn(session, campaign, advocate)
        catch_up(session)
    assert [who for who, _step in steps(session, campaign)] == [advocates[0].id]
    assert queries.results(session, campaign).waiting == {"no-code": 2}
    upload_codes(session, reward_of(session, campaign), ["POOL-NEW-1"])
    catch_up(session)
    assert [who for who, _step in steps(session, campaign)] == [advocates[0].id, advocates[1].id]
    assert queries.results(session, campaign).waiting == {"no-code": 1}


@pytest.mark.parametrize(
    ("reward", "filled", "rule"),
    [
        ({"budget_minor": 500}, {"budget_minor": 1000}, "over-budget"),
        ({"cap_total": 1}, {"cap_total": 2}, "cap"),
        ({"cap_day": 1}, {"cap_day": 2}, "cap"),
    ],
)
def test_budget_and_caps_let_wait_and_go_on_when_there_is_more(
    session: Session, brand: Brand, advocates: list[Advocate], reward: Any, filled: Any, rule: str
) -> None:
    campaign = make_milestone(session, brand, at_least=1, **reward)
    for advocate in advocates[:2]:
        earn(session, campaign, advocate)
    catch_up(session)
    assert len(pushes_of(session, campaign)) == 1
    assert queries.results(session, campaign).waiting == {rule: 1}
    given = reward_of(session, campaign)
    services.attach(session, campaign, reward_in(rule=given.rule, **reward | filled), "user:1")
    catch_up(session)
    assert len(pushes_of(session, campaign)) == 2
    assert is_balanced(session, campaign)


def test_who_must_not_be_written_to_is_left_out_by_the_rule(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=1)
    withdraw_consent(session, customer_of(session, advocates[0]), "said so")
    earn(session, campaign, advocates[0])
    catch_up(session)
    assert pushes_of(session, campaign) == []
    found = queries.results(session, campaign)
    assert (dict(found.left_out), found.chosen) == ({"no-consent": 1}, 1)


@pytest.mark.parametrize("is_ordered", [False, True])
def test_a_refund_before_it_leaves_cancels_it_and_reaching_it_again_owes_the_same(
    session: Session, brand: Brand, advocates: list[Advocate], is_ordered: bool
) -> None:
    campaign, anna = make_milestone(session, brand, at_least=2, codes=5), advocates[0]
    earn(session, campaign, anna, 2)
    catch_up(session)
    if is_ordered:
        jobs.drain(session)  # the mail waits for the sender
    code = pushes_of(session, campaign)[0].code
    give_back(session, campaign, anna)
    catch_up(session)
    (push,) = pushes_of(session, campaign)
    assert (push.state, push.reason, reward_of(session, campaign).spent_minor) == ("cancelled", "milestone", 0)
    earn(session, campaign, anna)
    catch_up(session)
    send(session)
    (push,) = pushes_of(session, campaign)
    assert (push.state, push.code, reward_of(session, campaign).spent_minor) == ("sent", code, 500)
    assert len([mail for mail in reward_mails(session) if mail.sent_at]) == 1


def test_a_refund_that_the_worker_has_not_seen_yet_is_found_at_the_moment_of_sending(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign, anna = make_milestone(session, brand, at_least=2), advocates[0]
    earn(session, campaign, anna, 2)
    catch_up(session)
    give_back(session, campaign, anna)
    project(session, 500)
    send(session)
    (push,) = pushes_of(session, campaign)
    assert (push.state, push.reason) == ("suppressed", "milestone")
    assert is_balanced(session, campaign)


def test_what_has_left_stays_given_whatever_is_refunded(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign, anna = make_milestone(session, brand, at_least=2), advocates[0]
    earn(session, campaign, anna, 2)
    catch_up(session)
    send(session)
    give_back(session, campaign, anna)
    catch_up(session)
    earn(session, campaign, anna, 1)
    catch_up(session)
    assert states(session, campaign) == ["sent"]


def test_a_step_undone_while_it_waits_is_forgotten(session: Session, brand: Brand, advocates: list[Advocate]) -> None:
    campaign, anna = make_milestone(session, brand, at_least=1, codes=0), advocates[0]
    earn(session, campaign, anna)
    catch_up(session)
    give_back(session, campaign, anna)
    catch_up(session)
    assert session.scalar(sa.select(sa.func.count(Milestone.id))) == 0


def test_who_is_being_checked_waits_and_gets_it_once_accepted(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign, anna = make_milestone(session, brand, at_least=1), advocates[0]
    earn(session, campaign, anna)
    catch_up(session)
    case = check(session, anna)
    catch_up(session)
    send(session)
    assert states(session, campaign) == ["earned"]
    decide(session, case, "accepted")
    catch_up(session)
    send(session)
    assert states(session, campaign) == ["sent"]


def test_who_is_refused_after_a_check_gets_nothing(session: Session, brand: Brand, advocates: list[Advocate]) -> None:
    campaign, anna = make_milestone(session, brand, at_least=1), advocates[0]
    earn(session, campaign, anna)
    catch_up(session)
    decide(session, check(session, anna), "refused")
    catch_up(session)
    send(session)
    assert states(session, campaign) == ["cancelled"]
    assert reward_mails(session) == []
    assert is_balanced(session, campaign)


def test_what_being_live_means_is_said_of_a_milestone_and_of_a_start(session: Session, brand: Brand) -> None:
    milestone, ranked = make_milestone(session, brand), make_rewarded(session, brand)
    campaigns.start_due(session, START)
    said = [presenting.effect_of(each, reward_of(session, each)) for each in (milestone, ranked)]
    assert said[0].endswith("Whoever reaches it gets the reward at once.")
    assert said[1].endswith("Rewards of the start are being sent.")
    assert presenting.effect_of(ranked, None) == "Promoters are asked and can share."


def test_a_pause_keeps_them_and_a_stop_calls_off_what_waits(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=1)
    campaigns.pause(session, campaign, "user:1")
    earn(session, campaign, advocates[0])
    catch_up(session)
    assert pushes_of(session, campaign) == []
    campaigns.resume(session, campaign, "user:1")
    catch_up(session)
    assert len(pushes_of(session, campaign)) == 1
    campaigns.pause(session, campaign, "user:1")
    earn(session, campaign, advocates[1])
    catch_up(session)
    campaigns.stop(session, campaign, "user:1")
    earn(session, campaign, advocates[2])
    catch_up(session)
    assert states(session, campaign) == ["cancelled"]
    assert dict(queries.results(session, campaign).left_out) == {"stopped": 1}


def test_what_was_reached_before_the_end_is_given_and_what_comes_after_is_not(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=1)
    earn(session, campaign, advocates[0])
    campaigns.end(session, campaign, "user:1")
    earn(session, campaign, advocates[1])
    catch_up(session)
    send(session)
    assert [(push.advocate_id, push.state) for push in pushes_of(session, campaign)] == [(advocates[0].id, "sent")]


@pytest.mark.parametrize(
    ("trigger", "at_least"), [("conversion", 2), ("human_click", 2), ("points", 2 * 5)], ids=lambda value: str(value)
)
def test_what_happened_before_the_end_counts_whenever_it_is_told(
    session: Session, brand: Brand, advocates: list[Advocate], trigger: str, at_least: int
) -> None:
    cause = "human_click" if trigger == "human_click" else "conversion"
    change_policy(session, brand, {"weights": {cause: 5000}})
    make_all(session)
    campaign, (anna, bert, _carl) = make_milestone(session, brand, at_least=at_least, trigger=trigger), advocates
    for advocate in (anna, bert):
        earn(session, campaign, advocate, 1, cause)
    catch_up(session)
    campaigns.end(session, campaign, "user:1")
    assert campaign.finished_at is not None
    earn(session, campaign, anna, 1, cause, at=campaign.finished_at - timedelta(minutes=1))
    earn(session, campaign, bert, 5, cause, at=campaign.finished_at + timedelta(seconds=1))
    catch_up(session)
    send(session)
    assert [(push.advocate_id, push.state) for push in pushes_of(session, campaign)] == [(anna.id, "sent")]


def test_a_refund_after_the_end_still_takes_back_what_has_not_left(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign, anna = make_milestone(session, brand, at_least=2), advocates[0]
    earn(session, campaign, anna, 2)
    catch_up(session)
    campaigns.end(session, campaign, "user:1")
    give_back(session, campaign, anna)
    earn(session, campaign, anna, 3)  # after the end: takes its place for nobody
    catch_up(session)
    send(session)
    assert states(session, campaign) == ["cancelled"]
    why = queries.why(session, campaign, "Bird 0")
    assert why is not None
    assert why.reached == 1
    assert is_balanced(session, campaign)


def test_a_reward_above_the_limit_waits_for_two_people(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    approving.set_limit(session, brand.id, 100, "user:1")
    campaign = make_milestone(session, brand, at_least=1)
    earn(session, campaign, advocates[0])
    catch_up(session)
    assert states(session, campaign) == ["held"]
    give_back(session, campaign, advocates[0])
    catch_up(session)
    earn(session, campaign, advocates[0])
    catch_up(session)
    assert states(session, campaign) == ["held"]  # nobody has approved it in between
    (push,) = pushes_of(session, campaign)
    approving.approve(session, brand.id, [push.id], "user:1")
    approving.approve(session, brand.id, [push.id], "user:2")
    send(session)
    assert states(session, campaign) == ["sent"]


def test_one_person_gets_no_more_than_one_person_may(session: Session, brand: Brand, advocates: list[Advocate]) -> None:
    campaign = make_milestone(session, brand, at_least=1, times=5, cap_person=2)
    earn(session, campaign, advocates[0], 4)
    catch_up(session)
    assert [step for _who, step in steps(session, campaign)] == [1, 2]
    assert dict(queries.results(session, campaign).left_out) == {"cap-person": 2}


def test_everybody_can_see_why_and_how_far_they_are(session: Session, brand: Brand, advocates: list[Advocate]) -> None:
    campaign = make_milestone(session, brand, at_least=2, times=3, codes=1)
    earn(session, campaign, advocates[0], 5)
    catch_up(session)
    why = queries.why(session, campaign, "Bird 0")
    assert why is not None
    assert [(line.step, line.state, line.reason) for line in why.lines] == [
        (1, "earned", ""),
        (2, "waiting", "no-code"),
    ]
    assert why.reached == 5
    nobody = queries.why(session, campaign, "Bird 2")
    assert nobody is not None
    assert (nobody.lines, nobody.reached) == ([], 0)
    assert [line.state for line in queries.lines(session, campaign)] == ["waiting", "earned"]


def test_the_dry_run_says_that_a_start_gives_nothing_and_for_how_many_there_is_enough(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    rule = {"trigger": "conversion", "at_least": 2, "when": "reached", "times": 1}
    run = dry_run(session, make_rewarded(session, brand, rule=rule, budget_minor=2400, codes=9))
    assert (run.is_milestone, run.chosen, run.cost_minor, run.enough_for, run.codes_available) == (True, 0, 0, 4, 9)


def test_telling_the_ledger_again_gives_nothing_again(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    campaign = make_milestone(session, brand, at_least=1)
    earn(session, campaign, advocates[0])
    catch_up(session)
    cursor = cursors.take(session, CURSOR)
    assert cursor is not None
    cursor.move(0)  # put back by hand
    session.flush()
    catch_up(session)
    assert len(pushes_of(session, campaign)) == 1

"""What a reward may hang on, checked and said in words: the rank at a start, or a milestone reached while it runs."""

from typing import Any

from amplify.campaigns import policy
from amplify.campaigns.models import Campaign
from amplify.core.errors import Invalid
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.i18n import ngettext
from amplify.rewards.schemas import RewardIn

# What an audience says about a ranking; a milestone has none.
OF_A_RANKING = ("campaign_id", "locale", "channel", "joined_since", "active_since", "holdout_percent")


def check_rule(campaign: Campaign, data: RewardIn) -> dict[str, Any]:
    """The rule as the row keeps it. Raises Forbidden("pay-to-engage") for acts and opinions, else Invalid."""
    rule = data.rule
    trigger = policy.check_trigger(rule.trigger, "rule.trigger")
    if rule.when == "reached":
        _check_milestone(campaign, data, trigger)
    elif trigger == "points":
        message = _l("At a start the rank says who has the most points. Points are something to reach while it runs.")
        raise Invalid("rule.trigger", "points-are-reached", message)
    elif rule.times != 1:
        message = _l("A start gives each person one. Only a milestone is given several times.")
        raise Invalid("rule.times", "once-at-a-start", message)
    return rule.plain() | {"trigger": trigger}


def in_words(rule: dict[str, Any]) -> str:
    """When a milestone is given, as a sentence for staff; "" for a reward that a start gives."""
    if rule.get("when") != "reached":
        return ""
    said = amount_in_words(rule["trigger"], rule["at_least"])
    if rule["times"] == 1:
        return str(_("As soon as somebody has reached it, once for each person: %(amount)s.", amount=said))
    if rule["trigger"] == "conversion" and rule["at_least"] == 1:
        return str(_("For each purchase through their links, at most %(n)s times for each person.", n=rule["times"]))
    return str(_("For each further %(amount)s, at most %(n)s times for each person.", amount=said, n=rule["times"]))


def amount_in_words(trigger: str, count: int) -> str:
    """ "3 purchases"."""
    if trigger == "conversion":
        return str(ngettext("%(num)s purchase", "%(num)s purchases", count))
    if trigger == "points":
        return str(ngettext("%(num)s point", "%(num)s points", count))
    return str(ngettext("%(num)s visit by a person", "%(num)s visits by people", count))


def _check_milestone(campaign: Campaign, data: RewardIn, trigger: str) -> None:
    if trigger == "rank":
        message = _l("A rank is known at a start only. Choose visits, purchases or points as what is reached.")
        raise Invalid("rule.trigger", "rank-at-a-start", message)
    if data.rule.at_least < 1:
        raise Invalid("rule.at_least", "at-least-one", _l("Say how many have to be reached."))
    if data.cap_pushes is not None:
        message = _l("No start gives a milestone. Use the cap for all together.")
        raise Invalid("cap_pushes", "cap-of-a-start", message)
    if campaign.repeats:
        message = _l("A milestone is given while the campaign runs, so it starts once.")
        raise Invalid("repeats.kind", "milestone-starts-once", message)
    named = next((name for name in OF_A_RANKING if campaign.audience.get(name)), None)
    if named:
        message = _l("A milestone is for everybody who takes part: only exclusion lists and “not rewarded” leave out.")
        raise Invalid(f"audience.{named}", "milestone-for-everybody", message)

"""`amplify campaigns`: everything a campaign's page can do, for scripts."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.brands.services import brand_by_slug
from amplify.campaigns import exclusions, queries, services
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn, read
from amplify.cli.common import database, json_option, show
from amplify.core import clock
from amplify.core.errors import Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.insights import effect
from amplify.insights.measuring import measure, measure_all
from amplify.rewards import retrying, writing
from amplify.rewards.dry_run import dry_run, people
from amplify.rewards.friends import queries as befriended
from amplify.rewards.friends.benefit import friends_dry_run
from amplify.rewards.friends.terms import FriendIn
from amplify.rewards.models import ADVOCATE, FRIEND
from amplify.rewards.queries import results
from amplify.rewards.schemas import RewardIn
from amplify.rewards.services import reward_of
from amplify.rewards.uploading import upload_codes

ACTOR = "command-line"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
brand_option = click.option("--brand", "slug", required=True, help="The brand's short name.")

Verb = Callable[[Session, Campaign], object]


@click.group("campaigns")
def command() -> None:
    """Campaigns: write, check, start, pause, stop."""


def _told(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "state": campaign.state,
        "starts_at": campaign.starts_at.isoformat() if campaign.starts_at else None,
        "ends_at": campaign.ends_at.isoformat() if campaign.ends_at else None,
        "timezone": campaign.timezone,
        "occurrence": campaign.occurrence,
        "repeats": campaign.repeats,
        "next_at": campaign.next_at.isoformat() if campaign.next_at else None,
        "is_rewarded": campaign.is_rewarded,
    }


@command.command("list")
@brand_option
@click.option("--state", default=None, help="Only those in this state.")
@json_option
def list_all(slug: str, state: str | None, as_json: bool) -> None:
    """The brand's campaigns."""
    with database() as session:
        found = queries.of_brand(session, brand_by_slug(session, slug).id, state)
        if as_json:
            click.echo(json.dumps([_told(one) for one in found], ensure_ascii=False))
            return
        for one in found:
            start = one.started_at or one.starts_at
            click.echo(f"{one.id:>6}  {one.state:<9}  {start.isoformat() if start else '-':<25}  {one.name}")


@command.command("show")
@brand_option
@click.argument("campaign_id", type=int)
@click.option("--start", type=int, default=None, help="Only the start of this number; all of them if left out.")
@json_option
def show_one(slug: str, campaign_id: int, start: int | None, as_json: bool) -> None:
    """One campaign and what it has come to."""
    with database() as session:
        campaign = _campaign(session, slug, campaign_id)
        found = results(session, campaign, start)
        given = found.reward
        spent = {"spent_minor": given.spent_minor, "currency": given.currency} if given else {}
        counts = {"pushed": found.pushed, "sent": found.sent, "redeemed": found.states["redeemed"]}
        left = {"left_out": dict(found.left_out), "waiting": dict(found.waiting)}
        show(_told(campaign) | counts | left | spent | _of_friends(session, campaign), as_json)


def _of_friends(session: Session, campaign: Campaign) -> dict[str, Any]:
    found = befriended.results(session, campaign)
    if found is None:
        return {}
    counts = {"asked": found.asked, "given": found.given, "redeemed": found.redeemed, "refused": dict(found.refused)}
    return {"friends": counts | {"spent_minor": found.reward.spent_minor, "currency": found.reward.currency}}


@command.command("effect")
@brand_option
@click.argument("campaign_id", type=int)
@click.option("--start", default="", metavar="N|all", help="The start of this number, or all; the latest if left out.")
@json_option
def show_effect(slug: str, campaign_id: int, start: str, as_json: bool) -> None:
    """What a start brought, beside the people it kept back; money in minor units."""
    if start not in ("", "all") and not start.isdecimal():
        raise click.BadParameter("a number, or all", param_hint="--start")
    with database() as session:
        campaign = _campaign(session, slug, campaign_id)
        number = int(start) if start.isdecimal() else None
        found = measure_all(session, campaign) if start == "all" else measure(session, campaign, number)
        if found is None:
            raise NotFound(_l("There was no such start."), field="start", rule="start-unknown")
        show(effect.told(found), as_json)


@command.command("create")
@brand_option
@click.option("--file", "file", type=FILE, required=True, help="The campaign as TOML or JSON; see docs/campaigns.md.")
@click.option("--codes", "codes", type=FILE, default=None, help="Codes for a pool, one per line.")
@click.option("--friend-codes", "friend_codes", type=FILE, default=None, help="The same for the friends' pool.")
@json_option
def create(slug: str, file: Path, codes: Path | None, friend_codes: Path | None, as_json: bool) -> None:
    """Store a draft from a file, with its reward and its codes."""
    with database() as session:
        brand = brand_by_slug(session, slug)
        data = _loaded(file)
        reward, friend = data.pop("reward", None), data.pop("friend", None)
        _resolve_places(session, brand, data)
        advocates = read(RewardIn, reward) if reward is not None else None
        gifts = writing.Gifts(advocates, read(FriendIn, friend) if friend is not None else None)
        campaign = writing.create(session, brand, read(CampaignIn, data), gifts, ACTOR)
        told = _told(campaign) | _upload(session, campaign, ADVOCATE, codes)
        told |= {f"friend_{name}": n for name, n in _upload(session, campaign, FRIEND, friend_codes).items()}
        session.commit()
        show(told, as_json)


def _upload(session: Session, campaign: Campaign, side: str, codes: Path | None) -> dict[str, Any]:
    if codes is None or (made := reward_of(session, campaign, side)) is None:
        return {}
    with codes.open(encoding="utf-8-sig", newline="") as lines:
        done = upload_codes(session, made, lines)
    return {"codes_added": done.added, "codes_refused": done.refused}


@command.command("dry-run")
@brand_option
@click.argument("campaign_id", type=int)
@json_option
def dry(slug: str, campaign_id: int, as_json: bool) -> None:
    """Who would get what if it started now, who not and why, and what it would cost at most."""
    with database() as session:
        campaign = _campaign(session, slug, campaign_id)
        run = dry_run(session, campaign, shown=0)
        told: dict[str, Any] = {
            "chosen": run.chosen,
            "getting": run.getting,
            "left_out": dict(run.by_rule),
            "languages": dict(run.by_language),
            "channels": dict(run.by_channel),
            "waiting": dict(run.waiting),
            "cost_minor": run.cost_minor,
            "cost_now_minor": run.cost_now_minor,
            "cost_by_day_minor": {day.isoformat(): cost for day, cost in run.cost_by_day.items()},
            "currency": run.currency,
            "codes_missing": run.codes_missing,
            "is_milestone": run.is_milestone,
            "enough_for": run.enough_for,
        }
        if (friends := friends_dry_run(session, campaign)) is not None:
            costs = {"cost_minor": friends.cost_minor, "cost_a_day_minor": friends.cost_a_day_minor}
            told["friends"] = {"enough_for": friends.enough_for, "codes": friends.codes} | costs
        if as_json:
            told["people"] = [
                {"rank": one.rank, "name": one.name, "score": round(one.score, 3), "channel": one.channel,
                 "locale": one.locale, "rule": one.rule}
                for one in people(session, campaign)
            ]  # fmt: skip
        show(told, as_json)


def _verb(name: str, help_text: str, verb: Verb) -> None:
    """One command per verb: they differ in nothing else."""

    @command.command(name, help=help_text)
    @brand_option
    @click.argument("campaign_id", type=int)
    @json_option
    def said(slug: str, campaign_id: int, as_json: bool) -> None:
        with database() as session:
            campaign = _campaign(session, slug, campaign_id)
            verb(session, campaign)
            session.commit()
            show(_told(campaign), as_json)


_verb("schedule", "Let it start at its time.", lambda s, c: services.schedule(s, c, clock.now(), ACTOR))
_verb("unschedule", "Back to a draft.", lambda s, c: services.unschedule(s, c, ACTOR))
_verb("start", "Start it at once.", lambda s, c: services.start_now(s, c, clock.now(), ACTOR))
_verb("pause", "Pending rewards wait, nobody shares anew.", lambda s, c: services.pause(s, c, ACTOR))
_verb("resume", "Go on after a pause.", lambda s, c: services.resume(s, c, ACTOR))
_verb("end", "Nobody shares anew; what was promised is sent.", lambda s, c: services.end(s, c, ACTOR))
_verb("stop", "Links stop working, rewards not sent are cancelled.", lambda s, c: services.stop(s, c, ACTOR))


@command.command("clone")
@brand_option
@click.argument("campaign_id", type=int)
@click.option("--name", default="", help="What the copy is called; otherwise as the first, with (copy).")
@json_option
def clone(slug: str, campaign_id: int, name: str, as_json: bool) -> None:
    """A new draft like this one: everything but its state, its times, its starts and its codes."""
    with database() as session:
        made = writing.clone(session, _campaign(session, slug, campaign_id), ACTOR, name)
        session.commit()
        show(_told(made), as_json)


@command.command("retry")
@brand_option
@click.argument("campaign_id", type=int)
@json_option
def retry(slug: str, campaign_id: int, as_json: bool) -> None:
    """Send the rewards that failed once more: the same code, amount and Message-ID; never what was delivered."""
    with database() as session:
        count = retrying.try_again(session, _campaign(session, slug, campaign_id), ACTOR)
        session.commit()
        show({"retried": count}, as_json)


def _campaign(session: Session, slug: str, campaign_id: int) -> Campaign:
    return queries.get(session, brand_by_slug(session, slug).id, campaign_id)


def _loaded(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        data = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (ValueError, UnicodeDecodeError) as error:  # both parsers' errors are ValueErrors
        raise click.ClickException(f"{file.name}: {error}") from error
    if not isinstance(data, dict):
        raise click.ClickException(f"{file.name}: a campaign is a table of values")
    return data


def _resolve_places(session: Session, brand: Brand, data: dict[str, Any]) -> None:
    """In a file, places are named by their keys (`location = "MAD"`), and exclusion lists by their names."""
    audience = data.get("audience")
    if not isinstance(audience, dict):
        return
    for name, kind in (("location", Location), ("business_line", BusinessLine)):
        if name not in audience:
            continue
        key = str(audience.pop(name))
        found = session.scalar(sa.select(kind.id).where(kind.brand_id == brand.id, kind.key == key))
        if found is None:
            raise Invalid(f"audience.{name}", "place-known", f"there is no {name} with the key {key}")
        audience[f"{name}_id"] = found
    if "exclude" in audience:
        audience["exclude"] = [exclusions.named(session, brand.id, str(name)).id for name in audience["exclude"]]

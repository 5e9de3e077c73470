"""`amplify delivery`: by which ways a brand reaches people, how fast, and what came back."""

from pathlib import Path

import click

from amplify.accounts import channels as services
from amplify.brands.services import brand_by_slug
from amplify.cli.common import database, json_option, show
from amplify.core.settings import load
from amplify.delivery import bounces, endpoints
from amplify.delivery.channel import ways

ACTOR = "command-line"
brand_option = click.option("--brand", "slug", required=True, help="The brand's short name.")


@click.group("delivery")
def command() -> None:
    """Ways to reach people, and what came back."""


@command.command("bounces")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def take_bounces(file: Path, as_json: bool) -> None:
    """Read bounces and complaints from FILE (one mail, or an mbox) and never write to those mailboxes again."""
    counts = {"bounce": 0, "complaint": 0, "unknown": 0}
    with database() as session:
        for report in bounces.read(file):
            counts[report.kind if bounces.take(session, None, report) else "unknown"] += 1
        session.commit()
        show(counts, as_json)


@command.command("webhook")
@click.argument("url")
@brand_option
@json_option
def add_webhook(url: str, slug: str, as_json: bool) -> None:
    """Bring the brand's messages to its own program at URL, too; prints the secret that signs them, once.

    Said again for an address that was ended, it is used again, with a new secret.
    """
    with database() as session:
        brand = brand_by_slug(session, slug)
        endpoint, secret = services.add_program(session, brand, url, load(), ACTOR)
        session.commit()
        show({"id": endpoint.id, "host": endpoint.shown, "secret": secret}, as_json)


@command.command("channels")
@brand_option
@click.option("--order", default="", help="Ways rewards are brought by, first the first: email,sms,webpush,webhook.")
@click.option("--per-minute", multiple=True, metavar="CHANNEL=N", help="At most so many a minute; 0: no limit.")
@json_option
def channels(slug: str, order: str, per_minute: tuple[str, ...], as_json: bool) -> None:
    """Show the brand's ways to people and their limits, after changing what is given."""
    with database() as session:
        brand = brand_by_slug(session, slug)
        wanted = _order(order) if order else brand.channel_order
        limits = {**brand.per_minute, **dict(_limit(text) for text in per_minute)}
        services.change(session, brand, ACTOR, order=wanted, per_minute=limits, can_sms=load().sends_sms)
        session.commit()
        after = {"order": brand.channel_order, "per_minute": brand.per_minute}
        ended = [one.shown for one in endpoints.webhooks(session, brand.id) if not one.is_open]
        show({**after, "ended_webhooks": ended}, as_json)


def _order(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= set(ways()) or len(set(names)) != len(names):
        raise click.BadParameter(f"each of {', '.join(ways())} at most once", param_hint="--order")
    return names


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in ways() or not number.isdecimal() or int(number) > 1_000_000:
        raise click.BadParameter(f"CHANNEL=N, with one of {', '.join(ways())}", param_hint="--per-minute")
    return name, int(number)

"""Exclusion lists: named lists of a brand's customers whom campaigns may leave out.

A list holds customers, not addresses: whom the brand does not know cannot be put on it, and is told by line.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign, Excluded, ExclusionList
from amplify.core import clock
from amplify.core.bulk import insert_ignore, is_among
from amplify.core.columns import first_column
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.delivery.addresses import normal_form

BATCH = 2_000
LONGEST_NAME = 200
MOST_UNKNOWN = 1_000
HEADERS = ("email", "e-mail", "id", "customer", "customer_id", "external_id", "correo", "cliente")


@dataclass
class Changed:
    """What became of the lines: how many people were put on the list or taken off, and who the brand does not know
    (the first 1,000, with their line)."""

    changed: int = 0
    as_before: int = 0
    unknown: int = 0
    unknown_lines: list[tuple[int, str]] = field(default_factory=list)


def of_brand(session: Session, brand_id: int) -> Sequence[sa.Row[tuple[ExclusionList, int]]]:
    """(list, how many are on it), by name."""
    on_it = sa.select(sa.func.count(Excluded.id)).where(Excluded.list_id == ExclusionList.id).scalar_subquery()
    mine = sa.select(ExclusionList, on_it.label("people")).where(ExclusionList.brand_id == brand_id)
    return session.execute(mine.order_by(ExclusionList.name)).all()


def get(session: Session, brand_id: int, list_id: int) -> ExclusionList:
    """The brand's list. Raises NotFound, also for another brand's."""
    return _one(session, ExclusionList.brand_id == brand_id, ExclusionList.id == list_id)


def named(session: Session, brand_id: int, name: str) -> ExclusionList:
    """The brand's list of this name. Raises NotFound."""
    return _one(session, ExclusionList.brand_id == brand_id, ExclusionList.name == name)


def create(session: Session, brand: Brand, name: str, actor: str) -> ExclusionList:
    """An empty list. Raises Invalid("name") for none, too long a one, or one that there is."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid("name", "length-1-200", _l("A name has 1 to 200 characters."))
    row = {"brand_id": brand.id, "name": name, "created_by": actor, "created_at": clock.now()}
    if not insert_ignore(session, ExclusionList, [row]):
        raise Invalid("name", "name-taken", _l("There is a list of this name."))
    made = named(session, brand.id, name)
    audit.record(session, brand.id, actor, "exclusion-list.created", "exclusion-list", made.id, {"name": name})
    return made


def put_on(session: Session, chosen: ExclusionList, lines: Iterable[str], actor: str, **more: Any) -> Changed:
    """Put the customers of these lines (e-mail addresses or the brand's own ids; first column of a CSV) on the list.

    Repeating it changes nothing. `after_batch` is called every 2,000 lines: a caller may commit. Raises Malformed.
    """
    return _change(session, chosen, lines, actor, _insert, "extended", **more)


def take_off(session: Session, chosen: ExclusionList, lines: Iterable[str], actor: str, **more: Any) -> Changed:
    """The other way round."""
    return _change(session, chosen, lines, actor, _delete, "shortened", **more)


def remove(session: Session, chosen: ExclusionList, actor: str) -> None:
    """Forget a list. Raises Conflict("list-in-use") while a campaign that is not over leaves it out."""
    open_ones = sa.select(Campaign).where(Campaign.brand_id == chosen.brand_id, Campaign.finished_at.is_(None))
    used = next((one for one in session.scalars(open_ones) if chosen.id in one.audience.get("exclude", ())), None)
    if used is not None:
        raise Conflict(
            _l("The campaign “%(name)s” leaves out who is on this list.", name=used.name),
            field="list", rule="list-in-use",
        )  # fmt: skip
    audit.record(
        session, chosen.brand_id, actor, "exclusion-list.removed", "exclusion-list", chosen.id, {"name": chosen.name}
    )
    session.execute(sa.delete(Excluded).where(Excluded.list_id == chosen.id))
    session.delete(chosen)
    session.flush()


def _change(
    session: Session,
    chosen: ExclusionList,
    lines: Iterable[str],
    actor: str,
    verb: Callable[[Session, ExclusionList, set[int]], int],
    told: str,
    after_batch: Callable[[], object] = lambda: None,
) -> Changed:
    done, rows = Changed(), first_column(lines, HEADERS)
    while batch := list(islice(rows, BATCH)):
        known = _known(session, chosen.brand_id, [value for _line, value in batch])
        unknown = [(line, value[:80]) for line, value in batch if not known[value]]
        people = {id_ for ids in known.values() for id_ in ids}
        changed = verb(session, chosen, people)
        done.changed += changed
        done.as_before += len(people) - changed
        done.unknown += len(unknown)
        done.unknown_lines += unknown[: MOST_UNKNOWN - len(done.unknown_lines)]
        after_batch()
    detail = {"people": done.changed, "unknown": done.unknown}
    audit.record(session, chosen.brand_id, actor, f"exclusion-list.{told}", "exclusion-list", chosen.id, detail)
    return done


def _known(session: Session, brand_id: int, values: Sequence[str]) -> dict[str, set[int]]:
    """Value -> the customers it means: everybody of a mailbox, or the one of an id."""
    found: dict[str, set[int]] = {value: set() for value in values}
    for column, of_value in (
        (Customer.email_normal, {value: normal_form(value) for value in values if "@" in value}),
        (Customer.external_id, {value: value for value in values}),
    ):
        mine = sa.select(column, Customer.id).where(Customer.brand_id == brand_id)
        ids: dict[str | None, set[int]] = {}
        for key, id_ in session.execute(mine.where(is_among(session, column, list(of_value.values())))):
            ids.setdefault(key, set()).add(id_)
        for value, key in of_value.items():
            found[value] |= ids.get(key, set())
    return found


def _insert(session: Session, chosen: ExclusionList, people: set[int]) -> int:
    stamp = clock.now()
    rows = [{"list_id": chosen.id, "customer_id": id_, "at": stamp} for id_ in sorted(people)]
    return insert_ignore(session, Excluded, rows)


def _delete(session: Session, chosen: ExclusionList, people: set[int]) -> int:
    off = sa.delete(Excluded).where(Excluded.list_id == chosen.id, is_among(session, Excluded.customer_id, people))
    done: Any = session.execute(off.execution_options(synchronize_session=False))
    return int(done.rowcount)


def _one(session: Session, *conditions: sa.ColumnElement[bool]) -> ExclusionList:
    found = session.scalar(sa.select(ExclusionList).where(*conditions))
    if found is None:
        raise NotFound(_l("There is no such list."), field="list", rule="list-unknown")
    return found

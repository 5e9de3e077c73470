"""Brands are found and made here, with the lines and places that answers name."""

import re
import unicodedata
from typing import TypeVar

import sqlalchemy as sa
from babel.numbers import list_currencies
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.i18n import LANGUAGES
from amplify.core.i18n import lazy_gettext as _l

Place = TypeVar("Place", BusinessLine, Location)

MAX_KEY = 80


def slugify(text: str) -> str:
    """ "São Paulo (GRU)" as "sao-paulo-gru"; letters of any script stay. At most 80 characters, maybe none."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"[\W_]+", "-", letters).strip("-")[:MAX_KEY].rstrip("-")


def brand_by_slug(session: Session, slug: str) -> Brand:
    """The brand of an address. Raises NotFound."""
    brand = session.scalar(sa.select(Brand).where(Brand.slug == slug)) if len(slug) <= MAX_KEY else None
    if not brand:
        raise NotFound(_l("There is no such brand."), field="brand", rule="unknown-brand")
    return brand


def create_brand(
    session: Session,
    *,
    slug: str,
    name: str,
    default_locale: str = "en",
    timezone: str = "UTC",
    currency: str = "USD",
    target_hosts: list[str] | None = None,
) -> Brand:
    """A new tenant. Raises Invalid (slug, name, default_locale, timezone, currency), Conflict (slug)."""
    if slug != slugify(slug) or not slug.isascii() or not slug:
        raise Invalid("slug", "slug", _l("Use small letters, digits and dashes."))
    if not name.strip() or len(name) > 200:
        raise Invalid("name", "length-1-200", _l("A name has 1 to 200 characters."))
    if default_locale not in LANGUAGES:
        raise Invalid("default_locale", "language", _l("Amplify does not speak this language."))
    check_timezone("timezone", timezone)
    if currency not in list_currencies():
        raise Invalid("currency", "iso-4217", _l("This is not a currency code."))
    if session.scalar(sa.select(Brand.id).where(Brand.slug == slug)):
        raise Conflict(_l("There is a brand of this name already."), field="slug", rule="unique")
    brand = Brand(
        slug=slug,
        name=name.strip(),
        default_locale=default_locale,
        timezone=timezone,
        currency=currency,
        target_hosts=list(target_hosts or []),
    )
    session.add(brand)
    session.flush()
    return brand


def check_timezone(field: str, name: str) -> str:
    """An IANA zone name, or Invalid."""
    if name not in clock.zone_names():
        raise Invalid(field, "timezone", _l("This is not a time zone, such as Europe/Madrid."))
    return name


def ensure_business_line(session: Session, brand_id: int, key: str, name: str | None = None) -> BusinessLine:
    """The line of this key, made if need be; safe when two make it at once. Raises Invalid("key", ...)."""
    return _ensure(session, BusinessLine, brand_id, key, name)


def ensure_location(session: Session, brand_id: int, key: str, name: str | None = None) -> Location:
    """The place of this key, made if need be; safe when two make it at once. Raises Invalid("key", ...)."""
    return _ensure(session, Location, brand_id, key, name)


def _ensure(session: Session, kind: type[Place], brand_id: int, key: str, name: str | None) -> Place:
    slug = slugify(key)
    if not slug:
        raise Invalid("key", "slug", _l("A key needs at least one letter or digit."))
    query = sa.select(kind).where(kind.brand_id == brand_id, kind.key == slug)
    found = session.scalar(query)
    if found is None:
        label = (name or key).strip()[:200] or slug
        insert_ignore(session, kind, [{"brand_id": brand_id, "key": slug, "name": label}])
        # Whoever was first, the row is there now; on PostgreSQL it may belong to another's commit.
        found = session.scalars(query).one()
    return found

"""Collects every translatable string, brings the Spanish catalogue up to date and compiles it.

`python tools/i18n.py` does so; `--check` only says what is missing and exits 1. Spanish that was written beside a
feature (config/locales/es/parts/<area>.po) is moved into the one catalogue.
"""

import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).resolve().parents[1]
LOCALES = HERE / "config" / "locales"
TEMPLATE = LOCALES / "messages.pot"
SPANISH = LOCALES / "es" / "LC_MESSAGES" / "messages.po"
PARTS = LOCALES / "es" / "parts"
KEYWORDS = {
    "_": None,
    "_l": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
SOURCES = (
    (HERE / "amplify", [("**.py", "python")]),
    (HERE / "templates", [("**.html", "jinja2"), ("**.txt", "jinja2")]),
)


def _empty(locale: str | None) -> Catalog:
    # Fixed dates: a header that changes with every run says nothing and makes every diff noisy.
    day = datetime(2026, 11, 22, tzinfo=UTC)
    return Catalog(
        locale=locale,
        project="amplify",
        version="1",
        header_comment="# Amplify",
        msgid_bugs_address="",
        last_translator="Amplify",
        language_team="es" if locale else "",
        creation_date=day,
        revision_date=day,
        fuzzy=False,
    )


def extract() -> Catalog:
    """Every msgid of the code and the templates, with the files (not the lines: those would churn) it stands in."""
    catalog = _empty(None)
    for folder, methods in SOURCES:
        options = {pattern: {"silent": "false"} for pattern, method in methods if method == "jinja2"}
        for file, _line, message, comments, context in extract_from_dir(
            folder, methods, options, KEYWORDS, comment_tags=("i18n:",)
        ):
            where = f"{folder.name}/{file}"
            catalog.add(message, locations=[(where, 0)], auto_comments=comments, context=context)
    return catalog


def _spanish() -> Catalog:
    if not SPANISH.is_file():
        return _empty("es")
    with SPANISH.open("rb") as file:
        return read_po(file, locale="es")


def _parts() -> dict[object, Message]:
    """Translations waiting beside their feature, by msgid."""
    found: dict[object, Message] = {}
    for part in sorted(PARTS.glob("*.po")) if PARTS.is_dir() else ():
        with part.open("rb") as file:
            found.update({m.id: m for m in read_po(file, locale="es") if m.id and m.string})
    return found


def merged(template: Catalog) -> Catalog:
    """The Spanish catalogue with exactly the template's messages; nothing guessed, nothing kept that is not used."""
    old, parts = _spanish(), _parts()
    new = _empty("es")
    for message in sorted((m for m in template if m.id), key=lambda m: str(m.id)):
        known = old.get(message.id, message.context)
        source = parts.get(message.id) or (known if known is not None and _is_done(known) else None)
        new.add(
            message.id,
            source.string if source else "",
            locations=message.locations,
            flags=message.flags,
            context=message.context,
        )
    return new


def _is_done(message: Message) -> bool:
    texts = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return all(texts) and not message.fuzzy


def problems(catalog: Catalog) -> list[str]:
    """What is untranslated, or has other placeholders than the English."""
    found = []
    for message in catalog:
        if not message.id:
            continue
        if not _is_done(message):
            found.append(f"not translated: {message.id!r} ({', '.join(where for where, _ in message.locations)})")
        found.extend(f"{message.id!r}: {error}" for error in message.check(catalog))
    return found


def _bytes(catalog: Catalog) -> bytes:
    buffer = BytesIO()
    write_po(buffer, catalog, width=110, sort_output=True, include_lineno=False)
    return buffer.getvalue()


def main(arguments: list[str]) -> int:
    """0 if every string is translated (and, with --check, the files are up to date)."""
    template = extract()
    spanish = merged(template)
    missing = problems(spanish)
    compiled = BytesIO()
    write_mo(compiled, spanish)
    files = {
        TEMPLATE: _bytes(template),
        SPANISH: _bytes(spanish),
        SPANISH.with_suffix(".mo"): compiled.getvalue(),
    }
    if "--check" in arguments:
        missing += [f"out of date: {f.name}" for f, new in files.items() if not f.is_file() or f.read_bytes() != new]
    else:
        for file, content in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    for line in missing:
        print(line)
    print(f"{len(spanish)} messages, {len(missing)} problems")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One JSON object per line, on stderr, with nothing in it that names a person or opens a door."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from amplify.core.settings import Settings

# A value under such a name is never written, whatever it is.
SECRET_NAMES = re.compile(
    r"password|passwd|secret|token|authorization|cookie|signature|api_?key|address|e-?mail|phone|comment", re.IGNORECASE
)
# Linear on purpose: no nested repetition, so that a hostile line costs no time.
MAIL_ADDRESS = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
URL_PASSWORD = re.compile(r"(://[^:/@\s]{1,64}):[^@\s]{1,200}@")
LONGEST = 20_000
# They say at INFO what they do all day.
CHATTERS = ("alembic", "apscheduler", "dbos", "sqlalchemy", "urllib3", "css_inline")


def scrub(value: Any) -> Any:
    """The value without mail addresses and passwords in addresses; texts are cut at 20,000 characters."""
    if isinstance(value, str):
        return URL_PASSWORD.sub(r"\1:***@", MAIL_ADDRESS.sub("<address>", value[:LONGEST]))
    if isinstance(value, Mapping):
        return {key: "***" if SECRET_NAMES.search(str(key)) else scrub(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub(inner) for inner in value]
    return value


def _scrub_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    scrubbed: Mapping[str, Any] = scrub(dict(event))
    return scrubbed


def _shared() -> list[Any]:
    """What happens to every line, ours and the libraries'."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _renderers(for_people: bool) -> list[Any]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    # The trace becomes text before the scrubbing, so that what an error says is scrubbed too.
    common = [remove, structlog.processors.format_exc_info, _scrub_event]
    if for_people:
        return [*common, structlog.dev.ConsoleRenderer(colors=True)]
    return [*common, structlog.processors.JSONRenderer()]


def configure(settings: Settings, *, process: str) -> None:
    """Every log line of this process, ours and the libraries', goes to stderr. `process`: "web", "worker" or "cli"."""
    for_people = settings.env != "production" and sys.stderr.isatty()
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()], processors=_renderers(for_people)
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in CHATTERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.contextvars.bind_contextvars(process=process)

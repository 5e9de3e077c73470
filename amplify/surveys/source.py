"""What a source of signed answers is, and the registry: each file of sources/ is one, found by itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

from sqlalchemy.orm import Session
from werkzeug.wrappers import Request

from amplify.accounts.services import verify_signed
from amplify.brands.models import Brand
from amplify.core.boundary import read_body
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.surveys import sources
from amplify.surveys.schemas import AnswerIn


class Source(ABC):
    """A survey tool that posts answers to /in/<brand>/<key>/responses/<name>. One subclass per file.

    A source checks its own signature over the raw body, and reads the body into answers; nothing is looked at before
    the signature is known to be right.
    """

    name: ClassVar[str]
    label: ClassVar[Any]

    def verify(self, session: Session, brand: Brand, key: str, request: Request, secret_key: str) -> None:
        """Standard Webhooks, which vendors without a scheme of their own use too.

        Raises NotFound for a key that the brand does not have, Unauthorized for a wrong or old signature.
        """
        headers, body = dict(request.headers), read_body(request)
        verify_signed(session, brand, key, headers, body, secret_key, tells_unknown=True)

    @abstractmethod
    def read(self, request: Request) -> Sequence[AnswerIn]:
        """The answers in a verified request. Raises Unsupported, Malformed or InvalidInput."""


@cache
def _registry() -> dict[str, Source]:
    found = {}
    for file in iter_modules(sources.__path__):
        module = import_module(f"{sources.__name__}.{file.name}")
        classes = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
        found.update({c.name: c() for c in classes if issubclass(c, Source)})
    return found


def every_source() -> list[Source]:
    """The sources that there are, by name."""
    return [_registry()[name] for name in sorted(_registry())]


def source_named(name: str) -> Source:
    """The source of this name. Raises NotFound."""
    try:
        return _registry()[name]
    except KeyError:
        raise NotFound(_l("There is no such source of answers."), rule="source-unknown") from None

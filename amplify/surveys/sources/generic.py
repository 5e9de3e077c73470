"""The generic source: our own JSON, one answer per post, signed by the Standard Webhooks rules."""

from collections.abc import Sequence

from werkzeug.wrappers import Request

from amplify.core.boundary import parse, read_json
from amplify.core.i18n import lazy_gettext as _l
from amplify.surveys.schemas import AnswerIn
from amplify.surveys.source import Source


class Generic(Source):
    """Takes what docs/import.md describes under "By a signed post"."""

    name = "generic"
    label = _l("Any system")

    def read(self, request: Request) -> Sequence[AnswerIn]:
        """One answer."""
        return [parse(AnswerIn, read_json(request))]

"""Facts about answers that other floors react to."""

from dataclasses import dataclass

from amplify.surveys.models import Response


@dataclass(frozen=True)
class SurveyAnswered:
    """A new answer, or a new revision of one, was stored."""

    response: Response

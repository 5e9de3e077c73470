"""Why a row of a file was not taken, or a whole file, in the reader's language, by the name of the rule."""

from typing import Any

from amplify.core.i18n import lazy_gettext as _l

RULES: dict[str, Any] = {
    "required": _l("A score is missing."),
    "out-of-scale": _l("The score is not on the scale."),
    "integer": _l("The score is not a whole number."),
    "int-type": _l("The score is not a whole number."),
    "date": _l("The date is not written in a format of the mapping."),
    "too-old": _l("Answers from before 1990 are not taken."),
    "in-the-future": _l("The answer is from the future."),
    "yes-or-no": _l("Consent is yes or no."),
    "invalid": _l("This is not an e-mail address."),
    "timezone": _l("This is not a time zone, such as Europe/Madrid."),
    "unprintable": _l("The text contains characters that cannot be printed."),
    "one-line": _l("The text must be one line."),
    "letter-or-digit": _l("The name needs at least one letter or digit."),
    "string-too-long": _l("The text is too long."),
    "string-too-short": _l("The text is empty."),
    "string-pattern-mismatch": _l("This is not a language, such as es or es-MX."),
    "encoding": _l("The text is not in the encoding of the file."),
    "columns": _l("The row has not as many columns as the header."),
    "csv": _l("The row cannot be read."),
    "same-id-other-content": _l("An answer with this id is stored with other content."),
}


FILE_GONE, ERASED_SINCE = "file-gone", "erased-since"
FAILED: dict[str, Any] = {
    FILE_GONE: _l("The uploaded file is gone. Upload it again."),
    ERASED_SINCE: _l("Somebody was erased after this file was uploaded, so it was deleted. Upload one without them."),
}


def why(rule: str, message: str) -> str:
    """The sentence for a rule; the message that was noted if the rule is new, its name if that was erased."""
    return str(RULES.get(rule, message or rule))


def why_failed(reason: str) -> str:
    """The sentence for the reason of a failed run; some reasons are sentences already."""
    return str(FAILED.get(reason, reason))

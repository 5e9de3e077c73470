"""How the columns of a file become answers: the mapping as people write it in TOML, checked key by key.

docs/import.md explains every key; config/imports/airline.toml is a whole example.
"""

import tomllib
from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from amplify.core.boundary import faults_of
from amplify.core.errors import Fault, InvalidInput, Malformed
from amplify.core.i18n import lazy_gettext as _l
from amplify.surveys.schemas import AnswerIn, Zone

FieldName = Literal[
    "external_id",
    "given",
    "comment",
    "answered_at",
    "business_line",
    "location",
    "employee_key",
    "touchpoint",
    "locale",
    "customer_id",
    "customer_email",
    "customer_name",
    "customer_locale",
    "customer_timezone",
    "customer_consent",
    "customer_phone",
    "customer_sms_consent",
]
FIELDS: tuple[str, ...] = get_args(FieldName)
# Where a field stands in an answer (schemas.AnswerIn).
PATHS = {name: (name,) for name in FIELDS} | {
    "customer_id": ("customer", "external_id"),
    "customer_email": ("customer", "email"),
    "customer_name": ("customer", "name"),
    "customer_locale": ("customer", "locale"),
    "customer_timezone": ("customer", "timezone"),
    "customer_consent": ("customer", "consent"),
    "customer_phone": ("customer", "phone"),
    "customer_sms_consent": ("customer", "sms_consent"),
}
ENCODINGS = ("utf-8-sig", "utf-8", "latin-1")
ISO = "iso"
Value = str | int | bool


def _date_format(text: str) -> str:
    if text == ISO:
        return text
    sample = datetime(2014, 3, 25, 13, 45)  # noqa: DTZ001 (only tries the format)
    try:
        read = datetime.strptime(sample.strftime(text), text)  # noqa: DTZ007
    except ValueError as error:
        raise PydanticCustomError("date_format", "This is no date format of Python's strptime.") from error
    if read.date() != sample.date():
        raise PydanticCustomError("date_format", "The format must give day, month and year.")
    return text


def _one_character(text: str) -> str:
    if len(text) != 1 or text in "\r\n\0":
        raise PydanticCustomError("one_character", "This must be a single character.")
    return text


Character = Annotated[str, AfterValidator(_one_character)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Dialect(_Part):
    """How the file is written."""

    encoding: Literal["utf-8", "utf-8-sig", "latin-1"] = "utf-8-sig"
    delimiter: Character = ","
    quote: Character = '"'


class Dates(_Part):
    """How instants are written: formats, tried in order; a time without a zone is wall time of `timezone`."""

    formats: list[Annotated[str, AfterValidator(_date_format)]] = Field(default=[ISO], min_length=1, max_length=10)
    timezone: Zone = "UTC"


class Values(_Part):
    """Rules for the cells of every mapped column."""

    strip: bool = True
    empty: list[str] = Field(default=[], max_length=100)


class FieldRule(_Part):
    """One field: its column, and rules for its cells, applied in this order: strip, empty, default, map."""

    column: str = Field(min_length=1, max_length=200)
    empty: list[str] = Field(default=[], max_length=100)
    default: Value | None = None
    map: dict[str, Value] = Field(default={}, max_length=1000)


def _rule_of(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class Mapping(_Part):
    """A whole mapping. `name` makes the source of the answers ("import:<name>"): the same name, the same answers."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")
    scale: Literal["nps", "csat5", "csat7"] = "nps"
    # Imported history is not asked to share: people would be written to years after their answer.
    ask: bool = False
    # What a row means whose id is stored with other content: a mistake, or an edit that is the answer's next version.
    on_conflict: Literal["refuse", "new_version"] = "refuse"
    csv: Dialect = Dialect()
    dates: Dates = Dates()
    values: Values = Values()
    fields: dict[FieldName, FieldRule]
    constants: dict[FieldName, Value] = {}

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        """`given = "Score"` is short for `given = { column = "Score" }`."""
        if isinstance(data, dict) and isinstance(data.get("fields"), dict):
            fields = {name: _rule_of(value) for name, value in data["fields"].items()}
            return {**data, "fields": fields}
        return data

    @property
    def source(self) -> str:
        """The answers' source."""
        return f"import:{self.name}"


def load(text: str) -> Mapping:
    """A mapping from TOML text. Raises Malformed, or InvalidInput with one fault per key that is wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = _l("The mapping is not TOML: %(why)s", why=str(error))
        raise Malformed(message, field="mapping", rule="toml") from error
    return build(data)


def build(data: dict[str, Any]) -> Mapping:
    """A mapping from plain values. Raises InvalidInput with one fault per key that is wrong."""
    try:
        mapping = Mapping.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(faults_of(error)) from error
    if faults := (*_missing(mapping), *_twice(mapping), *_wrong_constants(mapping)):
        raise InvalidInput(faults)
    return mapping


def _missing(mapping: Mapping) -> list[Fault]:
    if "given" in mapping.fields or "given" in mapping.constants:
        return []
    return [Fault("fields.given", "required", _l("Say which column holds the score."))]


def _twice(mapping: Mapping) -> list[Fault]:
    both = sorted(set(mapping.fields) & set(mapping.constants))
    return [Fault(f"constants.{name}", "twice", _l("This field already comes from a column.")) for name in both]


def _wrong_constants(mapping: Mapping) -> list[Fault]:
    """A constant is checked once, here, by the rules of an answer, not again in every row."""
    given: Any = {"external_id": "1", "scale": mapping.scale, "given": 1}
    place(given, mapping.constants)
    try:
        AnswerIn.model_validate(given)
    except ValidationError as error:
        names = {".".join(path): name for name, path in PATHS.items()}
        return [Fault(f"constants.{names.get(f.field, f.field)}", f.rule, f.message) for f in faults_of(error)]
    return []


def place(answer: dict[str, Any], values: Any) -> None:
    """Put values by field name where they belong in the shape of an answer."""
    for name, value in values.items():
        first, *rest = PATHS[name]
        if rest:
            answer.setdefault(first, {})[rest[0]] = value
        else:
            answer[first] = value


def check_columns(mapping: Mapping, header: list[str]) -> None:
    """Every mapped column stands once in the file's header. Raises InvalidInput naming the keys of the mapping."""
    seen = Counter(header)
    faults = []
    for name, rule in mapping.fields.items():
        if seen[rule.column] == 0:
            words = _l("The file has no column “%(column)s”.", column=rule.column)
            faults.append(Fault(f"fields.{name}.column", "unknown-column", words))
        elif seen[rule.column] > 1:
            words = _l("The file has several columns “%(column)s”.", column=rule.column)
            faults.append(Fault(f"fields.{name}.column", "ambiguous-column", words))
    if faults:
        raise InvalidInput(tuple(faults))

"""A mapping is checked key by key, and every row becomes an answer or says what is wrong with it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from amplify.core.errors import InvalidInput, Malformed
from amplify.core.paths import CONFIG
from amplify.surveys import mapping, rows
from amplify.surveys.mapping import build, check_columns, load

LEAST = 'name = "x"\n[fields]\ngiven = "Score"\n'
Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(content: str | bytes) -> Path:
        path = tmp_path / "answers.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return made


def _read(path: Path, more: str = "", **kwargs: Any) -> rows.Chunk:
    whole = rows.Chunk()
    for chunk in rows.chunks(path, load(LEAST + more), **kwargs):
        whole.n += chunk.n
        whole.rejected += chunk.rejected
        whole.taken += chunk.taken
        whole.problems += chunk.problems
    return whole


def _problems(chunk: rows.Chunk) -> list[tuple[int, str, str, str]]:
    return [(p.line, p.column, p.rule, p.value) for p in chunk.problems]


def test_the_shipped_example_is_a_valid_mapping() -> None:
    example = load((CONFIG / "imports" / "airline.toml").read_text())
    assert (example.source, example.scale, example.ask) == ("import:airline-2014", "nps", False)


@pytest.mark.parametrize(
    ("text", "field", "rule"),
    [
        ('name = "x"\n', "fields", "required"),
        ('name = "x"\n[fields]\ncomment = "C"\n', "fields.given", "required"),
        ('name = "Two words"\n[fields]\ngiven = "S"\n', "name", "string-pattern-mismatch"),
        (LEAST + 'colour = "C"\n', "fields.colour.[key]", "literal-error"),
        (LEAST + "comment = 3\n", "fields.comment", "model-type"),
        (LEAST + 'comment = { colum = "C" }\n', "fields.comment.column", "required"),
        ('scale = "stars"\n' + LEAST, "scale", "literal-error"),
        ('ask = "no"\n' + LEAST, "ask", "bool-type"),
        (LEAST + '[csv]\nencoding = "utf-7"\n', "csv.encoding", "literal-error"),
        (LEAST + '[csv]\ndelimiter = ";;"\n', "csv.delimiter", "one-character"),
        (LEAST + '[dates]\nformats = ["%d"]\n', "dates.formats.0", "date-format"),
        (LEAST + '[dates]\nformats = ["%Q"]\n', "dates.formats.0", "date-format"),
        (LEAST + "[dates]\nformats = []\n", "dates.formats", "too-short"),
        (LEAST + '[dates]\ntimezone = "Mars"\n', "dates.timezone", "timezone"),
        (LEAST + '[constants]\ncustomer_email = "nobody"\n', "constants.customer_email", "invalid"),
        (LEAST + "[constants]\ngiven = 5\n", "constants.given", "twice"),
        ('name = "x"\n[fields]\ncomment = "C"\n[constants]\ngiven = 11\n', "constants.given", "out-of-scale"),
        ("colour = 1\n" + LEAST, "colour", "unknown-field"),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_key_and_the_rule(text: str, field: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(text)
    assert (field, rule) in [(fault.field, fault.rule) for fault in refused.value.faults]


def test_text_that_is_no_toml_is_refused() -> None:
    with pytest.raises(Malformed) as refused:
        load("name = ")
    assert refused.value.rule == "toml"


def test_a_stored_mapping_is_the_same_mapping() -> None:
    chosen = load(LEAST + 'comment = { column = "C", empty = ["-"], map = { a = "b" } }\n')
    assert build(chosen.model_dump(mode="json")) == chosen


def test_a_column_that_the_file_has_not_or_has_twice_is_named() -> None:
    chosen = load(LEAST + 'comment = "Words"\n')
    with pytest.raises(InvalidInput) as refused:
        check_columns(chosen, ["Score", "Score", "Other"])
    assert [(f.field, f.rule) for f in refused.value.faults] == [
        ("fields.given.column", "ambiguous-column"),
        ("fields.comment.column", "unknown-column"),
    ]


def test_every_field_can_be_filled_from_a_column(write: Write) -> None:
    fields = [name for name in mapping.FIELDS if name != "given"]
    row = "7,a-1,Nice,2026-03-01T10:00:00Z,Air,Lima,e-1,desk,es,c-9,a@b.example,Ana,es,America/Lima,yes"
    row += ",+51 987 654 321,yes"
    path = write(f"Score,{','.join(fields)}\n{row}\n")
    (one,) = _read(path, "".join(f'{name} = "{name}"\n' for name in fields)).taken
    answer = one.answer
    assert (answer.external_id, answer.given, answer.comment) == ("a-1", 7, "Nice")
    assert answer.answered_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert (answer.business_line, answer.location, answer.employee_key) == ("Air", "Lima", "e-1")
    assert (answer.touchpoint, answer.locale) == ("desk", "es")
    who = answer.customer
    assert (who.external_id, who.email, who.name, who.locale) == ("c-9", "a@b.example", "Ana", "es")
    assert (who.timezone, who.consent) == ("America/Lima", True)
    assert (who.phone, who.sms_consent) == ("+51987654321", True)


def test_values_are_stripped_emptied_defaulted_and_mapped(write: Write) -> None:
    path = write("Score,Line\n very good ,n/a\nbad,  Air \n9.0,\n")
    rules = """comment = { column = "Line", empty = ["n/a"], default = "none said" }
[fields.given]
column = "Score"
map = { "very good" = 10, bad = 1 }
"""
    found = [t.answer for t in rows_of(path, rules)]
    assert [(a.given, a.comment) for a in found] == [(10, "none said"), (1, "Air"), (9, "none said")]


def rows_of(path: Path, rules: str) -> list[rows.Taken]:
    """The answers of a mapping whose fields are all in `rules`."""
    chosen = load('name = "x"\n[fields]\n' + rules)
    return [taken for chunk in rows.chunks(path, chosen) for taken in chunk.taken]


def test_spaces_stay_when_the_mapping_says_so(write: Write) -> None:
    found = _read(write("Score,Words\n 9,x\n"), "[values]\nstrip = false\n")
    assert _problems(found) == [(2, "Score", "integer", " 9")]


def test_dates_are_tried_in_order_and_local_times_are_of_the_zone(write: Write) -> None:
    path = write("Score,At\n9,1/5/14\n9,2014-01-05T10:00:00+02:00\n9,5. Januar\n9,7/1/14\n")
    more = 'answered_at = "At"\n[dates]\nformats = ["%m/%d/%y", "iso"]\ntimezone = "America/New_York"\n'
    found = _read(path, more)
    assert [t.answer.answered_at for t in found.taken] == [
        datetime(2014, 1, 5, 5, tzinfo=UTC),
        datetime(2014, 1, 5, 8, tzinfo=UTC),
        datetime(2014, 7, 1, 4, tzinfo=UTC),
    ]
    assert _problems(found) == [(4, "At", "date", "5. Januar")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("11,", (2, "Score", "out-of-scale", "11")),
        (",", (2, "Score", "required", "")),
        ("nine,", (2, "Score", "integer", "nine")),
        ("9.5,", (2, "Score", "integer", "9.5")),
        ("-1,", (2, "Score", "integer", "-1")),
        ("99999999999999999999,", (2, "Score", "integer", "99999999999999999999")),
        ("٩,", (2, "Score", "integer", "٩")),
        ("9", (2, "", "columns", "")),
        ("9,a,b", (2, "", "columns", "")),
        ("9,a\x07b", (2, "Words", "unprintable", "a\ufffdb")),
        ("9,a\x00b", (2, "Words", "unprintable", "a\ufffdb")),
        ("9," + "x" * 5001, (2, "Words", "string-too-long", "x" * 200)),
        ("9," + "x" * 200_000, (2, "", "csv", "")),
    ],
)
def test_a_bad_row_is_reported_with_line_column_rule_and_value(
    write: Write, row: str, problem: tuple[int, str, str, str]
) -> None:
    found = _read(write(f"Score,Words\n{row}\n8,fine\n"), 'comment = "Words"\n')
    assert _problems(found) == [problem]
    assert [t.answer.given for t in found.taken] == [8]
    assert (found.n, found.rejected) == (2, 1)


def test_a_row_with_two_faults_has_two_problems_and_is_one_row(write: Write) -> None:
    found = _read(write("Score,Mail,Zone\n9,nobody,Mars\n"), 'customer_email = "Mail"\ncustomer_timezone = "Zone"\n')
    assert {(p.column, p.rule) for p in found.problems} == {("Mail", "invalid"), ("Zone", "timezone")}
    assert found.rejected == 1


def test_bytes_of_another_encoding_spoil_their_row_only(write: Write) -> None:
    content = "Score,Words\n9,añejo\n8,plain\n".encode("latin-1")
    found = _read(write(content), 'comment = "Words"\n[csv]\nencoding = "utf-8"\n')
    assert [(p.line, p.column, p.rule) for p in found.problems] == [(2, "Words", "encoding")]
    assert [t.answer.given for t in found.taken] == [8]
    read_right = _read(write(content), 'comment = "Words"\n[csv]\nencoding = "latin-1"\n')
    assert [t.answer.comment for t in read_right.taken] == ["añejo", "plain"]


def test_a_byte_order_mark_other_delimiters_and_line_ends_inside_quotes_are_read(write: Write) -> None:
    path = write('\ufeffScore;Words\r\n9;"two\r\nlines; and ""more"""\r\n\r\n8;x\r\n')
    found = _read(path, 'comment = "Words"\n[csv]\ndelimiter = ";"\n')
    assert [(t.line, t.answer.comment) for t in found.taken] == [(2, 'two\nlines; and "more"'), (5, "x")]


@pytest.mark.parametrize(("content", "rule"), [(b"", "empty"), (b"\n", "empty"), (b"Sc\xffore\n9\n", "encoding")])
def test_a_file_without_a_readable_header_is_refused(write: Write, content: bytes, rule: str) -> None:
    with pytest.raises(Malformed) as refused:
        _read(write(content), '[csv]\nencoding = "utf-8"\n')
    assert refused.value.rule == rule


def test_a_line_without_end_is_refused_before_it_fills_the_memory(write: Write) -> None:
    with pytest.raises(Malformed) as refused:
        _read(write("Score\n" + "9" * 1_100_000 + "\n"))
    assert refused.value.rule == "line-length"


def test_equal_rows_are_different_answers_and_keep_their_ids(write: Write) -> None:
    path = write("Score,Other\n9,a\n8,b\n9,c\n9,d\n")
    ids = [t.answer.external_id for t in _read(path).taken]
    assert len(set(ids)) == 4
    assert [name.rsplit("-", 1)[1] for name in ids] == ["1", "1", "2", "3"]
    assert [t.answer.external_id for t in _read(path, skip=2).taken] == ids[2:]


def test_a_corrected_mapping_finds_the_same_rows(write: Write) -> None:
    path = write("Score,Words\n9,NA\n")
    (before,) = _read(path, 'comment = "Words"\n').taken
    (after,) = _read(path, 'comment = "Words"\n[values]\nempty = ["NA"]\n').taken
    assert before.answer.external_id == after.answer.external_id
    assert before.answer.body_hash() != after.answer.body_hash()


def test_chunks_end_where_they_should(write: Write) -> None:
    path = write("Score\n" + "9\n" * 25)
    sizes = [chunk.n for chunk in rows.chunks(path, load(LEAST), size=10)]
    assert sizes == [10, 10, 5]

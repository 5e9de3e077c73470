"""`amplify import survey` as people run it: a dry run, the run, the same again, and what is wrong said in a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.cli import imports
from amplify.core.paths import CONFIG
from amplify.surveys import importing, mapping
from amplify.surveys.models import ImportRun, Response

Run = Callable[..., Result]
LEAST = 'name = "x"\n[fields]\ngiven = "Score"\n'


@pytest.fixture
def run(session: Session, brand: Brand, monkeypatch: pytest.MonkeyPatch, app: Any) -> Run:
    """The command inside this test's application and transaction, as `create_app` would give it."""
    session.commit()
    monkeypatch.setattr(imports, "create_app", lambda: app)

    def invoked(*arguments: str) -> Result:
        result = CliRunner().invoke(imports.command, ["survey", *arguments])
        session.expire_all()
        return result

    return invoked


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    answers, chosen = tmp_path / "answers.csv", tmp_path / "mapping.toml"
    answers.write_text("Score\n9\n3\nx\n")
    chosen.write_text(LEAST)
    return str(answers), str(chosen)


def test_the_dry_run_of_the_real_file_says_what_would_happen(session: Session, run: Run, airline_csv: Path) -> None:
    example = str(CONFIG / "imports" / "airline.toml")
    result = run(str(airline_csv), "--map", example, "--brand", "acme", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "10281 answers would be stored (3755 promoters, 3258 passives, 3268 detractors)" in result.stdout
    assert "New locations: 197: Aguadilla, PR" in result.stdout
    assert "line 636, column Likelihood.to.recommend: A score is missing. [required] 'NA'" in result.stdout
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 0


def test_the_run_and_the_same_again_as_json(session: Session, run: Run, files: tuple[str, str]) -> None:
    answers, chosen = files
    first = json.loads(run(answers, "--map", chosen, "--brand", "acme", "--json").stdout)
    again = json.loads(run(answers, "--map", chosen, "--brand", "acme", "--json").stdout)
    assert (first["stored"], first["known"], first["rejected"]) == (2, 0, 1)
    assert (again["stored"], again["known"], again["rejected"]) == (0, 2, 1)
    assert first["problems"] == [
        {"line": 4, "column": "Score", "rule": "integer", "why": "The score is not a whole number.", "value": "x"}
    ]
    assert first["peak_megabytes"] > 10
    assert Path(answers).exists()
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 2


def test_the_same_command_goes_on_with_a_run_that_was_cut_off(
    session: Session, brand: Brand, run: Run, files: tuple[str, str]
) -> None:
    answers, chosen = Path(files[0]), mapping.load(LEAST)
    begun = importing.new_run(session, brand, answers, answers.name, importing.sha256_of(answers), "cli:before")
    importing.begin_unchecked(session, begun, chosen, "cli:before")
    session.commit()
    assert run(files[0], "--map", files[1], "--brand", "acme").exit_code == 0
    (only,) = session.scalars(sa.select(ImportRun))
    assert (only.state, only.stored) == ("done", 2)


@pytest.mark.parametrize(
    ("content", "brand_name", "words"),
    [
        ('name = "x"\n', "acme", "fields: Field required [required]"),
        ("name = ", "acme", "The mapping is not TOML"),
        ('name = "x"\n[fields]\ngiven = "Stars"\n', "acme", "fields.given.column: The file has no column “Stars”."),
        (LEAST, "nobody", "There is no such brand."),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_stored(
    session: Session, run: Run, files: tuple[str, str], content: str, brand_name: str, words: str, dry: bool
) -> None:
    answers, chosen = files
    Path(chosen).write_text(content)
    result = run(answers, "--map", chosen, "--brand", brand_name, *(["--dry-run"] if dry else []))
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert session.scalar(sa.select(sa.func.count(ImportRun.id))) == 0


def test_a_mapping_that_is_no_text_is_said_in_a_line(run: Run, files: tuple[str, str]) -> None:
    answers, chosen = files
    Path(chosen).write_bytes(b'name = "\xff"')
    result = run(answers, "--map", chosen, "--brand", "acme")
    assert result.exit_code == 1
    assert "not UTF-8" in result.stderr

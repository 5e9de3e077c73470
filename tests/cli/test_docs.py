"""Every command stands in the documents and says what it does."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from amplify import cli

ROOT = Path(__file__).resolve().parents[2]

cli._discover()


def commands(group: click.Group, words: tuple[str, ...] = ("amplify",)) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


ALL = dict(commands(cli.cli))


@pytest.mark.parametrize("words", ALL)
def test_every_command_is_documented(words: str) -> None:
    texts = [path.read_text() for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("README.md")]]
    assert any(f"`{words}`" in text or f"`{words} " in text for text in texts), f"{words} stands in no document"


@pytest.mark.parametrize("words", ALL)
def test_every_command_says_what_it_does(words: str) -> None:
    assert (ALL[words].help or "").strip().endswith((".", ")"))

"""Form letters: messages of one group that differ in a few words are rendered once, with marks where these words stand.

To render a mail takes longer than all else that is done for it. Who orders messages of a template says which words of
its context are the reader's own and are only ever printed: they may decide nothing but by being there. So are the
addresses that `render` adds. A word that HTML writes otherwise, or that is not there, is part of the form.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from amplify.brands.models import Brand
from amplify.delivery.models import Message
from amplify.delivery.render import ADDRESSES, Rendered, context_of, finished, write

# What HTML writes otherwise, in a text or in an attribute.
SPECIAL = re.compile(r"[&<>\"'`]")
# Nobody can know it, so no text of a brand or a person holds it by intent.
MARK = f"x{secrets.token_hex(12)}"
PLACES = re.compile(rf"{MARK}(\d+)x")

_own_words: dict[str, tuple[str, ...]] = {}


def wire(own_words: Mapping[str, Sequence[str]]) -> None:
    """Install them, by template (once, at start; a second call replaces the first)."""
    _own_words.clear()
    _own_words.update({template: (*words, *ADDRESSES) for template, words in own_words.items()})


class _Form(NamedTuple):
    """What all its readers have in common, and its four texts: what stands between the marks, and which mark."""

    common: dict[str, Any]
    texts: tuple[list[str], ...]

    def filled(self, words: Sequence[str], unsubscribe_url: str) -> Rendered:
        return finished(Rendered(*(_filled(text, words) for text in self.texts)), unsubscribe_url)


class FormLetters:
    """The forms of one group. Gives what `render` gives."""

    def __init__(self) -> None:
        self._forms: dict[tuple[object, ...], _Form] = {}

    def render(self, message: Message, brand: Brand) -> Rendered:
        """The message in its own language. Raises what its template raises."""
        context = context_of(message, brand)
        unsubscribe_url = context["unsubscribe_url"]
        names = [name for name in _own_words.get(message.template, ()) if _is_plain(context.get(name))]
        words = [str(context.pop(name)) for name in names]
        kind = message.template, message.channel, message.locale, brand.id, *names
        form = self._forms.get(kind)
        if form is None or form.common != context:
            marked = {name: f"{MARK}{place}x" for place, name in enumerate(names)}
            made = write(message.template, message.channel, message.locale, context | marked)
            form = self._forms[kind] = _Form(context, tuple(PLACES.split(text) for text in made))
        return form.filled(words, unsubscribe_url)


def _is_plain(word: Any) -> bool:
    if isinstance(word, int):
        return word > 1  # neither of the truths
    return isinstance(word, str) and word != "" and word.isprintable() and SPECIAL.search(word) is None


def _filled(text: Sequence[str], words: Sequence[str]) -> str:
    return "".join(words[int(piece)] if place % 2 else piece for place, piece in enumerate(text))

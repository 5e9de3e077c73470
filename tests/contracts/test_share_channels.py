"""What every share channel must keep; a new file in sharing/channels is tested without being named here."""

import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amplify.core.errors import Invalid
from amplify.core.ui import icons
from amplify.sharing.channel import Channel, Draft, load, registry

CHANNELS = list(registry().values())
URL = "https://amplify.example/s/aB3dE6gH9"
# What people write: letters of many scripts, emoji, line ends, and what could break an address.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n&=#%+?"), max_size=200)

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=CHANNELS, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest) -> Channel:
    found: Channel = request.param
    return found


def test_a_channel_says_what_it_is(channel: Channel) -> None:
    assert channel.name.isidentifier()
    assert channel.name == channel.name.lower()
    assert len(channel.name) <= 40
    assert str(channel.label)
    assert channel.icon in icons()
    assert channel.policy_url.startswith("https://")


def test_the_act_of_sharing_is_rewarded_nowhere(channel: Channel) -> None:
    assert channel.may_reward_act is False


def test_a_composers_address_is_one_and_a_page_of_ours_has_none(channel: Channel) -> None:
    address = channel.compose(Draft("Hello", URL))
    if channel.kind in ("page", "sheet"):
        assert address is None
        return
    assert address is not None
    scheme = urlsplit(address).scheme
    assert scheme == "https" if channel.kind == "composer" else scheme in ("mailto", "sms")


@given(words=TEXTS)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_words_and_link_arrive_as_they_were(channel: Channel, words: str) -> None:
    address = channel.compose(Draft(words.strip(), URL, disclosure="#ad"))
    if address is None:
        return
    assert address.isascii()
    assert not set(address) & set(' \r\n"<>')
    arrived = unquote(address).replace("\r\n", "\n")
    assert URL in arrived
    if channel.may_prefill:  # the others are tested below
        assert words.strip() in arrived
        assert "#ad" in arrived


def test_no_text_is_filled_in_where_the_network_forbids_it(channel: Channel) -> None:
    if channel.may_prefill:
        return
    address = channel.compose(Draft("Hello", URL, disclosure="#ad", title="Stay with us"))
    sent = [value for values in parse_qs(urlsplit(address or "").query).values() for value in values]
    assert sent in ([], [URL])


def test_what_is_too_long_is_refused_and_never_cut(channel: Channel) -> None:
    if channel.max_length is None or not channel.may_prefill:
        channel.check(Draft("a" * 5_000, URL))
        return
    fits = next(n for n in range(channel.max_length, -1, -1) if (channel.room(Draft("a" * n, URL)) or 0) >= 0)
    channel.check(Draft("a" * fits, URL))
    with pytest.raises(Invalid) as refused:
        channel.check(Draft("a" * (fits + 1), URL))
    assert (refused.value.field, refused.value.rule) == ("text", "max-length")
    assert str(channel.label) in str(refused.value.message)


def test_a_disclosure_counts_too(channel: Channel) -> None:
    draft = Draft("a" * 100, URL)
    with_disclosure = Draft("a" * 100, URL, disclosure="Advertising")
    assert channel.length(with_disclosure) >= channel.length(draft) + len("Advertising")


def test_names_are_given_once_and_the_order_is_stable() -> None:
    assert len({channel.name for channel in CHANNELS}) == len(CHANNELS)
    assert [c.order for c in CHANNELS] == sorted(c.order for c in CHANNELS)


def test_the_channel_of_the_documentation_works(tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.DOTALL)
    assert example is not None
    (tmp_path / "telegram.py").write_text(example[1])
    found = load([str(ROOT / "amplify" / "sharing" / "channels"), str(tmp_path)])
    names = list(found)
    assert len(found) == len(CHANNELS) + 1
    assert names.index("whatsapp") + 1 == names.index("telegram") == names.index("facebook") - 1
    made = found["telegram"]
    test_a_channel_says_what_it_is(made)
    test_the_act_of_sharing_is_rewarded_nowhere(made)
    test_a_composers_address_is_one_and_a_page_of_ours_has_none(made)
    test_what_is_too_long_is_refused_and_never_cut(made)
    address = made.compose(Draft("Go there", URL, disclosure="#ad"))
    assert parse_qs(urlsplit(address or "").query) == {"url": [URL], "text": ["#ad\n\nGo there"]}


def test_the_documentation_names_every_folder_of_plug_ins() -> None:
    page = (ROOT / "docs" / "extending.md").read_text()
    folders = [f for name in ("channels", "types", "sources") for f in (ROOT / "amplify").glob(f"*/{name}")]
    assert folders
    assert [str(f.relative_to(ROOT)) for f in folders if f"`{f.relative_to(ROOT)}/`" not in page] == []

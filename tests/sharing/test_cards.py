"""The quote card: the right words, drawn readably, kept within bounds, and gone with the person."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.brands.services import ensure_location
from amplify.campaigns.models import Campaign
from amplify.core import clock, colour
from amplify.core.settings import Settings
from amplify.customers.services import erase
from amplify.sharing.cards import drawing, faces
from amplify.sharing.cards.content import CardContent, card_of_link, make, spoken_words
from amplify.sharing.cards.drawing import HEIGHT, ROOM, SIZES, WIDTH, paint, render
from amplify.sharing.cards.store import CardStore
from amplify.sharing.cards.typesetting import ELLIPSIS, drawable, fit, width
from amplify.sharing.models import ShareLink
from amplify.sharing.services import link_for, open_share, show_name
from amplify.sharing.tokens import Visit
from tests.client import Client
from tests.sharing.making import a_live_brand, a_visit, an_answer, token_of

COMMENT = "Best breakfast in town, and the staff remembered my daughter's name."
LONG = "Una noche inolvidable junto al mar, con un desayuno de los que ya no quedan y gente que sonríe de verdad. " * 9
MACHINE = {"User-Agent": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"}
ACCENTS = ["#3d4fe0", "#0f766e", "#f59e0b", "#fde047", "#ffffff", "#000000", "#111827", "#808080", "#ff0000", "#00ff00"]
CARD = CardContent(
    words=COMMENT, is_quote=True, name="Amber Heron 41", byline="Amber Heron 41", place="Valencia", wordmark="Acme",
    accent="#0f766e", disclosure="",
)  # fmt: skip


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_live_brand(session)


def the_link(session: Session, brand: Brand, visit: Visit, channel: str = "x", locale: str = "en") -> ShareLink:
    return link_for(session, brand, visit.advocate, visit.campaign, channel, locale=locale, response=visit.response)


def card_of(session: Session, link: ShareLink) -> CardContent:
    brand, campaign = session.get_one(Brand, link.brand_id), session.get_one(Campaign, link.campaign_id)
    card = card_of_link(session, link, brand, campaign)
    assert card is not None
    return card


def picture_of(client: Client, link: ShareLink) -> Image.Image:
    answer = client.get(f"/s/{link.code}/card.png")
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    return Image.open(BytesIO(answer.data))


# What stands on it


def test_the_card_says_what_was_said_with_the_link_last(session: Session, brand: Brand) -> None:
    visit = a_visit(session, brand, COMMENT)
    link = the_link(session, brand, visit)
    assert spoken_words(session, link) == COMMENT
    open_share(session, link, "First words", visit.response)
    open_share(session, link, "Last words", visit.response)
    assert spoken_words(session, link) == "Last words"


def test_words_that_a_person_took_out_are_not_published(session: Session, brand: Brand) -> None:
    visit = a_visit(session, brand, COMMENT)
    link = the_link(session, brand, visit, "facebook")
    open_share(session, link, "", visit.response)
    assert spoken_words(session, link) == ""
    assert not card_of(session, link).is_quote


def test_a_complaint_never_gets_on_a_card(session: Session, brand: Brand) -> None:
    visit = a_visit(session, brand)
    link = the_link(session, brand, visit)
    an_answer(session, brand, external_id="b", given=2, comment="Awful", customer={"email": "ana@friends.example"})
    assert spoken_words(session, link) == ""
    assert not card_of(session, link).is_quote


def test_without_words_the_campaign_speaks_in_the_links_language(session: Session, brand: Brand) -> None:
    card = card_of(session, the_link(session, brand, a_visit(session, brand), locale="es"))
    assert (card.words, card.is_quote) == ("Quédate con nosotros", False)
    assert card.byline != card.name
    assert card.byline.endswith(card.name)


def test_the_name_is_the_pseudonym_until_the_person_agrees_to_another(session: Session, brand: Brand) -> None:
    visit = a_visit(session, brand, COMMENT, customer={"name": "Ana Real"})
    link = the_link(session, brand, visit)
    assert card_of(session, link).name == visit.advocate.pseudonym
    show_name(session, visit.advocate, "Ana R.")
    assert card_of(session, link).name == "Ana R."


def test_a_rewarded_card_carries_its_disclosure_in_its_language(session: Session, brand: Brand) -> None:
    visit = a_visit(session, brand, COMMENT)
    link = the_link(session, brand, visit, locale="es")
    assert card_of(session, link).disclosure == ""
    visit.campaign.is_rewarded = True
    assert card_of(session, link).disclosure == "Publicidad: puedo recibir un premio."
    visit.campaign.texts = {"es": {"disclosure": "広告です"}}
    assert card_of(session, link).disclosure  # never left out because no font has it


def test_the_place_is_where_the_experience_was(session: Session, brand: Brand) -> None:
    ensure_location(session, brand.id, "valencia", "Valencia")
    visit = a_visit(session, brand, COMMENT, location="valencia")
    assert card_of(session, the_link(session, brand, visit)).place == "Valencia"


def test_the_key_follows_everything_that_is_seen(session: Session, brand: Brand) -> None:
    visit = a_visit(session, brand, COMMENT)
    link = the_link(session, brand, visit)
    keys = [card_of(session, link).key]
    changes: list[Callable[[], object]] = [
        lambda: open_share(session, link, "Other words", visit.response),
        lambda: setattr(brand, "theme", {"accent": "#aa0000"}),
        lambda: setattr(brand, "theme", {"accent": "#aa0000", "wordmark": "ACME!"}),
        lambda: show_name(session, visit.advocate, "Ana R."),
        lambda: setattr(visit.campaign, "is_rewarded", True),
    ]
    for change in changes:
        change()
        keys.append(card_of(session, link).key)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("  two\n\nlines  ", "two lines"),
        ("Great \U0001f44d\U0001f3fd stay", "Great \U0001f44d stay"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 happy", "\U0001f468 happy"),
        ("Flags \U0001f1ea\U0001f1f8, too", "Flags, too"),
        ("¡Señora Peñalver, qué ilusión!", "¡Señora Peñalver, qué ilusión!"),
        ("Dziękuję ευχαριστώ спасибо", "Dziękuję ευχαριστώ спасибо"),
        ("A really great stay at 旅", "A really great stay at"),
        ("Great 旅館", ""),
        ("とても良い旅館でした", ""),
        ("\x00\u200b\ufeff", ""),
    ],
)
def test_what_no_font_can_draw_is_left_out_or_leaves_the_word_to_the_campaign(said: str, shown: str) -> None:
    assert drawable(said) == shown


def test_quotation_marks_around_the_words_are_not_doubled(session: Session, brand: Brand) -> None:
    visit = a_visit(session, brand)
    facts = {"brand": brand, "campaign": visit.campaign, "advocate": visit.advocate, "locale": "en"}
    for said in ('"So good"', "\u201cSo good\u201d", "«So good»"):
        card = make(said, **facts)  # type: ignore[arg-type]
        assert card is not None
        assert card.words == "So good"
    kept = make('"Wow" and "oh"', **facts)  # type: ignore[arg-type]
    assert kept is not None
    assert kept.words == '"Wow" and "oh"'


# How it is set


@pytest.mark.parametrize("words", ["Wow", COMMENT, "LOUD AND CLEAR! " * 9, LONG[:500], "a", "ñ " * 250])
def test_up_to_500_characters_are_set_whole_in_whole_words(words: str) -> None:
    words = drawable(words)
    block = fit(words, (ROOM, 270), SIZES, weight="medium")
    assert " ".join(block.lines) == words
    assert block.height <= 270
    assert all(width(line, "medium", block.size) <= ROOM for line in block.lines)


def test_a_short_quote_is_set_larger_than_a_long_one() -> None:
    sizes = [fit(words, (ROOM, 300), SIZES).size for words in ("Wow", COMMENT, LONG)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_what_is_far_too_long_ends_after_a_whole_word_with_an_ellipsis() -> None:
    block = fit(LONG.strip(), (ROOM, 200), SIZES)
    text = " ".join(block.lines)
    assert text.endswith(ELLIPSIS)
    assert LONG.startswith(text[:-1])
    assert re.match(r"[\s,.]", LONG[len(text) - 1 :])
    assert all(width(line, "bold", block.size) <= ROOM for line in block.lines)
    assert block.height <= 200


def test_only_a_word_wider_than_a_line_is_ever_divided() -> None:
    word = "Donaudampfschifffahrtsgesellschaftskapitän"
    assert fit(word, (ROOM, 300), SIZES).lines == (word,)
    monster = word * 5
    block = fit(monster, (ROOM, 300), SIZES)
    assert "".join(block.lines) == monster
    assert all(width(line, "bold", block.size) <= ROOM for line in block.lines)


def test_no_word_stands_alone_on_the_last_line() -> None:
    block = fit("We loved every single minute of our stay here", (ROOM, 300), [80])
    widths = [width(line, "bold") for line in block.lines]
    assert min(widths) > 0.6 * max(widths)


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_text_keeps_its_contrast_wherever_it_stands(accent: str) -> None:
    paints = paint(accent)
    for text in (paints.ink, paints.soft):
        for ground in (paints.ground, paints.deep, paints.wave):
            assert colour.contrast(colour.parse(text), ground) >= 4.5
    assert colour.contrast(colour.parse(paints.ink), colour.parse(paints.accent)) >= 4.5


@pytest.mark.parametrize("accent", ACCENTS)
def test_a_card_is_1200_by_630_and_small_enough_for_messengers(accent: str) -> None:
    worst = replace(CARD, accent=accent, words=drawable(LONG), disclosure="Publicidad: puedo recibir un premio. " * 4)
    drawn = render(worst)
    assert Image.open(BytesIO(drawn)).size == (WIDTH, HEIGHT)
    assert len(drawn) < 300_000


def test_an_accent_that_is_none_gives_ours() -> None:
    assert paint("no colour") == paint("")


@pytest.mark.parametrize("text", ["מקום נפלא!", "فندق رائع جدا", "\U0001f60d", "إلى Brisa", "Ω"])
def test_other_scripts_leave_ink_on_the_card(text: str) -> None:
    words = drawable(text)
    if faces.is_rtl(text[0]) and not faces.can_shape():
        assert words == ""
        return
    blank, drawn = (Image.open(BytesIO(render(replace(CARD, words=w)))) for w in (".", words))
    assert blank.tobytes() != drawn.tobytes()


def test_every_character_of_both_languages_has_a_glyph_of_its_own() -> None:
    letters = "ABCXYZabcxyz0123456789ÁÉÍÑÓÚÜáéíñóúü¡¿«»ºª€£$%&@#…“”\u2018\u2019—\u2013.,:;!?()[]/+-'\""
    for weight in ("bold", "medium"):
        assert [c for c in letters if faces.file_for(c, weight) is None] == []


def test_the_tables_of_a_font_are_read_as_its_makers_wrote_them() -> None:
    assert ord("ñ") in faces.coverage("manrope-latin-700-normal.woff")
    assert ord("ñ") not in faces.coverage("manrope-greek-700-normal.woff")
    assert 0x1F60D in {point for file in faces.chain("bold") if faces.is_emoji(file) for point in faces.coverage(file)}
    assert all((faces.FONTS / file).is_file() for weight in ("bold", "medium") for file in faces.chain(weight))


# How it is kept


class Painter:
    """Draws, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def __call__(self, content: CardContent) -> bytes:
        self.drawn.append(content.words)
        return render(content)


def test_a_card_is_drawn_once_for_many_who_come_at_the_same_time(tmp_path: Path) -> None:
    painter = Painter()
    found: list[bytes] = []
    store = CardStore(tmp_path, "secret", draw=painter)
    threads = [threading.Thread(target=lambda: found.append(store.picture(CARD))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == len(painter.drawn) == 1


def test_a_new_process_finds_the_card_on_disk(tmp_path: Path) -> None:
    painter = Painter()
    first = CardStore(tmp_path, "secret", draw=painter).picture(CARD)
    assert CardStore(tmp_path, "secret", draw=painter).picture(CARD) == first
    assert len(painter.drawn) == 1


def test_a_file_that_is_broken_or_of_another_installation_is_drawn_anew(tmp_path: Path) -> None:
    painter = Painter()
    first = CardStore(tmp_path, "secret", draw=painter).picture(CARD)
    assert CardStore(tmp_path, "another", draw=painter).picture(CARD) == first
    (file,) = tmp_path.glob("*/*")
    for rest in (b"", b"short", file.read_bytes()[:-1]):
        file.write_bytes(rest)
        assert CardStore(tmp_path, "secret", draw=painter).picture(CARD) == first
    assert len(painter.drawn) == 5


def test_the_file_shows_nothing_to_who_does_not_know_the_words(tmp_path: Path) -> None:
    picture = CardStore(tmp_path, "secret").picture(CARD)
    (file,) = tmp_path.glob("*/*")
    assert picture[:64] not in file.read_bytes()
    assert b"PNG" not in file.read_bytes()[:64]


def test_memory_and_disk_stay_within_their_bounds(tmp_path: Path) -> None:
    store = CardStore(tmp_path, "secret", memory_bytes=200_000, disk_bytes=300_000, sweep_every=1)
    for number in range(12):
        store.picture(replace(CARD, words=f"Number {number}"))
    assert sum(file.stat().st_size for file in tmp_path.glob("*/*")) <= 300_000
    assert sum(map(len, store._known.values())) == store._size <= 200_000
    assert list(store._known)[-1] == replace(CARD, words="Number 11").key


def test_a_disk_that_takes_nothing_costs_no_card(tmp_path: Path) -> None:
    (tmp_path / "cards").write_text("a file where a folder should be")
    assert CardStore(tmp_path / "cards", "secret").picture(CARD).startswith(b"\x89PNG")


# How it is served


def test_the_preview_leads_to_the_card_and_describes_it(session: Session, brand: Brand, client: Client) -> None:
    link = the_link(session, brand, a_visit(session, brand, COMMENT))
    page = client.get(f"/s/{link.code}", headers=MACHINE).text
    key = card_of(session, link).key
    assert f'property="og:image" content="http://localhost/s/{link.code}/card.png?v={key}"' in page
    assert 'property="og:image:width" content="1200"' in page
    assert 'property="og:image:height" content="630"' in page
    alt = re.search(r'property="og:image:alt" content="([^"]*)"', page)
    assert alt
    assert "Best breakfast in town" in alt[1]
    answer = client.get(f"/s/{link.code}/card.png?v={key}")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert "Set-Cookie" not in answer.headers
    again = client.get(f"/s/{link.code}/card.png", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert picture_of(client, link).size == (1200, 630)
    assert client.head(f"/s/{link.code}/card.png").status_code == 200


def test_an_edit_of_the_words_gives_the_card_another_address(session: Session, brand: Brand, client: Client) -> None:
    visit = a_visit(session, brand, COMMENT)
    link = the_link(session, brand, visit)

    def image() -> str:
        found = re.search(r'property="og:image" content="([^"]*)"', client.get(f"/s/{link.code}", headers=MACHINE).text)
        assert found
        return found[1]

    before, picture = image(), client.get(f"/s/{link.code}/card.png").data
    open_share(session, link, "Something else altogether", visit.response)
    assert image() != before
    assert client.get(before.removeprefix("http://localhost")).data != picture


def test_an_unknown_code_is_404_and_leaves_nothing_on_disk(client: Client, settings: Settings) -> None:
    before = set((settings.data_dir / "cards").glob("*/*"))
    for code in ("nothing", "%00", "x" * 400):
        assert client.get(f"/s/{code}/card.png").status_code in (400, 404)
    assert set((settings.data_dir / "cards").glob("*/*")) == before


@pytest.mark.parametrize("how", ["stopped", "disabled", "expired", "host"])
def test_the_card_of_a_link_that_ended_is_gone(session: Session, brand: Brand, client: Client, how: str) -> None:
    visit = a_visit(session, brand, COMMENT)
    link = the_link(session, brand, visit)
    ends: dict[str, Callable[[], object]] = {
        "stopped": lambda: setattr(visit.campaign, "state", "stopped"),
        "disabled": lambda: setattr(link, "disabled_at", clock.now()),
        "expired": lambda: setattr(link, "expires_at", clock.now()),
        "host": lambda: setattr(brand, "target_hosts", []),
    }
    ends[how]()
    session.flush()
    assert client.get(f"/s/{link.code}").status_code == client.get(f"/s/{link.code}/card.png").status_code == 410


def test_a_brand_without_any_words_keeps_the_general_picture(session: Session, brand: Brand, client: Client) -> None:
    visit = a_visit(session, brand)
    visit.campaign.texts = {}
    link = the_link(session, brand, visit)
    assert "/static/img/share-card.png?v=" in client.get(f"/s/{link.code}", headers=MACHINE).text
    answer = client.get(f"/s/{link.code}/card.png")
    assert answer.status_code == 302
    with client.get(answer.headers["Location"]) as general:
        assert Image.open(BytesIO(general.data)).size == (1200, 630)
    visit.campaign.is_rewarded = True  # then something must be disclosed, and a card is drawn for it
    session.flush()
    assert picture_of(client, link).size == (1200, 630)


def test_an_erased_persons_card_loses_their_words_and_their_name(
    session: Session, brand: Brand, client: Client
) -> None:
    visit = a_visit(session, brand, COMMENT)
    link = the_link(session, brand, visit)
    open_share(session, link, COMMENT, visit.response)
    show_name(session, visit.advocate, "Ana R.")
    before = client.get(f"/s/{link.code}/card.png").data
    assert visit.advocate.customer is not None
    erase(session, visit.advocate.customer, "test")
    card = card_of(session, link)
    assert (card.words, card.name, card.is_quote) == ("Stay with us", visit.advocate.pseudonym, False)
    assert client.get(f"/s/{link.code}/card.png").data != before
    assert "breakfast" not in client.get(f"/s/{link.code}", headers=MACHINE).text


def test_the_share_page_can_show_the_card_of_its_draft(session: Session, brand: Brand, client: Client) -> None:
    token = token_of(a_visit(session, brand, COMMENT))
    answer = client.get(f"/share/{token}/card.png")
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert client.get("/share/forged/card.png").status_code == 404


def test_fetching_the_picture_is_no_click(session: Session, brand: Brand, client: Client) -> None:
    from amplify.tracking.models import Click

    link = the_link(session, brand, a_visit(session, brand, COMMENT))
    client.get(f"/s/{link.code}/card.png", headers={"User-Agent": "Mozilla/5.0"})
    assert session.query(Click).count() == 0


def test_the_ground_is_drawn_from_the_left_to_the_right() -> None:
    ground = drawing._ground("#3d4fe0")
    assert ground.getpixel((0, 10)) != ground.getpixel((WIDTH - 1, 10))

"""Places in nasty texts are the same for the browser as for Python, from the key to the row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from annotate.models import Annotation, Document, Project, User
from tests.browser.test_labeling import card_of, wait_until_sent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NASTY = {
    "emoji": "I 😀 love 🍕 in Rome.",
    "joined emoji": "The family 👨‍👩‍👧‍👦 met 🏳️‍🌈 friends 👍🏽 in Rome.",
    "flags": "🇫🇷🇩🇪 won against Rome 🇮🇹",
    "combining marks": "Ame\u0301lie, Zoe\u0308 and e\u0323\u0302 live in Rome",
    "line breaks of Windows": "first line\r\nsecond line\r\n\r\nin Rome\r\n",
    "a lone carriage return": "old\rmac\rRome",
    "blanks of every kind": "a\u00a0b\u2003c\u3000d\te\u200bf\ufeffg Rome",
    "arabic": "زارت فاطمة القاهرة مع أحمد، ثم Rome.",
    "hebrew with points": "שָׁלוֹם עוֹלָם ב־Rome",
    "chinese": "𠮷野家在東京開店，然後去了Rome。",
    "thai": "ฉันรักกรุงเทพมหานคร Rome",
    "hindi": "मैं दिल्ली से Rome गया",
    "marks of mathematics": "𝒳 ∈ 𝔸ℝ and Rome",
    "markup": "<b>Rome</b> &amp; &#13; <script>alert(1)</script>",
    "a blank line first": "\n\nRome was first",
}
# Tell of every place of the text what the browser and Python would cut out, in one go.
SLICES = """async () => {
  const node = document.querySelector(".span-text").firstChild;
  const { TextPlaces } = await import("/static/annotate/spans/codepoints.js");
  const places = new TextPlaces(node, "word"), letters = new TextPlaces(node, "grapheme");
  const cut = (place) => [place.start, place.end, places.slice(place)];
  return {
    length: places.length,
    nodes: document.querySelector(".span-text").childNodes.length,
    single: Array.from({ length: places.length }, (_, i) => cut({ start: i, end: i + 1 })),
    words: places.stops.map(cut),
    letters: letters.stops.map(cut),
    ranges: places.stops.map((place) => places.range(place).toString()),
  };
}"""


@pytest.fixture
def shown(
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    open_as: Callable[[User, str], Page],
    annotator: User,
) -> Callable[[str], Page]:
    def shown(text: str) -> Page:
        project = make_project(slug="nasty", labels=("place",), task="span")
        add_documents(project, text)
        page = open_as(annotator, f"/projects/{project.slug}/label/")
        card_of(page)
        return page

    return shown


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_the_browser_counts_as_python_does(text: str, shown: Callable[[str], Page]) -> None:
    found = shown(text).evaluate(SLICES)
    assert (found["length"], found["nodes"]) == (len(text), 1)
    for start, end, words in [*found["single"], *found["words"], *found["letters"]]:
        assert words == text[start:end]
    for _start, _end, words in [*found["words"], *found["letters"]]:
        assert words == words.strip()
    assert found["ranges"] == [words for _start, _end, words in found["words"]]
    covered = {place for start, end, _words in found["letters"] for place in range(start, end)}
    assert covered == {place for place, letter in enumerate(text) if not letter.isspace()}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_is_marked_last_is_kept_at_its_place(text: str, shown: Callable[[str], Page]) -> None:
    page = shown(text)
    page.evaluate("() => document.querySelector('#document-text').focus()")
    *_rest, (start, end, words) = page.evaluate(SLICES)["words"]
    for key in ("End", "1", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#card[data-empty]")
    wait_until_sent(page)
    span = Annotation.objects.get().spans.get()
    assert (span.start, span.end, text[span.start : span.end]) == (start, end, words)


def test_a_text_longer_than_a_text_node_of_the_parser_is_one_node(shown: Callable[[str], Page]) -> None:
    text = "Rome 😀 " * 20_000
    found = shown(text).evaluate(SLICES)
    assert (found["length"], found["nodes"]) == (len(text), 1)

"""A person at the labelling page in a real Chromium: reads a card, thinks, and presses keys."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from playwright.sync_api import Page

PATIENCE_MS = 120_000
BETWEEN_KEYS_S = 0.08
# From the last key of a decision to the end of the frame that shows another card. A message that is posted
# from a frame's callback arrives right after the browser has laid that frame out and painted it. (An Event
# Timing entry ends with the next paint after the handlers, whether it shows the card or not, and counts in
# steps of 8 ms.)
# Shift does nothing: it tells how long the browser needs for a frame on this machine at this moment.
WATCH = """(() => {
  window.winnowBench = { cards: [], frames: [] };
  let turn = 0;
  const shown = () => document.querySelector("#card")?.dataset.card ?? "";
  const painted = (then) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(null);
  };
  addEventListener("keydown", (event) => {
    const note = (name) => painted(() => window.winnowBench[name].push(performance.now() - event.timeStamp));
    if (event.key === "Shift") return requestAnimationFrame(() => note("frames"));
    const before = shown();
    const mine = ++turn;
    const look = () => {
      if (mine !== turn) return;
      if ([before, ""].includes(shown())) return requestAnimationFrame(look);
      note("cards");
    };
    requestAnimationFrame(look);
  }, true);
})()"""
READ = """() => {
  const card = document.querySelector("#card");
  const buttons = [...card.querySelectorAll(".choice")].filter((button) => !button.hidden);
  return {
    key: card.dataset.card,
    document: Number(card.dataset.document),
    text: card.querySelector("#document-text").textContent,
    hotkeys: Object.fromEntries(buttons.map((button) => [button.value, button.dataset.hotkey]).reverse()),
  };
}"""
BEST = '() => document.querySelector("#labels .choice.best")?.value ?? ""'
UNSENT = "() => Object.keys(localStorage).some((key) => key.startsWith('winnow/outbox/'))"


@dataclass(frozen=True, slots=True)
class Card:
    key: str
    document: int
    text: str
    hotkeys: dict[str, str]  # by the id of the label


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as the person made it; `next_card_ms` is None where no card came in its time."""

    document: int
    label: int
    keys: int
    next_card_ms: float | None


class Hand(Protocol):
    """Presses the keys of one decision, and returns how many these were."""

    def press(self, page: Page, card: Card, label: int) -> int: ...


class KeyOrFinder:
    """The label's own key; else its name in the finder, letter by letter, until it is the best match."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names

    def press(self, page: Page, card: Card, label: int) -> int:
        if key := card.hotkeys.get(str(label)):
            page.keyboard.press(key)
            return 1
        page.keyboard.press("/")
        keys = 1
        for letter in self.names[label]:
            keys += 1
            time.sleep(BETWEEN_KEYS_S)
            page.keyboard.press("Space" if letter == " " else letter)
            if page.evaluate(BEST) == str(label):
                break
        time.sleep(BETWEEN_KEYS_S)
        page.keyboard.press("Enter")
        return keys + 1


class Person:
    """Somebody who knows the label of each text; `think_s` is the shortest and the longest look at a card."""

    def __init__(
        self, page: Page, label_of: Callable[[str], int], hand: Hand, think_s: tuple[float, float], seed: int
    ) -> None:
        self.page, self.label_of, self.hand, self.think_s = page, label_of, hand, think_s
        self.rng = random.Random(seed)
        self.decided: list[Decided] = []
        self.frames_ms: list[float] = []
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(WATCH)

    def log_in(self, url: str, name: str, password: str, path: str) -> None:
        self.page.goto(f"{url}{path}")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{url}{path}")

    def label(self, times: int, events: dict[int, Callable[[], Any]]) -> None:
        """Decide on so many cards; an event happens right after the decision of its number."""
        before = ""
        for number in range(times):
            self.page.wait_for_selector(f'#card[data-ready]:not([data-card="{before}"])')
            card = Card(**self.page.evaluate(READ))
            if before:
                self._note_frames()
            time.sleep(self.rng.uniform(*self.think_s) / 2)
            self.page.keyboard.press("Shift")
            time.sleep(self.rng.uniform(*self.think_s) / 2)
            label = self.label_of(card.text)
            keys = self.hand.press(self.page, card, label)
            self.decided.append(Decided(card.document, label, keys, None))
            before = card.key
            if number in events:
                events[number]()
        self.page.wait_for_selector(f'#card[data-ready]:not([data-card="{before}"])')
        self._note_frames()
        # NB: the page's policy forbids what `wait_for_function` does in it.
        until = time.monotonic() + PATIENCE_MS / 1000
        while self.page.evaluate(UNSENT) and time.monotonic() < until:
            time.sleep(0.1)

    def _note_frames(self) -> None:
        self.frames_ms += self.page.evaluate("() => window.winnowBench.frames.splice(0)")
        measured: Sequence[float] = self.page.evaluate("() => window.winnowBench.cards.splice(0)")
        if measured:
            last = self.decided[-1]
            self.decided[-1] = Decided(last.document, last.label, last.keys, measured[-1])

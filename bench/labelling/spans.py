"""How long a key takes on a long text with many spans, in Chromium: from the key to the painted frame.

python -m bench.labelling.spans --characters 20000 --spans 500 --json OUT
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.site import Site, percentiles

PATIENCE_MS = 120_000
WORD = "Anna"
FILLER = "met twelve friends near the old river"
# A message that is posted from a frame's callback arrives right after the browser has painted that frame.
WATCH = """(() => {
  window.took = [];
  addEventListener("keydown", (event) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => window.took.push(performance.now() - event.timeStamp);
      port2.postMessage(null);
    });
  }, true);
})()"""
# What is pressed, and how often: each round leaves as many spans as it found.
ROUNDS: dict[str, tuple[str, ...]] = {
    "frame": ("Shift",),  # does nothing: how long the browser needs for a frame on this machine now
    "move": ("ArrowRight",),
    "extend": ("Shift+ArrowRight",),
    "walk": ("Tab",),
    "mark_and_undo": ("ArrowRight", "2", "z"),
    "resize": ("]", "}"),
    "relabel": ("2", "1"),
}


def text(characters: int, spans: int) -> str:
    """Return a text of so many characters in which the word stands so many times."""
    each = characters // spans
    piece = f"{WORD} {FILLER} " + FILLER * (each // len(FILLER))
    return " ".join(piece[: each - 1].strip().ljust(each - 1, ".") for _ in range(spans))


def measure(page: Page, repeats: int) -> dict[str, Any]:
    """Mark every occurrence of the word, then press the keys of each round."""
    figures: dict[str, Any] = {}
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.keyboard.press("Home")
    page.keyboard.press("1")
    figures["everywhere_ms"] = round(_pressed(page, ("l",))[0], 1)
    figures["spans"] = page.locator("#spans li").count()
    for name, keys in ROUNDS.items():
        page.keyboard.press("Home")
        page.keyboard.press("Tab")
        before = _worked(session)
        took = [ms for _ in range(repeats) for ms in _pressed(page, keys)]
        figures[name] = {
            **percentiles([ms / 1000 for ms in took]),
            "max_ms": round(max(took), 1),
            "work_ms": round((_worked(session) - before) / len(took), 1),
        }
    return figures


def _worked(session: CDPSession) -> float:
    """Return for how many milliseconds the page's thread has worked, whatever else the machine does."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1_000 * next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def _pressed(page: Page, keys: tuple[str, ...]) -> list[float]:
    page.evaluate("window.took = []")
    for key in keys:
        before = page.evaluate("window.took.length")
        page.keyboard.press(key)
        page.wait_for_function("n => window.took.length > n", arg=before)
    return list(page.evaluate("window.took"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--characters", type=int, default=20_000)
    parser.add_argument("--spans", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Site() as site, sync_playwright() as playwright:
        seeded = site.shell(
            "seed",
            texts=[text(options.characters, options.spans)],
            labels=["person", "place"],
            multi=False,
            task="span",
            people=1,
            training=False,
            fields={},
        )
        chromium = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{site.url}/login/?next=/projects/{seeded['slug']}/label/")
        page.get_by_label("Username").fill(seeded["people"][0])
        page.get_by_label("Password").fill(seeded["password"])
        page.keyboard.press("Enter")
        page.wait_for_selector("#card[data-ready]")
        page.evaluate(WATCH)
        figures = measure(page, options.repeats)
        chromium.close()
    told = json.dumps({"characters": options.characters, **figures}, indent=1)
    if options.json:
        options.json.write_text(told, "utf-8")
    print(told)


if __name__ == "__main__":
    main()

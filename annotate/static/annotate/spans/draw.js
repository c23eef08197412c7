// What is marked, as it is seen: colours under the text by the highlights of the browser, names and outlines in boxes
// over it, and a list of buttons. The text itself is one node that nothing splits, so that joined letters stay joined.

const MANY = 60; // in a longer list only what is in sight is laid out
const registry = globalThis.CSS?.highlights; // older browsers have none: boxes stand for it there

function highlight(name, priority) {
  if (!registry) return null;
  if (!registry.has(name)) registry.set(name, Object.assign(new Highlight(), { priority }));
  return registry.get(name);
}

const keyOf = ({ start, end, label }) => `${start}-${end}-${label}`;

export class Drawing {
  #pane;
  #places;
  #labels;
  #list;
  #words;
  #tellers; // who marked what, where that is known
  #drawn = new Map(); // each span or suggestion: its range, its boxes, its item of the list
  #selected = null;
  #resized = new ResizeObserver(() => this.#placeAll());

  // `labels` has the name and the hue of each label by its key.
  constructor({ pane, places, labels, list, suggestions = [] }) {
    this.#pane = pane;
    this.#places = places;
    this.#labels = labels;
    this.#list = list;
    this.#words = list.dataset;
    this.#tellers = new Map(suggestions.filter((one) => one.by).map((one) => [keyOf(one), one.by]));
    this.#resized.observe(pane.querySelector(".span-text"));
  }

  // Take everything off, before another card is shown.
  clear() {
    this.#resized.disconnect();
    if (registry) for (const one of registry.values()) one.clear();
    for (const one of this.#drawn.keys()) this.#erase(one);
    this.#list.replaceChildren();
  }

  // Draw a state: only what differs from the one before is touched.
  show(marking, isSuggestionShown, follows = true) {
    const suggestions = isSuggestionShown ? marking.suggestions : [];
    const wanted = new Set([...marking.spans, ...suggestions]);
    for (const one of [...this.#drawn.keys()]) if (!wanted.has(one)) this.#erase(one);
    const fresh = [...wanted].filter((one) => !this.#drawn.has(one));
    const suggested = new Set(suggestions);
    for (const one of fresh) this.#draw(one, suggested.has(one));
    this.#place(fresh);
    if (fresh.length) this.#order(marking.all);
    this.#list.toggleAttribute("data-many", this.#drawn.size > MANY);
    this.#select(marking, follows);
  }

  #draw(one, isSuggestion) {
    const range = this.#places.range(one);
    const { name, hue } = this.#labels.get(one.label);
    if (!isSuggestion) highlight(`span-${hue}`, 0)?.add(range);
    this.#drawn.set(one, { range, hue, isSuggestion, boxes: [], item: this.#item(one, name, isSuggestion) });
  }

  #erase(one) {
    const { range, hue, boxes, item } = this.#drawn.get(one);
    highlight(`span-${hue}`, 0)?.delete(range);
    for (const box of boxes) box.remove();
    item.remove();
    this.#drawn.delete(one);
  }

  // ---- boxes ----

  #placeAll() {
    this.#place([...this.#drawn.keys()]);
  }

  // All is measured before anything is written, so that the browser lays out once.
  #place(some) {
    if (!some.length) return;
    const origin = this.#pane.getBoundingClientRect();
    const [left, top] = [this.#pane.scrollLeft - origin.left, this.#pane.scrollTop - origin.top];
    const measured = some.map((one) => [one, [...this.#drawn.get(one).range.getClientRects()]]);
    const made = document.createDocumentFragment();
    for (const [one, rects] of measured) {
      const drawn = this.#drawn.get(one);
      for (const box of drawn.boxes) box.remove();
      drawn.boxes = this.#boxes(one, drawn, rects.filter((rect) => rect.width > 0), left, top);
      made.append(...drawn.boxes);
    }
    this.#pane.querySelector(".span-marks").append(made);
  }

  #boxes(one, { hue, isSuggestion }, rects, left, top) {
    if (!rects.length) return [];
    const outlines = isSuggestion || !registry ? rects : [];
    const found = outlines.map((rect) => {
      const box = this.#box(isSuggestion ? "span-suggested" : "span-filled", hue, rect.left + left, rect.top + top);
      box.style.width = `${rect.width}px`;
      box.style.height = `${rect.height}px`;
      return box;
    });
    const tag = this.#box("span-tag", hue, rects[0].left + left, rects[0].bottom + top);
    tag.style.maxWidth = `${Math.max(rects[0].width, 12)}px`;
    tag.dataset.name = this.#named(one);
    return [...found, tag];
  }

  #box(kind, hue, x, y) {
    const box = document.createElement("span");
    box.className = kind;
    box.dataset.hue = hue;
    box.style.left = `${x}px`;
    box.style.top = `${y}px`;
    return box;
  }

  #named({ label, percent }) {
    const { name } = this.#labels.get(label);
    return percent === null || percent === undefined ? name : `${name} ${percent} %`;
  }

  // ---- the list ----

  #item(one, name, isSuggestion) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const words = document.createElement("span");
    const label = document.createElement("strong");
    button.type = "button";
    button.className = "span-item";
    button.dataset.hue = this.#labels.get(one.label).hue;
    button.toggleAttribute("data-suggested", isSuggestion);
    words.dir = label.dir = "auto";
    words.textContent = this.#places.slice(one);
    label.textContent = this.#named(one);
    button.append(label, " ", words);
    if (this.#tellers.has(keyOf(one))) {
      const tellers = document.createElement("small");
      tellers.textContent = this.#tellers.get(keyOf(one));
      button.append(" ", tellers);
    }
    if (isSuggestion) {
      const told = document.createElement("span");
      told.className = "visually-hidden";
      told.textContent = ` (${this.#words.suggested})`;
      button.append(told);
    }
    item.append(button);
    return item;
  }

  // Put new items where they belong; those that are there already are in order.
  #order(all) {
    let next = null;
    for (const one of all.toReversed()) {
      const item = this.#drawn.get(one)?.item;
      if (!item) continue;
      if (item.nextSibling !== next || !item.isConnected) this.#list.insertBefore(item, next);
      next = item;
    }
  }

  // The span or suggestion of a button of the list.
  ofButton(button) {
    return [...this.#drawn].find(([, { item }]) => item.contains(button))?.[0] ?? null;
  }

  // ---- the selection ----

  #select({ selection, active }, follows) {
    const range = selection && this.#places.range(selection);
    highlight("span-selection", 1)?.clear();
    if (range) highlight("span-selection", 1)?.add(range);
    this.#selected?.remove();
    if (range && !registry) {
      const rect = range.getBoundingClientRect();
      const origin = this.#pane.getBoundingClientRect();
      this.#selected = this.#box(
        "span-selected", "", rect.left - origin.left + this.#pane.scrollLeft,
        rect.bottom - origin.top + this.#pane.scrollTop,
      );
      this.#selected.style.width = `${rect.width}px`;
      this.#pane.querySelector(".span-marks").append(this.#selected);
    }
    this.#list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    const item = this.#drawn.get(active)?.item;
    item?.firstElementChild.setAttribute("aria-current", "true");
    if (item) intoSight(this.#list, item.getBoundingClientRect());
    if (range && follows) intoSight(this.#pane, range.getBoundingClientRect());
  }
}

// NB: `scrollIntoView` would move a low window's page as well.
function intoSight(pane, rect) {
  const seen = pane.getBoundingClientRect();
  const slack = Math.min(48, seen.height / 4);
  if (rect.top < seen.top) pane.scrollTop -= seen.top - rect.top + slack;
  else if (rect.bottom > seen.bottom) pane.scrollTop += rect.bottom - seen.bottom + slack;
}

// The spans of one card: what is marked, what is suggested, what is selected, and the way back. Each state is a value
// of its own, so that undo is the state before. It knows nothing of the page.

export const crosses = (a, b) => a.start < b.end && b.start < a.end;
export const isSamePlace = (a, b) => a.start === b.start && a.end === b.end;
const byPlace = (a, b) => a.start - b.start || a.end - b.end || a.label - b.label;
const same = (a, b) => isSamePlace(a, b) && a.label === b.label;

export class Marking {
  #places;
  #overlaps;
  #stays;
  #began;
  #before = [];
  #after = [];
  #origin = null; // the stop at which the selection began
  #head = 0; // the number of the stop to which it goes
  spans = [];
  suggestions = [];
  selection = null;
  active = null; // a span, or a suggestion

  // With `suggestionsStay` each is there whatever crosses it, and gives way only to the very span; to accept one takes
  // off what it crosses.
  constructor({ places, overlaps, spans, suggestions = [], suggestionsStay = false }) {
    this.#places = places;
    this.#overlaps = overlaps;
    this.#stays = suggestionsStay ? suggestions.map(Object.freeze).sort(byPlace) : null;
    this.spans = spans.map(Object.freeze).sort(byPlace);
    this.#began = this.spans;
    this.suggest(suggestions);
  }

  // Show what a model would mark, but for what is marked there already.
  suggest(suggestions) {
    if (this.#stays) {
      this.suggestions = this.#untaken(this.spans);
      return;
    }
    const free = suggestions.filter((one) => !this.spans.some((span) => this.#excludes(span, one)));
    this.suggestions = free.map(Object.freeze).sort(byPlace);
  }

  #untaken(spans) {
    return this.#stays.filter((one) => !spans.some((span) => same(span, one)));
  }

  get isAsItBegan() {
    const began = this.#began;
    return began.length === this.spans.length && began.every((span, i) => same(span, this.spans[i]));
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  get canRedo() {
    return this.#after.length > 0;
  }

  get all() {
    return [...this.spans, ...this.suggestions].sort(byPlace);
  }

  isSuggestion(one) {
    return this.suggestions.includes(one);
  }

  // Whether one cannot stand where the other does.
  #excludes(span, other) {
    return this.#overlaps ? same(span, other) : crosses(span, other);
  }

  // ---- the selection ----

  select(place, active = null) {
    this.selection = place && { start: place.start, end: place.end };
    this.active = active;
    this.#origin = this.selection;
    this.#head = place ? this.#places.stopAt(place.end - 1) : 0;
  }

  // Select what lies at a code point: the shortest span there, else its stop.
  selectAt(point) {
    const there = this.all.filter((one) => one.start <= point && point < one.end);
    const shortest = there.sort((a, b) => a.end - a.start - (b.end - b.start))[0];
    this.select(shortest ?? this.#places.stops[this.#places.stopAt(point)] ?? null, shortest ?? null);
  }

  // Go to the stop before or behind what is selected, or the first.
  move(step) {
    const { stops } = this.#places;
    if (!stops.length) return;
    let next = step > 0 ? 0 : stops.length - 1;
    if (this.selection) {
      const edge = step > 0 ? this.selection.end - 1 : this.selection.start;
      next = this.#places.stopAt(edge) + step;
    }
    this.select(stops[Math.min(Math.max(next, 0), stops.length - 1)]);
  }

  moveTo(number) {
    const { stops } = this.#places;
    if (stops.length) this.select(stops.at(number));
  }

  // Take the selection a stop further, or back.
  extend(step) {
    if (!this.selection) return this.move(step);
    const { stops } = this.#places;
    this.#head = Math.min(Math.max(this.#head + step, 0), stops.length - 1);
    const head = stops[this.#head];
    this.active = null;
    this.selection = {
      start: Math.min(this.#origin.start, head.start),
      end: Math.max(this.#origin.end, head.end),
    };
  }

  // Select up to a code point from where the selection began.
  extendTo(point) {
    this.#head = Math.min(this.#places.stopAt(point), this.#places.stops.length - 1);
    this.extend(0);
  }

  // Select the span or suggestion before or behind what is selected; false where there is none.
  step(direction) {
    const { all } = this;
    let next;
    if (this.active) next = all[all.indexOf(this.active) + direction];
    else if (direction > 0) next = all.find((one) => one.start >= (this.selection?.start ?? 0));
    else next = all.findLast((one) => one.start < (this.selection?.start ?? this.#places.length));
    if (next) this.select(next, next);
    return Boolean(next);
  }

  // ---- changes; each returns how many spans gave way ----

  #change(spans, suggestions, active) {
    this.#before.push({ spans: this.spans, suggestions: this.suggestions, active: this.active });
    this.#after = [];
    this.#set(spans, this.#stays ? this.#untaken(spans) : suggestions, active);
  }

  #set(spans, suggestions, active) {
    this.spans = spans;
    this.suggestions = suggestions;
    if (active) this.select(active, active);
    else this.active = null;
  }

  // Add spans in place of those that cannot stand beside them.
  #put(added, without = null) {
    const rest = this.spans.filter((span) => span !== without);
    const kept = rest.filter((span) => !added.some((one) => this.#excludes(one, span)));
    const left = this.suggestions.filter(
      (other) =>
        other !== without && !added.some((one) => isSamePlace(one, other) || this.#excludes(one, other)),
    );
    this.#change([...kept, ...added].sort(byPlace), left, added[0]);
    return rest.length - kept.length;
  }

  // Give the selection a label: a span that is active gets another one, a suggestion is accepted with it.
  mark(label) {
    if (!this.selection) return null;
    const span = Object.freeze({ ...this.selection, label });
    const standing = this.#overlaps ? null : this.spans.find((one) => isSamePlace(one, span));
    const before = this.spans.includes(this.active) ? this.active : standing;
    if (before && same(before, span)) return 0;
    return this.#put([span], before ?? null);
  }

  remove() {
    if (!this.active || (this.#stays && this.isSuggestion(this.active))) return false;
    const gone = this.active;
    const keep = (one) => one !== gone;
    this.#change(this.spans.filter(keep), this.suggestions.filter(keep), null);
    return true;
  }

  // Move an edge of the active span, or of the selection, by a stop; false where it cannot go there.
  resize(edge, step) {
    const old = this.active ?? this.selection;
    if (!old) return false;
    const { stops } = this.#places;
    const next = stops[this.#places.stopAt(edge === "start" ? old.start : old.end - 1) + step];
    if (!next) return false;
    const place = { start: old.start, end: old.end, [edge]: next[edge] };
    if (place.start >= place.end) return false;
    if (!this.active) {
      this.select(place);
      return true;
    }
    const span = Object.freeze({ ...place, label: old.label });
    if (this.spans.some((one) => one !== old && this.#excludes(one, span))) return false;
    this.#put([span], old);
    return true;
  }

  // Accept suggestions as they are; return how many.
  accept(some) {
    const taken = this.#beside(some, this.#stays ? [] : this.spans);
    if (taken.length) this.#put(taken);
    return taken.length;
  }

  // Mark these and nothing else.
  replace(some) {
    this.#change(this.#beside(some, []).sort(byPlace), this.suggestions, null);
  }

  // Those that can stand beside the spans and beside each other, of two the first.
  #beside(some, spans) {
    const taken = [];
    for (const { start, end, label } of some) {
      const span = Object.freeze({ start, end, label });
      if (![...spans, ...taken].some((one) => this.#excludes(one, span))) taken.push(span);
    }
    return taken;
  }

  // Give the label of the active span to every other place with the same words; return how many there are.
  everywhere() {
    if (!this.spans.includes(this.active)) return null;
    const { label } = this.active;
    return this.add(this.#places.others(this.active).map((place) => ({ ...place, label })));
  }

  // Mark what can stand beside what is marked, and leave the selection where it is; return how many.
  add(some) {
    const { selection, active } = this;
    const fresh = this.#beside(some, this.spans);
    if (fresh.length) this.#put(fresh);
    if (fresh.length) this.select(selection, active);
    return fresh.length;
  }

  undo() {
    return this.#travel(this.#before, this.#after);
  }

  redo() {
    return this.#travel(this.#after, this.#before);
  }

  #travel(from, to) {
    const state = from.pop();
    if (!state) return false;
    to.push({ spans: this.spans, suggestions: this.suggestions, active: this.active });
    this.#set(state.spans, state.suggestions, state.active);
    return true;
  }
}

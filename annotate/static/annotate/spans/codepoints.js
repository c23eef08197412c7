// Places in a text are Unicode code points, as everywhere on the site; a browser counts UTF-16 units. Only this
// module knows of units.

// What Python's `str.strip` takes for a blank, which is not quite what `\s` is.
const BLANK = /^(?!\uFEFF)[\s\x1C-\x1F\x85]$/u;

// Return the unit at which each code point begins, and the end; null where both are the same.
function unitsOf(text) {
  const points = [...text];
  if (points.length === text.length) return null;
  const units = new Uint32Array(points.length + 1);
  points.forEach((point, i) => (units[i + 1] = units[i] + point.length));
  return units;
}

export class TextPlaces {
  #node; // one text node: it is never split
  #text;
  #units;

  // `unit` is what keys and the mouse go by: "word", or "grapheme" for characters.
  constructor(node, unit = "word") {
    this.#node = node;
    this.#text = node.data;
    this.#units = unitsOf(this.#text);
    this.length = this.#units ? this.#units.length - 1 : this.#text.length;
    this.unit = unit;
    this.stops = this.#cut(unit);
  }

  // The pieces between blanks and boundaries, [start, end) each: where a cursor can stand.
  #cut(granularity) {
    const pieces = new Intl.Segmenter(document.documentElement.lang || undefined, { granularity });
    const stops = [];
    for (const { index, segment } of pieces.segment(this.#text)) {
      const place = this.#trimmed(index, index + segment.length);
      if (place) stops.push(place);
    }
    return stops;
  }

  #unit(point) {
    return this.#units ? this.#units[point] : point;
  }

  // The code point that a unit is in: of one inside a pair, the point that it halves.
  #point(unit) {
    if (!this.#units) return Math.min(unit, this.length);
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#units[middle] <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #trimmed(startUnit, endUnit) {
    let [start, end] = [startUnit, endUnit];
    while (start < end && BLANK.test(this.#text[start])) start += 1;
    while (start < end && BLANK.test(this.#text[end - 1])) end -= 1;
    return start < end ? { start: this.#point(start), end: this.#point(end) } : null;
  }

  slice({ start, end }) {
    return this.#text.slice(this.#unit(start), this.#unit(end));
  }

  // A place without the blanks at its edges; null where it holds nothing else.
  trimmed({ start, end }) {
    return this.#trimmed(this.#unit(start), this.#unit(end));
  }

  range({ start, end }) {
    const range = document.createRange();
    range.setStart(this.#node, this.#unit(start));
    range.setEnd(this.#node, this.#unit(end));
    return range;
  }

  // The place of what the browser has selected; null where that is none, or not in this text.
  selected(selection) {
    if (!selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    if (!range.intersectsNode(this.#node)) return null;
    const start = range.startContainer === this.#node ? range.startOffset : 0;
    const end = range.endContainer === this.#node ? range.endOffset : this.#text.length;
    const [from, to] = [this.#point(start), this.#point(end)];
    // What ends inside a pair takes it whole.
    return { start: from, end: this.#unit(to) < end ? to + 1 : to };
  }

  // The code point under a point of the screen; null where that is no place of this text.
  under(x, y) {
    const caret = document.caretPositionFromPoint?.(x, y);
    const [node, offset] = caret
      ? [caret.offsetNode, caret.offset]
      : this.#caretOfOlderBrowsers(x, y);
    return node === this.#node ? this.#point(offset) : null;
  }

  #caretOfOlderBrowsers(x, y) {
    const range = document.caretRangeFromPoint?.(x, y);
    return range ? [range.startContainer, range.startOffset] : [null, 0];
  }

  // The number of the stop that a code point is in, or of the next one; the number of stops behind the last.
  stopAt(point) {
    let [low, high] = [0, this.stops.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.stops[middle].end > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  // The smallest run of whole stops around a place; null where it touches none.
  snapped({ start, end }) {
    const first = this.stopAt(start);
    const last = this.stopAt(Math.max(start, end - 1));
    const until = this.stops[last]?.start < end || first === last ? last : last - 1;
    if (!this.stops[first] || until < first || (end > start && this.stops[first].start >= end)) return null;
    return { start: this.stops[first].start, end: this.stops[until].end };
  }

  // Every other place that has the same words, at the edges of stops.
  others(place) {
    return this.placesOf(this.slice(place)).filter((other) => other.start !== place.start);
  }

  // Every place that has these words, at the edges of stops.
  placesOf(words) {
    const found = [];
    for (let at = this.#text.indexOf(words); at >= 0; at = this.#text.indexOf(words, at + 1)) {
      const place = { start: this.#point(at), end: this.#point(at + words.length) };
      if (this.#begins(place.start) && this.#ends(place.end)) found.push(place);
    }
    return found;
  }

  #begins(point) {
    return this.stops[this.stopAt(point)]?.start === point;
  }

  #ends(point) {
    return this.stops[this.stopAt(point - 1)]?.end === point;
  }
}

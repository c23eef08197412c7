// Fuzzy search among label names: letters in order are enough, better places rank first.

export function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[_\-/.]+/g, " ");
}

// Higher is better, -1 is no match. Exact, then prefix, initials, word start, anywhere, letters in order.
export function score(query, name) {
  const wanted = fold(query).trim();
  const text = fold(name);
  if (!wanted) return 0;
  if (text === wanted) return 1000;
  if (text.startsWith(wanted)) return 900 - text.length / 100;
  if (initials(text).startsWith(wanted)) return 850 - text.length / 100;
  const at = text.indexOf(wanted);
  if (at > 0) return (text[at - 1] === " " ? 800 : 700) - at / 10 - text.length / 100;
  return scattered(wanted.replaceAll(" ", ""), text);
}

function initials(text) {
  return text.split(" ").map((word) => [...word][0] ?? "").join("");
}

function scattered(wanted, text) {
  let from = 0;
  let starts = 0;
  let gaps = 0;
  for (const letter of wanted) {
    const at = text.indexOf(letter, from);
    if (at < 0) return -1;
    if (at === 0 || text[at - 1] === " ") starts += 1;
    gaps += at - from;
    from = at + letter.length;
  }
  return 500 + 10 * starts - gaps;
}

// Return the indices of the names that match, the best first; equal ones keep their order.
export function rank(query, names) {
  return names
    .map((name, index) => ({ index, value: score(query, name) }))
    .filter((match) => match.value >= 0)
    .sort((a, b) => b.value - a.value || a.index - b.index)
    .map((match) => match.index);
}

// How many of the matches have a digit as their key.
export const WITH_DIGIT = 5;

// The words to which the project's lead has given a label. They are here before somebody asks, so that no key waits for
// the network, and are asked for again whenever they were used.

let entries = []; // [words, label], the longest words first

const at = document.querySelector("[data-words]")?.dataset.words;

async function refresh() {
  try {
    const response = await fetch(at, { redirect: "manual" });
    if (response.ok) ({ entries } = await response.json());
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the network is gone: what is here serves
  }
}

// Where the words of the dictionary stand in a text, the longest first.
export function found(places) {
  const there = entries.flatMap(([words, label]) => places.placesOf(words).map((place) => ({ ...place, label })));
  refresh();
  return there;
}

if (at) refresh();

// What this browser keeps for the site. Where it stores nothing, as in some private windows or when its store
// is full, things are kept in this page's memory: they outlive the network, though not the page.

const memory = new Map();

function stored(work, otherwise) {
  try {
    return work(localStorage);
  } catch (error) {
    // NB: a refused store raises when it is only named (DOMException), or is null (TypeError).
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    return otherwise;
  }
}

export function keep(key, value) {
  const isStored = stored((store) => {
    store.setItem(key, value);
    return true;
  }, false);
  if (isStored) memory.delete(key);
  else memory.set(key, value);
}

// Whether something would be lost with this page.
export function holdsInMemory(prefix) {
  return [...memory.keys()].some((key) => key.startsWith(prefix));
}

export function read(key) {
  return memory.get(key) ?? stored((store) => store.getItem(key), null);
}

export function remove(key) {
  memory.delete(key);
  stored((store) => store.removeItem(key));
}

// Return the keys that begin with `prefix`, in order.
export function keys(prefix) {
  const all = [...stored((store) => Object.keys(store), []), ...memory.keys()];
  return [...new Set(all)].filter((key) => key.startsWith(prefix)).sort();
}

// Offer what stands under the keys, each a list of named values, as a file.
export function saveCopy(name, some) {
  const entries = some.map((key) => Object.fromEntries(JSON.parse(read(key) ?? "[]")));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(entries, null, 2)], { type: "application/json" }));
  link.download = `winnow-${name}.json`;
  link.click();
}

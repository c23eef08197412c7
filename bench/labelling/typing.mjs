// How many letters of each name the page's finder wants, by its own search: node typing.mjs SEARCH.JS < names.json

import { readFileSync } from "node:fs";

const { rank, WITH_DIGIT = 1, fold } = await import(process.argv[2]);
const names = JSON.parse(readFileSync(0, "utf8"));

// A person types the name from its beginning until a key takes it.
function letters(name, place) {
  const typed = fold(name);
  for (let length = 1; length <= typed.length; length += 1) {
    const part = typed.slice(0, length);
    const at = rank(part, names).indexOf(place);
    // Enter takes the first; a digit takes another, except where a name goes on with that digit.
    if (at === 0 || (at > 0 && at < WITH_DIGIT && !rank(part + (at + 1), names).length)) return length;
  }
  return typed.length + rank(typed, names).indexOf(place); // arrows to a name that others begin with
}

console.log(JSON.stringify(names.map(letters)));

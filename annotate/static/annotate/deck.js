// The cards that this page holds behind the one on the screen, built and ready to be shown.

export class Deck {
  #cards = []; // in the order in which they will be shown
  #returned = new Set(); // let go unseen, until the server knows
  #labels; // the mark of the labels that the cards show

  constructor(labels) {
    this.#labels = labels;
  }

  get keys() {
    return this.#cards.map((card) => card.dataset.card);
  }

  take() {
    return this.#cards.shift() ?? null;
  }

  // Put a card that was on the screen in front of the others.
  putBack(card) {
    this.#cards.unshift(card);
  }

  // Let cards go that nobody has seen. With `isMine`, the server is told to give them to the next who asks.
  drop(keys, { isMine = true } = {}) {
    const gone = new Set(keys);
    for (const key of this.keys) if (isMine && gone.has(key)) this.#returned.add(key);
    this.#cards = this.#cards.filter((card) => !gone.has(card.dataset.card));
  }

  // Take over what the server says; `known` are cards that the page has elsewhere. Return the rest of the news:
  // a sentence about the decision, and a card that says why there is none.
  takeOver(text, known) {
    const news = new DOMParser().parseFromString(text, "text/html").querySelector("#deck");
    if (!news) return { sentence: "", empty: null };
    const words = (name) => news.dataset[name].split(" ").filter(Boolean);
    this.#labels = news.dataset.labels;
    this.drop(words("dropped"));
    for (const key of words("returned")) this.#returned.delete(key);
    const held = new Set([...known, ...this.keys]);
    const cards = [...news.querySelectorAll("#card")].map((card) => document.adoptNode(card));
    this.#cards.push(...cards.filter((card) => card.dataset.card && !held.has(card.dataset.card)));
    return {
      sentence: news.querySelector("#deck > [role=alert]")?.textContent.trim() ?? "",
      empty: cards.find((card) => "empty" in card.dataset) ?? null,
    };
  }

  // What a request tells the server about the cards of this page.
  fields(shown, decided = []) {
    return [
      ["deck", "1"],
      ["mark", this.#labels],
      ["shown", shown],
      ["ahead", this.keys.filter((key) => key !== shown).join(" ")],
      ["decided", decided.join(" ")],
      ["returned", [...this.#returned].join(" ")],
    ];
  }
}

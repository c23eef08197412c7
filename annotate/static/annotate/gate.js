// The gate decides whether an input may act on the card: only what came after its text was painted.

const POINTER_PAUSE = 300; // a double click's second half falls on the next card's button

export class Gate {
  #openedAt = Infinity;
  #turn = 0;

  get isOpen() {
    return this.#openedAt < Infinity;
  }

  close() {
    this.#turn += 1;
    this.#openedAt = Infinity;
  }

  // Two frames: the first callback runs before the new text is painted, the second one after.
  openAfterPaint(then) {
    this.close();
    const turn = this.#turn;
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (turn !== this.#turn) return;
        this.#openedAt = performance.now();
        then();
      }),
    );
  }

  admitsKey(event) {
    return !event.repeat && this.admitsMove(event);
  }

  // What only moves may come again while a key is held.
  admitsMove(event) {
    return event.timeStamp >= this.#openedAt;
  }

  admitsClick(event) {
    if (event.detail === 0) return this.isOpen; // a key or a program pressed the button
    return event.detail === 1 && event.timeStamp >= this.#openedAt + POINTER_PAUSE;
  }
}

// Seconds that a card was in sight: time with the page in the background is nobody's work.

export class Stopwatch {
  #startedAt = 0;
  #before = 0;

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#before = this.seconds();
      this.#startedAt = performance.now();
    });
  }

  start() {
    this.#before = 0;
    this.#startedAt = performance.now();
  }

  seconds() {
    const running = document.hidden ? 0 : (performance.now() - this.#startedAt) / 1000;
    return this.#before + running;
  }
}

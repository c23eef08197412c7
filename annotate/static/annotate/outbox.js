// Decisions wait here until the server has acknowledged them: in this browser, in order, over a reload.

import * as storage from "./storage.js";

const PATIENCE = 15000;
const RETRY_FROM = 1000;
const RETRY_TO = 10000;
const TAKEN = new Set([200, 422]); // 422: the server refuses this decision for good and says why

// The first is the one of a site with HTTPS; the other may be left from before.
const CSRF_COOKIES = ["__Host-csrftoken=", "csrftoken="];

export function csrfToken() {
  const cookies = document.cookie.split("; ");
  const name = CSRF_COOKIES.find((known) => cookies.some((part) => part.startsWith(known)));
  const cookie = name && cookies.find((part) => part.startsWith(name));
  return cookie?.slice(name.length) ?? document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

function problemOf(response) {
  if (response.type === "opaqueredirect" || response.status === 403) return "login";
  return response.status === 404 ? "refused" : "server";
}

export class Outbox {
  #prefix;
  #owner;
  #url;
  #onAnswer;
  #onChange;
  #delay = RETRY_FROM;
  #timer = 0;
  #sending = null;
  #count = 0;
  problem = "";

  constructor({ owner, project, url, onAnswer, onChange }) {
    this.#prefix = `winnow/outbox/${owner}/${project}/`;
    this.#owner = owner;
    this.#url = url;
    this.#onAnswer = onAnswer;
    this.#onChange = onChange;
  }

  get size() {
    return storage.keys(this.#prefix).length;
  }

  add(fields) {
    // One entry per decision, so that two tabs never overwrite each other's.
    const key = `${this.#prefix}${String(Date.now()).padStart(15, "0")}-${String(this.#count++).padStart(6, "0")}`;
    storage.keep(key, JSON.stringify(fields));
  }

  flush() {
    this.#sending ??= this.#locked(() => this.#sendAll()).finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  #locked(work) {
    return navigator.locks ? navigator.locks.request(this.#prefix, work) : work();
  }

  async #sendAll() {
    clearTimeout(this.#timer);
    for (let [key] = storage.keys(this.#prefix); key; [key] = storage.keys(this.#prefix)) {
      const answer = await this.#send(JSON.parse(storage.read(key) ?? "[]"));
      if (!answer) break;
      storage.remove(key);
      this.#delay = RETRY_FROM;
      if (this.size === 0 || answer.status === 422) this.#onAnswer(answer.html);
      if (answer.status === 422) break;
    }
    this.#onChange(this);
    if (this.size) this.#retryLater();
  }

  async #send(fields) {
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        body: new URLSearchParams([...fields, ["owner", this.#owner]]),
        headers: { "HX-Request": "true", "X-CSRFToken": csrfToken() },
        redirect: "manual",
        signal: AbortSignal.timeout(PATIENCE),
      });
      this.problem = TAKEN.has(response.status) ? "" : problemOf(response);
      return this.problem ? null : { html: await response.text(), status: response.status };
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      this.problem = "network";
      return null;
    }
  }

  #retryLater() {
    this.#timer = setTimeout(() => this.flush(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, RETRY_TO);
  }
}

// Decisions wait here until the server has acknowledged them: in this browser, in order, over a reload.

import * as storage from "./storage.js";

const PATIENCE = 15000;
const RETRY_FROM = 1000;
const RETRY_TO = 10000;
const TAKEN = new Set([200, 422]); // 422: the server refuses this decision for good and says why
const LATER = new Set([408, 425, 429]); // and everything from 500 on: the same again may be taken

// The first is the one of a site with HTTPS; the other may be left from before.
const CSRF_COOKIES = ["__Host-csrftoken=", "csrftoken="];

export function csrfToken() {
  const cookies = document.cookie.split("; ");
  const name = CSRF_COOKIES.find((known) => cookies.some((part) => part.startsWith(known)));
  const cookie = name && cookies.find((part) => part.startsWith(name));
  return cookie?.slice(name.length) ?? document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

// What stands between a decision and the server, "" where it was taken. A page that somebody else put in the
// server's place, as a network's log-in page, has status 200 as well, but does not name the decision.
function problemOf(response, fields) {
  const { status } = response;
  if (TAKEN.has(status)) return response.headers.get("Winnow-Decision") === fields.get("card") ? "" : "server";
  if (response.type === "opaqueredirect" || status === 403) return "login";
  if (status === 404) return "refused";
  return status >= 400 && status < 500 && !LATER.has(status) ? "final" : "server";
}

// The sentence with which the server refuses a decision, from the card that it sends along.
function sentenceOf(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  return (page.querySelector("[role=alert]") ?? page.body).textContent.trim();
}

// All decisions of one person that wait in this browser, by project; with "refused", those that the server refused
// for good, which stay until their person has saved or dismissed them.
export function waitingOf(owner, room = "outbox") {
  const prefix = `winnow/${room}/${owner}/`;
  const projects = new Map();
  for (const key of storage.keys(prefix)) {
    const project = key.slice(prefix.length).split("/")[0];
    projects.set(project, [...(projects.get(project) ?? []), key]);
  }
  return projects;
}

export class Outbox {
  #prefix;
  #owner;
  #url;
  #onAnswer;
  #onChange;
  #beside;
  #delay = RETRY_FROM;
  #timer = 0;
  #sending = null;
  #count = 0;
  problem = "";

  // `beside` gives further fields of a decision as it is sent, from the cards of those that wait behind it.
  constructor({ owner, project, url, onAnswer, onChange, beside = () => [] }) {
    this.#prefix = `winnow/outbox/${owner}/${project}/`;
    this.#owner = owner;
    this.#url = url;
    this.#onAnswer = onAnswer;
    this.#onChange = onChange;
    this.#beside = beside;
  }

  get size() {
    return storage.keys(this.#prefix).length;
  }

  // The keys of the cards whose decisions wait.
  get cards() {
    return storage.keys(this.#prefix).map((key) => this.#read(key).get("card"));
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
      const fields = this.#read(key);
      for (const field of this.#beside(this.cards.filter((card) => card !== fields.get("card")))) {
        fields.append(...field);
      }
      const answer = await this.#send(this.#url, fields);
      if (!answer) break;
      this.#letGo(key, answer);
      this.#delay = RETRY_FROM;
      this.#onAnswer(answer.text);
    }
    this.#onChange(this);
    if (this.size) this.#retryLater();
  }

  // Take away what the server has; of what it refused for good, a copy stays beside its sentence.
  #letGo(key, { text, status }) {
    if (status === 422) {
      const copy = [...JSON.parse(storage.read(key)), ["refused", sentenceOf(text)]];
      storage.keep(key.replace("/outbox/", "/refused/"), JSON.stringify(copy));
    }
    storage.remove(key);
  }

  #read(key) {
    return new URLSearchParams([...JSON.parse(storage.read(key) ?? "[]"), ["owner", this.#owner]]);
  }

  // Send what waits to another address, which keeps it for the project's leads; return what the server said.
  handOn(url) {
    return this.#locked(async () => {
      const said = new Set();
      for (const key of storage.keys(this.#prefix)) {
        const answer = await this.#send(url, this.#read(key));
        if (!answer) break;
        this.#letGo(key, answer);
        said.add(sentenceOf(answer.text));
      }
      return [...said];
    });
  }

  async #send(url, fields) {
    try {
      const response = await fetch(url, {
        method: "POST",
        body: fields,
        headers: { "HX-Request": "true", "X-CSRFToken": csrfToken() },
        redirect: "manual",
        signal: AbortSignal.timeout(PATIENCE),
      });
      this.problem = problemOf(response, fields);
      return this.problem ? null : { text: await response.text(), status: response.status };
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

/** Files on their way to the server: a few at a time, each a job of its own, with the bytes really sent as progress. */

import { address, headers, refused } from "./api.js";

const AT_ONCE = 3;
const FULL_PAUSE_S = 5;

/** Dispatches "change", and "job" with `detail` `{view, file}` for each that has become one. */
export class Uploads extends EventTarget {
  #items = [];

  /** Return what is not a job yet: `{name, sent, state, reason}`, `state` "waiting", "sending" or "refused". */
  get items() {
    return this.#items;
  }

  add(files, options) {
    const made = [...files].map((file) => ({ file, name: file.name, options, once: random(), sent: 0, state: "waiting" }));
    this.#items.push(...made);
    this.#go();
  }

  drop(item) {
    item.request?.abort();
    clearTimeout(item.timer);
    this.#items = this.#items.filter((other) => other !== item);
    this.#go();
  }

  #go() {
    const sending = this.#items.filter((item) => item.state === "sending").length;
    for (const item of this.#items.filter((each) => each.state === "waiting" && !each.timer).slice(0, AT_ONCE - sending)) {
      item.state = "sending";
      this.#send(item);
    }
    this.dispatchEvent(new Event("change"));
  }

  #send(item) {
    const form = new FormData();
    form.append("file", item.file, item.name);
    form.append("options", JSON.stringify(item.options));
    const request = new XMLHttpRequest(); // fetch tells nothing of what was sent so far
    item.request = request;
    request.open("POST", address("api/v1/jobs"));
    for (const [name, value] of Object.entries(headers({ "Idempotency-Key": item.once }))) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => {
      item.sent = event.loaded / event.total;
      this.dispatchEvent(new Event("change"));
    });
    request.addEventListener("load", () => this.#answered(item, request));
    request.addEventListener("error", () => this.#refuse(item, "The server does not answer."));
    request.send(form);
  }

  #answered(item, request) {
    if (request.status === 202) {
      const { jobs = [JSON.parse(request.responseText)] } = JSON.parse(request.responseText);
      this.#items = this.#items.filter((other) => other !== item);
      for (const view of jobs) this.dispatchEvent(new CustomEvent("job", { detail: { view, file: item.file } }));
      this.#go();
      return;
    }
    const problem = refused(request.status, request.responseText, request.getResponseHeader("Retry-After"));
    if (request.status === 429) this.#later(item, problem.retryAfterS || FULL_PAUSE_S);
    else this.#refuse(item, problem.message);
  }

  #later(item, seconds) {
    item.state = "waiting";
    item.reason = "The queue is full; this one is sent when there is a place.";
    item.timer = setTimeout(() => {
      item.timer = null;
      this.#go();
    }, seconds * 1000);
    this.#go();
  }

  #refuse(item, reason) {
    item.state = "refused";
    item.reason = reason;
    this.#go();
  }
}

/** Return what makes a repeated request find its first job again; crypto.randomUUID needs HTTPS. */
function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

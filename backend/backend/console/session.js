/** Signing in, with the console's password or with an API key, and out again. */

import { call, key, read, signs } from "./api.js";

/** Dispatches "in" when calls can be made, again after each sign-in, and "out". */
export class Session extends EventTarget {
  #dialog = document.querySelector("#session");
  #leave = document.querySelector("#leave");
  #password = false;

  constructor() {
    super();
    this.#dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.#dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#sign();
    });
    this.#leave.addEventListener("click", () => this.#out());
    signs.addEventListener("needed", () => this.#ask());
  }

  async start() {
    const told = await read("api/v1/session").catch(() => ({ required: false }));
    this.#password = told.required;
    if (told.required && !told.signed_in && !key.get()) this.#ask();
    else this.#in();
  }

  #in() {
    this.#leave.hidden = !(this.#password || key.get());
    this.dispatchEvent(new Event("in"));
  }

  #ask() {
    if (this.#dialog.open) return;
    const what = this.#password ? "Password" : "API key";
    this.#dialog.querySelector(".what").textContent = what;
    this.#dialog.querySelector(".why").textContent = `This server asks for ${this.#password ? "a password" : "an API key"}.`;
    this.#dialog.querySelector(".wrong").textContent = "";
    this.#dialog.querySelector("input").value = "";
    this.#dialog.showModal();
  }

  async #sign() {
    const given = this.#dialog.querySelector("input").value;
    const button = this.#dialog.querySelector("button");
    button.disabled = true;
    try {
      if (this.#password) await call("api/v1/session", { method: "POST", json: { password: given } });
      else {
        key.set(given);
        await read("api/v1/jobs?limit=1");
      }
      this.#dialog.close();
      this.#in();
    } catch (error) {
      if (!this.#password) key.drop();
      const wait = error.retryAfterS ? ` Try again in ${error.retryAfterS} s.` : "";
      const wrong = this.#password ? "This is not the password." : "This is no key of this server.";
      this.#dialog.querySelector(".wrong").textContent = error.status === 401 ? wrong : error.message + wait;
      this.#dialog.querySelector("input").select();
    } finally {
      button.disabled = false;
    }
  }

  async #out() {
    if (this.#password) await call("api/v1/session", { method: "DELETE" }).catch(() => {});
    key.drop();
    this.#leave.hidden = true;
    this.dispatchEvent(new Event("out"));
    this.#ask();
  }
}

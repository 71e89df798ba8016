/** Before and after, one over the other, with a line between that goes where it is pulled. */

import { make } from "./dom.js";

export class BeforeAfter extends HTMLElement {
  #before = make("img", { alt: "Before", draggable: false });
  #after = make("img", { alt: "After", className: "after", draggable: false });
  #range = make("input", { type: "range", min: 0, max: 100, value: 50, step: 0.5, "aria-label": "How much of the picture is shown as before" });

  connectedCallback() {
    const marks = [make("span", { className: "mark left" }, "Before"), make("span", { className: "mark right" }, "After")];
    this.replaceChildren(this.#before, this.#after, ...marks, make("span", { className: "line" }), this.#range);
    this.#range.addEventListener("input", () => this.#show());
    this.#show();
  }

  /** Show these two; null: none yet. */
  set pictures(urls) {
    this.toggleAttribute("empty", urls === null);
    [this.#before, this.#after].forEach((image, index) => {
      if (urls === null) image.removeAttribute("src");
      else image.src = urls[index];
    });
  }

  #show() {
    this.style.setProperty("--at", `${this.#range.value}%`);
    this.#range.setAttribute("aria-valuetext", `${Math.round(this.#range.value)} % before`);
  }
}

/** The regions as a list beside the picture: what was read, and whether it is erased. */

import { make, soon } from "./dom.js";
import { Regions } from "./canvas/regions.js";

/** Dispatches "rerun" and "look", the latter with `detail` the id of the region to show. */
export class RegionList extends HTMLElement {
  #regions = new Regions([]);
  #fixed = true;
  #hint = "";
  #rows = new Map();
  #draw = soon(() => this.#drawRows());
  #listener = null;

  connectedCallback() {
    const on = (action, done) => this.querySelector(`[data-action=${action}]`).addEventListener("click", done);
    on("all", () => this.#regions.all(true));
    on("none", () => this.#regions.all(false));
    on("rerun", () => this.dispatchEvent(new Event("rerun")));
    this.querySelector("select").addEventListener("change", (event) => {
      this.#regions.set(this.#regions.selected, { mask_mode: event.target.value || null });
    });
  }

  /** @param words what the button says: it erases for the first time, or again; @param hint what is said where nothing is */
  edit(regions, fixed, words, hint) {
    this.#listener?.abort();
    this.#listener = new AbortController();
    this.#regions = regions;
    this.#fixed = fixed;
    this.#hint = hint;
    for (const type of ["change", "select"]) regions.addEventListener(type, this.#draw, { signal: this.#listener.signal });
    this.querySelector("[data-action=rerun]").textContent = words;
    this.#rows.clear();
    this.#draw();
  }

  #drawRows() {
    const { list, selected } = this.#regions;
    const rows = list.map((region, index) => this.#row(region, index, region.id === selected));
    const kept = this.querySelector("ul");
    if (rows.length !== kept.children.length || rows.some((row, index) => row !== kept.children[index])) kept.replaceChildren(...rows);
    const erased = list.filter((region) => region.enabled).length;
    this.querySelector(".count").textContent = list.length ? `${erased} of ${list.length}` : "";
    for (const button of this.querySelectorAll("[data-action=all], [data-action=none]")) button.disabled = this.#fixed || !list.length;
    const rerun = this.querySelector("[data-action=rerun]");
    rerun.hidden = rerun.disabled = this.#fixed;
    this.querySelector(".hint").textContent = list.length ? "" : this.#hint;
    const region = this.#regions.get(selected);
    this.querySelector(".mode").hidden = !region || this.#fixed;
    this.querySelector("select").value = region?.mask_mode ?? "";
  }

  #row(region, index, selected) {
    if (!this.#rows.has(region.id)) this.#rows.set(region.id, this.#made(region.id));
    const row = this.#rows.get(region.id);
    const [box, text] = [row.querySelector("input"), row.querySelector("span")];
    box.checked = region.enabled;
    box.disabled = this.#fixed;
    text.textContent = region.text || (region.id.startsWith("drawn-") ? "Drawn by you" : `Area ${index + 1}`);
    row.classList.toggle("selected", selected);
    return row;
  }

  #made(id) {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => this.#regions.toggle(id));
    const row = make("li", {}, make("label", {}, box, make("span", {})));
    row.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && !this.#fixed && this.#regions.select(id));
    box.addEventListener("focus", () => this.dispatchEvent(new CustomEvent("look", { detail: id })));
    return row;
  }
}

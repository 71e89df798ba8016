/** The regions of a picture as they shall be, with all that was done to them; what is drawn of them is elsewhere. */

import { area } from "./shapes.js";

const MOST_STEPS = 200;
const LEAST_AREA_PX = 4; // smaller ones are slips of the hand

/** Dispatches "change", and "select" with the selected region's id or null. */
export class Regions extends EventTarget {
  #list;
  #past = [];
  #future = [];
  #saved;
  #number = 0;
  selected = null;

  /** @param list as `GET …/regions` gives them */
  constructor(list) {
    super();
    this.#list = this.#saved = list;
  }

  get list() {
    return this.#list;
  }

  get changed() {
    return this.#list !== this.#saved;
  }

  /** Take what it is now for what the server has. */
  saved() {
    this.#saved = this.#list;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  get(id) {
    return this.#list.find((region) => region.id === id);
  }

  select(id) {
    if (this.selected === id) return;
    this.selected = id;
    this.dispatchEvent(new CustomEvent("select", { detail: id }));
  }

  set(id, values) {
    this.#become(this.#list.map((region) => (region.id === id ? { ...region, ...values } : region)));
  }

  toggle(id) {
    this.set(id, { enabled: !this.get(id).enabled });
  }

  all(enabled) {
    this.#become(this.#list.map((region) => ({ ...region, enabled })));
  }

  /** Add what was drawn; it is erased as it was drawn, not only the letters in it. */
  add(polygons) {
    const large = polygons.filter((polygon) => Math.abs(area(polygon)) >= LEAST_AREA_PX);
    const made = large.map((polygon) => ({ id: this.#fresh(), polygon, text: "", enabled: true, mask_mode: "polygon" }));
    if (!made.length) return made;
    this.#become([...this.#list, ...made]);
    this.select(made.at(-1).id);
    return made;
  }

  remove(id) {
    this.#become(this.#list.filter((region) => region.id !== id));
    if (this.selected === id) this.select(null);
  }

  /** Put the polygons that `shapes` gives in the place of each region for which it does not give null. */
  reshape(shapes) {
    this.#become(this.#list.flatMap((region) => {
      const polygons = shapes(region);
      if (polygons === null) return [region];
      return polygons.map((polygon, index) => ({ ...region, polygon, id: index ? this.#fresh() : region.id }));
    }));
  }

  undo() {
    this.#step(this.#past, this.#future);
  }

  redo() {
    this.#step(this.#future, this.#past);
  }

  /** Return what a `PUT …/regions` takes. */
  told() {
    return this.#list.map(({ id, polygon, enabled, mask_mode = null, text }) => ({ id, polygon, enabled, mask_mode, text }));
  }

  #become(list) {
    this.#past = [...this.#past.slice(1 - MOST_STEPS), this.#list];
    this.#future = [];
    this.#show(list);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.#list);
    this.#show(from.pop());
    if (!this.get(this.selected)) this.select(null);
  }

  #show(list) {
    this.#list = list;
    this.dispatchEvent(new Event("change"));
  }

  #fresh() {
    const taken = new Set(this.#list.map((region) => region.id));
    do this.#number += 1;
    while (taken.has(`drawn-${this.#number}`));
    return `drawn-${this.#number}`;
  }
}

/** The picture with its regions on it. Draws them, and hands pointers to the tool and keys to `keys`. */

import { drawn, make, soon } from "../dom.js";
import { pressed } from "./keys.js";
import { Regions } from "./regions.js";
import { handles } from "./shapes.js";
import { TOOLS } from "./tools.js";

export class PictureEditor extends HTMLElement {
  regions = new Regions([]);
  size = { width: 1, height: 1 };
  brush = 32;
  #picture = make("img", { alt: "The picture as it was sent", draggable: false });
  #mask = make("div", { className: "mask", hidden: true });
  #svg = drawn("svg", { class: "regions", role: "group", "aria-label": "Boxes on the picture; arrow keys go from one to the next" });
  #boxes = drawn("g");
  #marks = drawn("g", { class: "marks" });
  #draft = drawn("polyline", { class: "draft" });
  #nodes = new Map();
  #tool = new TOOLS.select(this);
  #draw = soon(() => this.#drawRegions());
  #listener = null;

  connectedCallback() {
    this.#svg.append(this.#boxes, this.#draft, this.#marks);
    this.replaceChildren(this.#picture, this.#mask, this.#svg);
    this.#svg.addEventListener("pointerdown", (event) => this.#down(event));
    this.#svg.addEventListener("pointermove", (event) => this.#tool.move(this.#point(event), event));
    this.#svg.addEventListener("pointerup", (event) => this.#tool.up(this.#point(event), event));
    this.#svg.addEventListener("pointercancel", () => this.#tool.cancel());
    this.#svg.addEventListener("keydown", (event) => {
      if (!this.hasAttribute("fixed") && pressed(event, this)) event.preventDefault();
    });
    this.#svg.addEventListener("focusin", (event) => {
      const region = event.target.closest("[data-region]");
      if (region) this.regions.select(region.dataset.region);
    });
  }

  /** Show nothing until there is another picture. */
  clear() {
    this.toggleAttribute("empty", true);
    this.mask = null;
    this.edit(new Regions([]), true);
  }

  /** Show a picture of this size, in px. */
  show(url, size) {
    this.toggleAttribute("empty", false);
    this.size = size;
    this.#picture.src = url;
    this.#svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    this.#draw();
  }

  /** Show these regions, to be edited unless `fixed`. */
  edit(regions, fixed) {
    this.#listener?.abort();
    this.#listener = new AbortController();
    this.regions = regions;
    for (const type of ["change", "select"]) regions.addEventListener(type, this.#draw, { signal: this.#listener.signal });
    this.toggleAttribute("fixed", fixed);
    this.#tool.cancel();
    this.#draw();
  }

  /** @param url of the mask, white where it is erased; null hides it */
  set mask(url) {
    this.#mask.hidden = url === null;
    this.#mask.style.maskImage = url === null ? "" : `url("${url}")`;
  }

  set tool(name) {
    this.#tool.cancel();
    this.#tool = new TOOLS[name](this);
    this.dataset.tool = name;
  }

  /** Pixels of the screen for one of the picture. */
  get scale() {
    return this.#svg.getBoundingClientRect().width / this.size.width || 1;
  }

  /** How long a side must be, in the picture's pixels, to have a handle of its own. */
  get room() {
    return 48 / this.scale;
  }

  close() {
    this.#tool.close?.();
  }

  cancel() {
    this.#tool.cancel();
  }

  /** Redraw what has a size on the screen, after zooming. */
  refresh() {
    this.#draw();
  }

  /** Show what is being drawn: a polygon, or with `open` a line, or with `width` a stroke. */
  draft(points, { open = false, width = 0 } = {}) {
    this.#draft.setAttribute("points", (points ?? []).concat(points && !open && !width ? [points[0]] : []).join(" "));
    this.#draft.classList.toggle("stroke", width > 0);
    this.#draft.style.strokeWidth = width ? `${width}px` : "";
  }

  /** Focus a region, and bring it into sight; without one, the picture. */
  focusOn(id) {
    this.#drawRegions();
    const node = this.#nodes.get(id);
    if (!node) return;
    node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #down(event) {
    if (event.button !== 0 || this.hasAttribute("fixed")) return;
    this.#svg.setPointerCapture(event.pointerId);
    this.#tool.down(this.#point(event), event);
    if (this.dataset.tool !== "select") event.preventDefault();
  }

  #point(event) {
    const { left, top } = this.#svg.getBoundingClientRect();
    return [(event.clientX - left) / this.scale, (event.clientY - top) / this.scale];
  }

  #drawRegions() {
    const { list, selected } = this.regions;
    const ids = new Set(list.map((region) => region.id));
    for (const [id, node] of this.#nodes) {
      if (ids.has(id)) continue;
      node.remove();
      this.#nodes.delete(id);
    }
    const reached = ids.has(selected) ? selected : list[0]?.id;
    list.forEach((region, index) => {
      const node = this.#node(region);
      node.firstElementChild.setAttribute("points", region.polygon.join(" "));
      node.lastElementChild.setAttribute("points", region.polygon.join(" "));
      node.setAttribute("aria-checked", String(region.enabled));
      node.setAttribute("aria-label", region.text || `Area ${index + 1}`);
      node.setAttribute("tabindex", region.id === reached ? "0" : "-1");
      node.classList.toggle("selected", region.id === selected);
    });
    this.#drawHandles(selected);
  }

  #node(region) {
    if (!this.#nodes.has(region.id)) {
      const lines = [drawn("polygon", { class: "halo" }), drawn("polygon", { class: "outline" })];
      const node = drawn("g", { role: "checkbox", class: "region", "data-region": region.id }, ...lines);
      this.#nodes.set(region.id, node);
      this.#boxes.append(node);
    }
    return this.#nodes.get(region.id);
  }

  #drawHandles(selected) {
    const region = this.hasAttribute("fixed") ? null : this.regions.get(selected);
    const radius = 4.5 / this.scale;
    this.#marks.replaceChildren(...(region ? handles(region.polygon, this.room) : []).flatMap(({ point: [cx, cy] }, index) => [
      drawn("circle", { cx, cy, r: radius * 2.4, class: "grip", "data-handle": index }),
      drawn("circle", { cx, cy, r: radius, class: "handle", "data-handle": index }),
    ]));
  }
}

/** What a pointer does on the picture, tool by tool. Each has `down`, `move` and `up`, with points in its pixels. */

import { handles, inside, moved, pulled, rectangle } from "./shapes.js";
import { painted, wiped } from "./strokes.js";

const CLICK_PX = 4; // on the screen: a pointer that goes less far has clicked
const LEAST_PX = 3; // of a box in the picture

class Tool {
  constructor(editor) {
    this.editor = editor;
  }

  get regions() {
    return this.editor.regions;
  }

  down() {}

  move() {}

  up() {}

  cancel() {
    this.editor.draft(null);
  }
}

/** Switches a region that is clicked, moves one that is dragged, and pulls the selected one's handles. */
class Select extends Tool {
  down(point, event) {
    const handle = event.target.dataset.handle;
    const id = event.target.closest?.("[data-region]")?.dataset.region ?? (handle ? this.regions.selected : null);
    const region = id && this.regions.get(id);
    this.at = region ? { id, point, handle: handle && handles(region.polygon, this.editor.room)[handle], from: region.polygon, polygon: null } : null;
    if (!region) this.regions.select(null);
  }

  move(point) {
    if (!this.at) return;
    const { handle, from, point: start } = this.at;
    const away = Math.hypot(point[0] - start[0], point[1] - start[1]) * this.editor.scale;
    if (away < CLICK_PX && !this.at.polygon) return;
    this.regions.select(this.at.id);
    const [dx, dy] = [point[0] - start[0], point[1] - start[1]];
    this.at.polygon = handle ? pulled(from, handle, inside(point, this.editor.size)) : moved(from, dx, dy, this.editor.size);
    this.editor.draft(this.at.polygon);
  }

  up(point, event) {
    const done = this.at;
    this.at = null;
    this.editor.draft(null);
    if (!done) return;
    if (done.polygon) this.regions.set(done.id, { polygon: done.polygon });
    else if (!event.shiftKey && !done.handle) this.regions.toggle(done.id);
    this.editor.focusOn(done.id);
  }

  cancel() {
    this.at = null;
    super.cancel();
  }
}

class Box extends Tool {
  down(point) {
    this.from = inside(point, this.editor.size);
  }

  move(point) {
    if (this.from) this.editor.draft(rectangle(this.from, inside(point, this.editor.size)));
  }

  up(point) {
    if (!this.from) return;
    const to = inside(point, this.editor.size);
    const large = Math.abs(to[0] - this.from[0]) >= LEAST_PX && Math.abs(to[1] - this.from[1]) >= LEAST_PX;
    if (large) this.regions.add([rectangle(this.from, to)]);
    this.cancel();
  }

  cancel() {
    this.from = null;
    super.cancel();
  }
}

/** A corner a click; the first one again, a double click or Enter closes it. */
class Polygon extends Tool {
  points = [];

  down(point) {
    const at = inside(point, this.editor.size);
    const near = (other) => Math.hypot(other[0] - at[0], other[1] - at[1]) * this.editor.scale < 2.5 * CLICK_PX;
    if (this.points.length > 2 && near(this.points[0])) this.close();
    else if (!this.points.length || !near(this.points.at(-1))) this.points.push(at);
    else this.close();
    this.editor.draft(this.points, { open: true });
  }

  move(point) {
    if (this.points.length) this.editor.draft([...this.points, inside(point, this.editor.size)], { open: true });
  }

  close() {
    if (this.points.length > 2) this.regions.add([this.points]);
    this.cancel();
  }

  cancel() {
    this.points = [];
    super.cancel();
  }
}

class Brush extends Tool {
  down(point) {
    this.points = [inside(point, this.editor.size)];
    this.#show();
  }

  move(point) {
    if (!this.points) return;
    this.points.push(inside(point, this.editor.size));
    this.#show();
  }

  up() {
    if (this.points) this.apply(this.points, this.editor.brush, this.editor.size);
    this.cancel();
  }

  apply(points, width, size) {
    this.regions.add(painted(points, width, size));
  }

  cancel() {
    this.points = null;
    super.cancel();
  }

  #show() {
    this.editor.draft(this.points, { width: this.editor.brush });
  }
}

class Rubber extends Brush {
  apply(points, width, size) {
    this.regions.reshape((region) => (region.enabled ? wiped(region.polygon, points, width, size) : null));
  }
}

export const TOOLS = { select: Select, box: Box, polygon: Polygon, brush: Brush, rubber: Rubber };

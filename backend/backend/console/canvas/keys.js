/** The keyboard on the picture: from box to box, switch, move, size, remove. */

import { bounds, moved, stretched } from "./shapes.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEPS = 250; // of the longer side

/** Do what a key on a region asks for; return whether it meant something. */
export function pressed(event, editor) {
  const { regions, size } = editor;
  const id = event.target.closest("[data-region]")?.dataset.region;
  const region = id && regions.get(id);
  if (!region || event.ctrlKey || event.metaKey) return false;
  const arrow = ARROWS[event.key];
  if (arrow) {
    const step = Math.max(1, Math.round(Math.max(size.width, size.height) / STEPS));
    const [dx, dy] = arrow.map((way) => way * step);
    if (event.altKey) regions.set(id, { polygon: moved(region.polygon, dx, dy, size) });
    else if (event.shiftKey) regions.set(id, { polygon: stretched(region.polygon, dx, dy, size) });
    else editor.focusOn(neighbor(regions.list, region, arrow));
    return true;
  }
  if (event.key === " " || event.key === "Enter") regions.toggle(id);
  else if (event.key === "Delete" || event.key === "Backspace") {
    const next = nearest(regions.list, region);
    regions.remove(id);
    editor.focusOn(next);
  } else return false;
  return true;
}

function neighbor(list, region, [ax, ay]) {
  const [x, y] = middle(region);
  let [found, least] = [region.id, Infinity];
  for (const other of list) {
    const [dx, dy] = [middle(other)[0] - x, middle(other)[1] - y];
    const [along, across] = [dx * ax + dy * ay, Math.abs(dx * ay) + Math.abs(dy * ax)];
    if (other.id === region.id || along <= 0) continue;
    if (along + 2 * across < least) [found, least] = [other.id, along + 2 * across];
  }
  return found;
}

function nearest(list, region) {
  const [x, y] = middle(region);
  const away = (other) => Math.hypot(middle(other)[0] - x, middle(other)[1] - y);
  const others = list.filter((other) => other.id !== region.id).sort((a, b) => away(a) - away(b));
  return others[0]?.id ?? null;
}

function middle({ polygon }) {
  const { left, right, top, bottom } = bounds(polygon);
  return [(left + right) / 2, (top + bottom) / 2];
}

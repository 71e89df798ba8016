/** From painted pixels to polygons, so that strokes of a brush are regions like all others. Pure. */

import { area, holds, simplified } from "./shapes.js";

const MOST_POINTS = 900; // the server takes 1000

/**
 * @param filled says of (x, y) whether it is painted; false outside
 * @returns polygons around what is painted, in pixels; one with holes goes along a cut to each of them and back
 */
export function traced(filled, width, height) {
  const all = loops(filled, width, height);
  const outer = all.filter((loop) => area(loop) > 0).map((outline) => ({ outline, holes: [] }));
  for (const hole of all.filter((loop) => area(loop) < 0)) {
    const around = outer.filter(({ outline }) => holds(outline, [hole[0][0] + 0.01, hole[0][1] + 0.01]) || holds(outline, middle(hole)));
    around.sort((a, b) => area(a.outline) - area(b.outline));
    around[0]?.holes.push(hole);
  }
  return outer.map(({ outline, holes }) => fitting(outline, holes)).filter((polygon) => polygon.length > 2);
}

function fitting(outline, holes) {
  for (let tolerance = 0.75; ; tolerance *= 1.5) {
    const parts = holes.map((hole) => simplified(hole, tolerance)).filter((hole) => hole.length > 2 && Math.abs(area(hole)) > 4);
    const polygon = parts.reduce(cut, simplified(outline, tolerance));
    if (polygon.length <= MOST_POINTS) return polygon;
  }
}

/** Return the outline that goes to the hole where both are nearest, around it and back. */
function cut(outline, hole) {
  let best = [0, 0, Infinity];
  outline.forEach(([ax, ay], from) => hole.forEach(([bx, by], to) => {
    const away = Math.hypot(ax - bx, ay - by);
    if (away < best[2]) best = [from, to, away];
  }));
  const [from, to] = best;
  return [...outline.slice(0, from + 1), ...hole.slice(to), ...hole.slice(0, to + 1), ...outline.slice(from)];
}

/** Return the borders between painted and not, with what is painted on the right. */
function loops(filled, width, height) {
  const edges = new Map();
  const add = (ax, ay, bx, by) => {
    const start = ay * (width + 1) + ax;
    edges.set(start, [...(edges.get(start) ?? []), [bx, by]]);
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!filled(x, y)) continue;
      if (!filled(x, y - 1)) add(x, y, x + 1, y);
      if (!filled(x + 1, y)) add(x + 1, y, x + 1, y + 1);
      if (!filled(x, y + 1)) add(x + 1, y + 1, x, y + 1);
      if (!filled(x - 1, y)) add(x, y + 1, x, y);
    }
  }
  const found = [];
  while (edges.size) found.push(walked(edges, width + 1));
  return found;
}

function walked(edges, across) {
  const [first] = edges.keys();
  const loop = [];
  let [at, before] = [first, null];
  do {
    const ways = edges.get(at);
    const [x, y] = [at % across, Math.floor(at / across)];
    const turn = ([bx, by]) => (before ? (x - before[0]) * (by - y) - (y - before[1]) * (bx - x) : 0);
    const way = ways.length === 1 ? ways[0] : ways.reduce((a, b) => (turn(b) > turn(a) ? b : a));
    if (ways.length === 1) edges.delete(at);
    else edges.set(at, ways.filter((other) => other !== way));
    loop.push([x, y]);
    before = [x, y];
    at = way[1] * across + way[0];
  } while (at !== first);
  return loop;
}

function middle(points) {
  const sum = points.reduce(([sx, sy], [x, y]) => [sx + x, sy + y], [0, 0]);
  return sum.map((value) => value / points.length);
}

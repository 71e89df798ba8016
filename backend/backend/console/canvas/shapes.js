/** Polygons in pixels of the picture, `[[x, y], …]`. Pure. */

export function bounds(polygon) {
  const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  const [left, top, right, bottom] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  return { left, top, right, bottom, width: right - left, height: bottom - top };
}

export function rectangle([ax, ay], [bx, by]) {
  const [left, right, top, bottom] = [Math.min(ax, bx), Math.max(ax, bx), Math.min(ay, by), Math.max(ay, by)];
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

export function upright(polygon) {
  const { left, top, right, bottom } = bounds(polygon);
  const corner = ([x, y]) => (x === left || x === right) && (y === top || y === bottom);
  return polygon.length === 4 && polygon.every(corner);
}

/** Return the polygon moved, as far as it stays on the picture. */
export function moved(polygon, dx, dy, { width, height }) {
  const { left, top, right, bottom } = bounds(polygon);
  const x = Math.max(-left, Math.min(dx, width - right));
  const y = Math.max(-top, Math.min(dy, height - bottom));
  return polygon.map(([px, py]) => [round(px + x), round(py + y)]);
}

/** Return the polygon stretched from its top left to be so much wider and higher, at least 2 px. */
export function stretched(polygon, dx, dy, { width, height }) {
  const { left, top, ...was } = bounds(polygon);
  const across = Math.max(2, Math.min(was.width + dx, width - left)) / (was.width || 1);
  const down = Math.max(2, Math.min(was.height + dy, height - top)) / (was.height || 1);
  return polygon.map(([x, y]) => [round(left + (x - left) * across), round(top + (y - top) * down)]);
}

/** Return where a polygon can be taken: a box at its corners and the middles of sides longer than `room`, else each point. */
export function handles(polygon, room = 0) {
  if (!upright(polygon)) return polygon.length > 40 ? [] : polygon.map((point, index) => ({ point, index }));
  const { left, top, right, bottom, width, height } = bounds(polygon);
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const places = [["left", "top"], [null, "top"], ["right", "top"], ["right", null], ["right", "bottom"], [null, "bottom"], ["left", "bottom"], ["left", null]];
  const at = { left, right, top, bottom };
  const shown = places.filter(([across, down]) => (across || width > room) && (down || height > room));
  return shown.map(([across, down]) => ({ point: [at[across] ?? x, at[down] ?? y], across, down }));
}

/** Return the polygon with that handle pulled to a point. */
export function pulled(polygon, handle, [x, y]) {
  if (handle.index !== undefined) return polygon.map((point, index) => (index === handle.index ? [round(x), round(y)] : point));
  const box = bounds(polygon);
  if (handle.across) box[handle.across] = round(x);
  if (handle.down) box[handle.down] = round(y);
  return rectangle([box.left, box.top], [box.right, box.bottom]);
}

export function inside([x, y], { width, height }) {
  return [round(Math.max(0, Math.min(x, width))), round(Math.max(0, Math.min(y, height)))];
}

/** Return the signed area, positive for clockwise on a screen. */
export function area(points) {
  return points.reduce((sum, [x, y], index) => {
    const [nextX, nextY] = points[(index + 1) % points.length];
    return sum + x * nextY - nextX * y;
  }, 0) / 2;
}

export function holds(polygon, [x, y]) {
  let within = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[ax, ay], [bx, by]] = [polygon[i], polygon[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}

/** Return fewer points, none further than `tolerance` from where the line was (Douglas and Peucker, 1973). */
export function simplified(points, tolerance) {
  if (points.length < 5) return points;
  const middle = Math.floor(points.length / 2);
  const halves = [points.slice(0, middle + 1), [...points.slice(middle), points[0]]];
  return halves.flatMap((half) => thinned(half, tolerance).slice(0, -1));
}

function thinned(line, tolerance) {
  const [first, last] = [line[0], line.at(-1)];
  let [furthest, distance] = [0, tolerance];
  for (let index = 1; index < line.length - 1; index++) {
    const away = fromLine(line[index], first, last);
    if (away > distance) [furthest, distance] = [index, away];
  }
  if (!furthest) return [first, last];
  return [...thinned(line.slice(0, furthest + 1), tolerance).slice(0, -1), ...thinned(line.slice(furthest), tolerance)];
}

function fromLine([x, y], [ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay);
  if (!length) return Math.hypot(x - ax, y - ay);
  return Math.abs((by - ay) * (x - ax) - (bx - ax) * (y - ay)) / length;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

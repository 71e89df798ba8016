/** What a brush paints and a rubber wipes, as polygons. */

import { bounds } from "./shapes.js";
import { traced } from "./tracing.js";

const MOST_PX = 1200; // of a side of the canvas that a stroke is painted on

/** Return the polygons of a stroke through these points. */
export function painted(points, width, size) {
  return shaped(points, width, size, (context) => line(context, points, width));
}

/** Return the polygons of what is left where a stroke has wiped, or null where it did not touch. */
export function wiped(polygon, points, width, size) {
  const before = shaped(polygon, 0, size, (context) => fill(context, polygon));
  const after = shaped(polygon, 0, size, (context) => {
    fill(context, polygon);
    context.globalCompositeOperation = "destination-out";
    line(context, points, width);
  });
  return JSON.stringify(before) === JSON.stringify(after) ? null : after;
}

function shaped(points, width, size, paint) {
  const box = bounds(points);
  const left = Math.max(0, Math.floor(box.left - width / 2) - 1);
  const top = Math.max(0, Math.floor(box.top - width / 2) - 1);
  const across = Math.min(size.width, Math.ceil(box.right + width / 2) + 1) - left;
  const down = Math.min(size.height, Math.ceil(box.bottom + width / 2) + 1) - top;
  if (across <= 0 || down <= 0) return [];
  const scale = Math.min(1, MOST_PX / Math.max(across, down));
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(across * scale);
  canvas.height = Math.ceil(down * scale);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
  paint(context);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const filled = (x, y) => x >= 0 && y >= 0 && x < canvas.width && y < canvas.height && data[4 * (y * canvas.width + x) + 3] > 127;
  return traced(filled, canvas.width, canvas.height).map((polygon) => polygon.map(([x, y]) => [left + x / scale, top + y / scale]));
}

function line(context, points, width) {
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...points[0]);
  for (const point of points) context.lineTo(...point);
  context.stroke();
}

function fill(context, polygon) {
  context.beginPath();
  for (const point of polygon) context.lineTo(...point);
  context.closePath();
  context.fill("evenodd");
}

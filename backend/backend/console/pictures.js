/** Pictures of jobs as object URLs: those that are open whole, of all others a thumbnail. */

import { bytes, jobPath } from "./api.js";

const THUMB_PX = 112;
const thumbs = new Map();

/** Return an object URL of a file, which whoever asks revokes, and the size of the picture in px. */
export async function open(path, signal) {
  const url = URL.createObjectURL(await bytes(path, { signal }));
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    signal.throwIfAborted();
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
  return { url, size: { width: image.naturalWidth, height: image.naturalHeight } };
}

/** Return an object URL of a small picture of the input that all versions share, made once. */
export function thumb(root, id) {
  if (!thumbs.has(root)) {
    const making = small(bytes(jobPath(id, "/input?page=1")))
      .catch(() => small(bytes(jobPath(id, "/preview?page=1")))) // of what no browser can show, such as a TIFF
      .catch(() => thumbs.delete(root) && null);
    thumbs.set(root, making);
  }
  return thumbs.get(root);
}

/** Make the thumbnail from the file that was just sent, without fetching it again. */
export function know(root, file) {
  if (file.type.startsWith("image/")) thumbs.set(root, small(Promise.resolve(file)).catch(() => thumbs.delete(root) && null));
}

/** Say whether the thumbnail is made, or in the making. */
export const knows = (root) => thumbs.has(root);

/** Forget all, as somebody else may sign in. */
export function forget() {
  thumbs.clear();
}

async function small(loading) {
  const bitmap = await createImageBitmap(await loading);
  const scale = THUMB_PX / Math.min(bitmap.width, bitmap.height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = THUMB_PX;
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d").drawImage(bitmap, (THUMB_PX - width) / 2, (THUMB_PX - height) / 2, width, height);
  bitmap.close();
  return URL.createObjectURL(await new Promise((resolve) => canvas.toBlob(resolve)));
}

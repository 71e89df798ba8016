/** Results as files on this machine: one, or several in a zip. */

import { bytes, jobPath } from "./api.js";
import { make } from "./dom.js";
import { zipped } from "./zip.js";

const ENDINGS = {
  "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/tiff": "tif", "application/pdf": "pdf", "application/zip": "zip",
};

export async function download(job) {
  const { name, blob } = await result(job);
  save(name, blob);
}

export async function downloadAll(jobs) {
  const entries = [];
  for (const job of jobs) entries.push(await result(job));
  save("cleanplate.zip", await zipped(entries));
}

async function result(job) {
  const blob = await bytes(jobPath(job.job_id, "/result"));
  const stem = (job.name || "picture").replace(/\.[^.]*$/, "");
  return { name: `${stem}-clean.${ENDINGS[blob.type] ?? "bin"}`, blob };
}

function save(name, blob) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be asking where to
}

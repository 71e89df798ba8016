/** The console: what the parts of the page have to do with each other. */

import { JobBench } from "./bench.js";
import { PictureEditor } from "./canvas/editor.js";
import { note } from "./dom.js";
import { DropZone } from "./dropzone.js";
import { JobList } from "./history.js";
import { Jobs } from "./jobs.js";
import { forget, know } from "./pictures.js";
import { JobProgress } from "./progress.js";
import { RegionList } from "./regionlist.js";
import { Session } from "./session.js";
import { BeforeAfter } from "./slider.js";
import { themed } from "./theme.js";
import { Uploads } from "./upload.js";

const ELEMENTS = {
  "before-after": BeforeAfter, "picture-editor": PictureEditor, "job-progress": JobProgress, "region-list": RegionList,
  "job-bench": JobBench, "job-list": JobList, "drop-zone": DropZone,
};

for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);

const [zone, list, bench] = ["drop-zone", "job-list", "job-bench"].map((name) => document.querySelector(name));
const [jobs, uploads, session] = [new Jobs(), new Uploads(), new Session()];
let alone = false; // whether one picture was added, which is then opened

function route() {
  const id = location.hash.match(/^#\/jobs\/([\w.-]+)$/)?.[1] ?? null;
  document.body.dataset.view = id ? "job" : "list";
  document.querySelector(".nothing").hidden = id !== null;
  bench.open(id);
  list.open = id;
}

zone.addEventListener("unwanted", () => note("Pictures and PDF files can be added, no others."));
zone.addEventListener("files", ({ detail: { files, options } }) => {
  alone = files.length === 1;
  uploads.add(files, options);
});
uploads.addEventListener("job", ({ detail: { view, file } }) => {
  know(view.job_id, file);
  jobs.put(view);
  if (alone) location.hash = `#/jobs/${view.job_id}`;
  else list.pick(view.job_id);
});
session.addEventListener("in", () => {
  jobs.start();
  zone.offer();
  route();
});
session.addEventListener("out", () => {
  jobs.stop();
  forget();
  location.hash = "#/";
});
window.addEventListener("hashchange", route);
document.querySelector("[data-opens=keys]").addEventListener("click", () => document.querySelector("#keys").showModal());

themed(document.querySelector("#theme"));
list.begin(jobs, uploads);
bench.begin(jobs);
session.start();

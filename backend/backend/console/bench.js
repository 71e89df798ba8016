/** One picture on the bench: its pages and versions, compared or edited, and erased again. */

import { bytes, call, jobPath, read } from "./api.js";
import { Regions } from "./canvas/regions.js";
import { note, say, soon, sure } from "./dom.js";
import { download } from "./download.js";
import { ended, painted, sheets } from "./jobs.js";
import { open } from "./pictures.js";
import { Zoom } from "./zoom.js";

const KEYS = { v: "select", b: "box", p: "polygon", r: "brush", e: "rubber" };

export class JobBench extends HTMLElement {
  #wanted = null; // the id of the job that shall be on it
  #job = null;
  #turned = 0; // to which of its pages
  #shown = ""; // which files of which job
  #regions = new Map(); // by job and page, with what was edited and not yet erased
  #urls = {};
  #loading = new AbortController();
  #draw = soon(() => this.#show());

  begin(jobs) {
    this.jobs = jobs;
    const part = (name) => this.querySelector(name);
    [this.editor, this.slider, this.list, this.progress] = ["picture-editor", "before-after", "region-list", "job-progress"].map(part);
    this.zoom = new Zoom(part(".viewport"), [this.editor, this.slider]);
    this.zoom.addEventListener("change", () => {
      part(".zoom").textContent = `${Math.round(this.zoom.scale * 100)} %`;
      this.editor.refresh();
    });
    jobs.addEventListener("change", (event) => {
      if (this.#job && (event.detail === null || event.detail === this.#job.job_id)) this.#draw();
    });
    this.addEventListener("click", (event) => this.#clicked(event.target.closest("[data-action]")));
    this.addEventListener("keydown", (event) => this.#pressed(event));
    this.addEventListener("change", (event) => this.#chose(event.target));
    this.list.addEventListener("rerun", () => this.#rerun());
    this.list.addEventListener("look", (event) => this.#regionsHere().select(event.detail));
    this.progress.addEventListener("cancel", () => this.#ask("/cancel"));
    window.addEventListener("beforeunload", (event) => {
      if ([...this.#regions.values()].some((regions) => regions.changed)) event.preventDefault();
    });
  }

  /** Put a job on the bench; null clears it. */
  async open(id) {
    this.#wanted = id;
    this.#clear();
    const known = this.jobs.get(id);
    this.#put(known?.width || known?.page_states ? known : null); // a document is on the list without its pages
    if (id === null) return;
    try {
      const job = await this.jobs.find(id);
      if (this.#wanted !== id) return;
      if (this.#job) this.#draw();
      else this.#put(job);
    } catch (error) {
      if (this.#wanted !== id) return;
      location.hash = "#/";
      if (error.status !== 401) note(error.message, { wrong: true });
    }
  }

  #put(job) {
    this.hidden = !job;
    if (!job) return;
    this.#job = job;
    this.#look(painted(job) ? "compare" : "edit");
    this.#show();
  }

  #clear() {
    this.#loading.abort();
    Object.values(this.#urls).forEach((url) => URL.revokeObjectURL(url));
    [this.#job, this.#turned, this.#shown, this.#urls] = [null, 0, "", {}];
    this.querySelector(".blank").hidden = true;
    this.editor.clear();
    this.list.edit(this.editor.regions, true, "", "");
    this.slider.pictures = null;
    this.#press("mask", false);
  }

  #show() {
    const job = this.#job && this.jobs.get(this.#job.job_id);
    if (!job) return;
    const before = this.#job;
    this.#job = job;
    this.#head(job);
    this.progress.show(job);
    this.#failure(job);
    if (!ended(before) && painted(job)) {
      say(`${job.name} is done`);
      this.#look("compare");
    }
    const sheet = this.#sheet();
    const shown = [job.job_id, sheet.page, job.status, sheet.status, sheet.rendered, sheet.regions_found].join();
    if (shown !== this.#shown) this.#load(shown);
  }

  #sheet() {
    return sheets(this.#job)[this.#turned] ?? sheets(this.#job)[0];
  }

  #head(job) {
    const text = (name, value) => (this.querySelector(name).textContent = value);
    const { page, width, height } = this.#sheet();
    text("h1", job.name || "Picture");
    const size = width ? `${width} × ${height}` : "";
    const took = job.result?.processing_time ? `${Number(job.result.processing_time.toPrecision(2))} s` : "";
    text(".meta", [size, took].filter(Boolean).join(" · "));
    this.querySelector("[data-action=download]").hidden = !painted(job);
    this.querySelector("[name=view][value=compare]").disabled = !painted(job);
    const versions = this.jobs.versions(job.job_id);
    this.querySelector(".versions").hidden = versions.length < 2;
    const options = versions.map((each, index) => new Option(`Version ${index + 1}`, each.job_id, false, each.job_id === job.job_id));
    this.querySelector(".versions select").replaceChildren(...options);
    const pages = sheets(job).length;
    this.querySelector(".pages").hidden = pages < 2;
    text(".pages output", page === this.#turned + 1 ? `Page ${page} of ${pages}` : `Page ${page} (${this.#turned + 1} of ${pages})`);
    this.querySelector("[data-action=previous]").disabled = this.#turned <= 0;
    this.querySelector("[data-action=next]").disabled = this.#turned >= pages - 1;
  }

  #failure(job) {
    const part = this.querySelector(".problem");
    const failed = (job.status === "succeeded" && job.result.failed_pages) || [];
    const said = failed.length && `${failed.length > 1 ? "Pages" : "Page"} ${failed.join(", ")} failed and stayed as sent.`;
    const { page: number, reason } = this.#sheet();
    const page = reason && `Page ${number}: ${reason.detail}`;
    part.hidden = !["failed", "cancelled"].includes(job.status) && !page && !failed.length;
    part.querySelector("p").textContent = page ?? job.error?.detail ?? (said || "This job was cancelled.");
    part.querySelector("button").hidden = job.status !== "failed" && !failed.length;
    part.querySelector("button").textContent = failed.length ? "Retry failed pages" : "Try again";
  }

  async #load(shown) {
    this.#shown = shown;
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const { rendered, status } = this.#sheet();
    try {
      if (rendered && !this.#urls.input) await this.#input(signal);
      this.querySelector(".blank").hidden = Boolean(this.#urls.input) || status !== "failed";
      if (!this.#urls.input) return; // an event tells when it is there
      await this.#found(signal);
      await this.#result(signal);
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 401) note(error.message, { wrong: true });
    }
  }

  async #input(signal) {
    const { width, height, regions_found } = this.#sheet();
    const shown = await open(this.#path("/input"), signal).catch((error) => {
      if (error.name !== "EncodingError") throw error;
      return regions_found === null ? null : open(this.#path("/preview"), signal); // of a TIFF, say; it may be smaller
    });
    if (!shown) return;
    const { url, size } = shown;
    this.#urls.input = url;
    const own = width ? { width, height } : size;
    this.editor.show(url, own);
    this.zoom.show(own);
  }

  async #found(signal) {
    const job = this.#job;
    const { page, regions_found } = this.#sheet();
    const where = `${job.job_id}/${page}`;
    const known = regions_found !== null;
    if (known && !this.#regions.has(where)) {
      const { regions } = await read(this.#path("/regions"), { signal });
      this.#regions.set(where, new Regions(regions));
    }
    const regions = known ? this.#regions.get(where) : new Regions([]);
    const fixed = !known || !ended(job);
    this.editor.edit(regions, fixed);
    for (const part of this.querySelectorAll(".tools .edit")) part.inert = fixed;
    const none = ended(job) ? "Its text was not found." : "Its text is still being looked for.";
    const hint = known ? "No text was found. Draw a box around what shall go." : none;
    this.list.edit(regions, fixed, painted(job) ? "Erase again" : "Erase", hint);
    regions.addEventListener("change", () => this.#undos(), { signal });
    this.#undos();
  }

  async #result(signal) {
    if (!painted(this.#job)) return;
    if (this.#sheet().status === "erased") this.#urls.result = (await open(this.#path("/result"), signal)).url;
    this.slider.pictures = [this.#urls.input, this.#urls.result ?? this.#urls.input];
  }

  #path(part, page = this.#sheet().page) {
    return `${jobPath(this.#job.job_id, part)}?page=${page}`;
  }

  #regionsHere() {
    return this.editor.regions;
  }

  #undos() {
    this.querySelector("[data-action=undo]").disabled = !this.#regionsHere().canUndo;
    this.querySelector("[data-action=redo]").disabled = !this.#regionsHere().canRedo;
  }

  /** Look at the picture in this way: "compare" or "edit". */
  #look(view) {
    this.dataset.view = view;
    this.querySelector(`[name=view][value=${view}]`).checked = true;
    this.editor.hidden = view !== "edit";
    this.slider.hidden = view !== "compare";
    for (const part of this.querySelectorAll(".tools .edit")) part.hidden = view !== "edit";
    this.#take(this.querySelector("[name=tool]:checked").value);
  }

  #take(tool) {
    this.querySelector(`[name=tool][value=${tool}]`).checked = true;
    this.editor.tool = tool;
    this.querySelector(".width").hidden = this.dataset.view !== "edit" || !["brush", "rubber"].includes(tool);
    this.editor.brush = Number(this.querySelector(".width input").value);
  }

  #chose(field) {
    if (field.name === "view") this.#look(field.value);
    else if (field.name === "tool") this.#take(field.value);
    else if (field.closest(".width")) this.editor.brush = Number(field.value);
    else if (field.closest(".versions")) location.hash = `#/jobs/${field.value}`;
  }

  #clicked(button) {
    const doings = {
      undo: () => this.#regionsHere().undo(),
      redo: () => this.#regionsHere().redo(),
      mask: () => this.#mask(button.getAttribute("aria-pressed") !== "true"),
      larger: () => this.zoom.larger(),
      smaller: () => this.zoom.smaller(),
      fit: () => this.zoom.fit(),
      previous: () => this.#turn(-1),
      next: () => this.#turn(1),
      retry: () => this.#ask("/retry"),
      remove: () => this.#remove(),
      download: () => download(this.#job).catch((error) => note(error.message, { wrong: true })),
    };
    doings[button?.dataset.action]?.();
  }

  #pressed(event) {
    if (event.defaultPrevented || event.altKey || event.target.matches("select, input[type=text]")) return;
    const edit = this.dataset.view === "edit";
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (!edit || !["z", "y"].includes(key)) return;
      if (key === "y" || event.shiftKey) this.#regionsHere().redo();
      else this.#regionsHere().undo();
    } else if (edit && KEYS[key]) this.#take(KEYS[key]);
    else if (edit && key === "n") this.#new();
    else if (edit && key === "m") this.#clicked(this.querySelector("[data-action=mask]"));
    else if (edit && key === "enter" && event.target.closest(".viewport")) this.editor.close();
    else if (key === "escape") this.editor.cancel();
    else if (key === "c" && painted(this.#job)) this.#look(edit ? "compare" : "edit");
    else if (key === "+" || key === "=") this.zoom.larger();
    else if (key === "-") this.zoom.smaller();
    else if (key === "0") this.zoom.fit();
    else return;
    event.preventDefault();
  }

  /** Put a new box into the middle of what is in sight. */
  #new() {
    if (this.editor.hasAttribute("fixed")) return;
    const { width, height } = this.editor.size;
    const [x, y] = [Math.round(width * 0.4), Math.round(height * 0.45)];
    const [right, bottom] = [Math.round(width * 0.6), Math.round(height * 0.55)];
    const [made] = this.#regionsHere().add([[[x, y], [right, y], [right, bottom], [x, bottom]]]);
    this.editor.focusOn(made.id);
  }

  async #mask(on) {
    this.#press("mask", on);
    try {
      if (on && !this.#urls.mask) this.#urls.mask = URL.createObjectURL(await bytes(this.#path("/mask")));
      this.editor.mask = on ? this.#urls.mask : null;
    } catch (error) {
      this.#press("mask", false);
      note([404, 409].includes(error.status) ? "There is no mask: nothing was erased." : error.message);
    }
  }

  #press(action, on) {
    this.querySelector(`[data-action=${action}]`).setAttribute("aria-pressed", String(on));
  }

  #turn(by) {
    const [job, turned] = [this.#job, this.#turned + by];
    this.#clear();
    [this.#job, this.#turned] = [job, turned];
    this.#show();
  }

  async #rerun() {
    const button = this.list.querySelector("[data-action=rerun]");
    button.disabled = true;
    try {
      for (const { page } of sheets(this.#job)) {
        const regions = this.#regions.get(`${this.#job.job_id}/${page}`);
        if (!regions?.changed) continue;
        await call(this.#path("/regions", page), { method: "PUT", json: { regions: regions.told() } });
        regions.saved();
      }
      const view = await read(jobPath(this.#job.job_id, "/rerun"), { method: "POST", json: {} });
      this.jobs.put(view);
      location.hash = `#/jobs/${view.job_id}`;
    } catch (error) {
      note(error.message, { wrong: true });
      button.disabled = false;
    }
  }

  async #ask(what) {
    try {
      this.jobs.put(await read(jobPath(this.#job.job_id, what), { method: "POST" }));
    } catch (error) {
      note(error.message, { wrong: true });
    }
  }

  async #remove() {
    const { job_id, name } = this.#job;
    if (!(await sure(`Delete ${name}?`))) return;
    try {
      await this.jobs.remove(job_id);
      location.hash = "#/";
    } catch (error) {
      note(error.message, { wrong: true });
    }
  }
}

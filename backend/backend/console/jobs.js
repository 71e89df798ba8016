/** The jobs as the server tells them: the list, kept up to date by the events, and which are versions of one picture. */

import { call, jobPath, read } from "./api.js";
import { follow } from "./events.js";

const PAGE = 50;
const TOGETHER_MS = 10_000; // pictures that come no further apart are of one drop
const ENDS = new Set(["succeeded", "failed", "cancelled"]);

export const ended = (job) => ENDS.has(job.status);
export const painted = (job) => ended(job) && Boolean(job.result) && !job.result.dry_run; // a retry may have been broken off

/** Return the pages of a document that is known whole; a picture is the only page of itself. */
export function sheets(job) {
  const { status, width, height, regions_found } = job;
  return job.page_states ?? [{ page: 1, status: painted(job) ? "erased" : status, rendered: true, width, height, regions_found }];
}

/** Dispatches "change" with `detail` the job's id, or null when the list itself is another. */
export class Jobs extends EventTarget {
  #views = new Map();
  #next = null;
  #following = null;

  /** Load the newest jobs and follow them, as whoever is signed in now. */
  start() {
    this.#following?.abort();
    this.#following = new AbortController();
    const opened = (fresh) => fresh && this.#load().catch(() => {});
    follow(opened, (event) => this.#told(event), this.#following.signal);
  }

  stop() {
    this.#following?.abort();
    this.#views.clear();
    this.#changed(null);
  }

  get(id) {
    return this.#views.get(id);
  }

  /** Return the job as the server has it now, with its pages, which are not on the list. */
  async find(id) {
    this.put(await read(jobPath(id)));
    return this.#views.get(id);
  }

  put(view) {
    const known = this.#views.get(view.job_id);
    if (known && known.seq > view.seq) return;
    this.#views.set(view.job_id, { page_states: known?.page_states, ...view });
    this.#changed(known ? view.job_id : null);
  }

  /** Return the newest version of each picture: newest first, and what was dropped together in the order of names. */
  pictures() {
    const newest = new Map();
    for (const job of this.#sorted()) if (!newest.has(this.root(job.job_id))) newest.set(this.root(job.job_id), job);
    const drops = [];
    let before = Infinity;
    for (const job of newest.values()) {
      const at = Date.parse(job.created_at);
      if (before - at < TOGETHER_MS) drops.at(-1).push(job);
      else drops.push([job]);
      before = at;
    }
    const byName = new Intl.Collator(undefined, { numeric: true });
    return drops.flatMap((drop) => drop.sort((a, b) => byName.compare(a.name, b.name)));
  }

  /** Return all versions of a picture, oldest first. */
  versions(id) {
    const root = this.root(id);
    return this.#sorted().reverse().filter((job) => this.root(job.job_id) === root);
  }

  root(id) {
    const parent = this.#views.get(id)?.rerun_of;
    return parent ? this.root(parent) : id;
  }

  get more() {
    return this.#next !== null;
  }

  async older() {
    await this.#load(this.#next);
  }

  async remove(id) {
    for (const job of this.versions(id).reverse()) {
      await call(jobPath(job.job_id), { method: "DELETE" });
      this.#views.delete(job.job_id);
    }
    this.#changed(null);
  }

  async #load(after = null) {
    const { signal } = this.#following; // nothing is put on the list of who signed in after
    const page = await read(`api/v1/jobs?limit=${PAGE}${after ? `&after=${encodeURIComponent(after)}` : ""}`, { signal });
    page.jobs.forEach((view) => this.put(view));
    this.#next = page.next;
    this.#changed(null);
  }

  #told(event) {
    const job = this.#views.get(event.job_id);
    if (!job || event.type !== "progress" || event.data.status) {
      const { signal } = this.#following;
      read(jobPath(event.job_id), { signal }).then((view) => this.put(view)).catch(() => {});
      return;
    }
    if (event.seq <= job.seq) return;
    const { stage, progress, stage_progress, message, eta_s, page, pages } = event.data;
    const told = { stage, progress, stage_progress, message, eta_s, page, pages };
    const known = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
    this.#views.set(job.job_id, { ...job, status: "running", ...known, seq: event.seq });
    this.#changed(job.job_id);
  }

  #sorted() {
    return [...this.#views.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }

  #changed(id) {
    this.dispatchEvent(new CustomEvent("change", { detail: id }));
  }
}

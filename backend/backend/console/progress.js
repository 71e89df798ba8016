/** How far a job is, in words and as a bar: what the server has reported, and nothing between. */

import { make } from "./dom.js";
import { ended } from "./jobs.js";

const STAGES = {
  detecting: "Finding the text",
  masking: "Building the mask",
  inpainting: "Repainting",
  verifying: "Looking again",
  finalizing: "Saving",
};

/** Return in a few words how a job is. */
export function standing(job) {
  if (job.status === "queued") return job.position > 0 ? `Waiting, ${job.position} before it` : "Waiting";
  if (job.status === "running") {
    const page = job.pages > 1 && job.page ? `Page ${job.page}: ` : "";
    const first = job.rerun_of ? "Starting" : STAGES.detecting; // a stage is told when it has done something
    return `${page}${STAGES[job.stage] ?? first} · ${percent(job)} %`;
  }
  if (job.status === "failed") return "Failed";
  if (job.status === "cancelled") return "Cancelled";
  const count = job.regions_found ?? job.result?.regions_found ?? 0;
  if (job.result?.dry_run) return count ? `${count} to check` : "No text found";
  const failed = job.result?.failed_pages?.length ?? 0;
  if (failed) return `Done, ${failed} of ${job.pages} pages failed`;
  const left = job.result?.residual_regions?.length ?? 0;
  if (left) return `Done, ${left} still readable`;
  return count ? "Done" : "Done, no text found";
}

/** Return the job's progress bar for a list. */
export function bar(job) {
  return make("progress", { max: 100, value: percent(job), "aria-label": `Progress of ${job.name}` });
}

/** Dispatches "cancel". */
export class JobProgress extends HTMLElement {
  #text = make("span", { className: "stage" });
  #rest = make("span", { className: "rest" });
  #bar = make("progress", { max: 100, "aria-label": "Progress" });

  connectedCallback() {
    const button = make("button", { type: "button", className: "quiet small" }, "Cancel");
    button.addEventListener("click", () => this.dispatchEvent(new Event("cancel")));
    this.replaceChildren(make("div", {}, this.#text, this.#rest, button), this.#bar);
  }

  show(job) {
    this.hidden = ended(job);
    this.#text.textContent = standing(job);
    this.#rest.textContent = [job.message, rest(job.eta_s)].filter(Boolean).join(" · ");
    this.#bar.value = percent(job);
  }
}

function percent(job) {
  return Math.floor((job.progress ?? 0) * 100);
}

function rest(seconds) {
  if (seconds === null || seconds === undefined) return "";
  return seconds < 90 ? `about ${Math.max(1, Math.round(seconds))} s left` : `about ${Math.round(seconds / 60)} min left`;
}

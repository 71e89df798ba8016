/** The list of pictures: those on their way up, then all that the server has, each once, with its newest version. */

import { bar, standing } from "./progress.js";
import { icon, make, note, say, soon, sure } from "./dom.js";
import { downloadAll } from "./download.js";
import { ended, painted } from "./jobs.js";
import { knows, thumb } from "./pictures.js";

export class JobList extends HTMLElement {
  #rows = new Map();
  #picked = new Set();
  #seen = new IntersectionObserver((entries) => entries.forEach((entry) => entry.isIntersecting && this.#picture(entry.target)));

  /** @param jobs what is listed; @param uploads what is on its way */
  begin(jobs, uploads) {
    this.jobs = jobs;
    this.uploads = uploads;
    this.draw = soon(() => this.#draw());
    jobs.addEventListener("change", this.draw);
    uploads.addEventListener("change", this.draw);
    this.querySelector(".more").addEventListener("click", () => jobs.older());
    this.querySelector("[data-action=zip]").addEventListener("click", (event) => this.#zip(event.currentTarget));
    this.querySelector("[data-action=delete]").addEventListener("click", () => this.#delete());
  }

  /** Mark the picture that is open. */
  set open(id) {
    this.current = id && this.jobs.root(id);
    this.draw();
  }

  /** Tick a picture, so that it is in the next zip. */
  pick(root) {
    this.#picked.add(root);
  }

  #draw() {
    const pictures = this.jobs.pictures();
    const sent = this.uploads.items.map((item) => this.#sending(item));
    const kept = pictures.map((job) => this.#row(job));
    const list = this.querySelector(".jobs");
    const wanted = [...sent, ...kept];
    if (wanted.length !== list.children.length || wanted.some((row, index) => row !== list.children[index])) {
      const focused = list.contains(document.activeElement) ? document.activeElement : null;
      list.replaceChildren(...wanted);
      focused?.focus();
    }
    const roots = new Set(pictures.map((job) => this.jobs.root(job.job_id)));
    for (const root of this.#picked) if (!roots.has(root)) this.#picked.delete(root);
    document.body.dataset.jobs = wanted.length ? "some" : "none";
    this.querySelector(".more").hidden = !this.jobs.more;
    this.#count(pictures);
  }

  #count(pictures) {
    const done = pictures.filter(ended).length;
    this.querySelector(".count").textContent = done < pictures.length ? `${done} of ${pictures.length} done` : `${pictures.length}`;
    const ready = this.#chosen().filter(painted).length;
    const zip = this.querySelector("[data-action=zip]");
    zip.disabled = ready === 0;
    zip.lastElementChild.textContent = !this.#picked.size ? "Zip all" : ready ? `Zip (${ready})` : "Zip";
    this.querySelector("[data-action=delete]").disabled = this.#picked.size === 0;
  }

  #sending(item) {
    const known = this.#rows.get(item);
    const row = known ?? make("li", { className: "job" });
    if (!known) {
      const drop = make("button", { type: "button", className: "quiet icon small", "aria-label": `Do not send ${item.name}` }, icon("close"));
      drop.addEventListener("click", () => this.uploads.drop(item));
      const bar = make("progress", { max: 100, value: 0, "aria-label": `Upload of ${item.name}` });
      row.append(make("span", { className: "thumb" }), make("div", { className: "what" }, make("strong", { title: item.name }, item.name), make("span", {}), bar), drop);
      this.#rows.set(item, row);
    }
    const words = { waiting: item.reason ?? "Waiting to be sent", sending: "Sending", refused: item.reason };
    row.querySelector(".what span").textContent = words[item.state];
    row.querySelector("progress").value = Math.floor(item.sent * 100);
    row.querySelector("progress").hidden = item.state === "refused";
    row.classList.toggle("wrong", item.state === "refused");
    return row;
  }

  #row(job) {
    const root = this.jobs.root(job.job_id);
    const row = this.#rows.get(root) ?? this.#made(root, job);
    this.#look(row, job);
    const told = JSON.stringify([job.job_id, job.status, job.stage, job.progress, job.position, job.result, root === this.current]);
    row.querySelector("input").checked = this.#picked.has(root);
    if (row.dataset.told === told) return row;
    row.dataset.told = told;
    row.className = `job ${job.status} ${job.result?.failed_pages?.length ? "partly" : ""}`;
    const link = row.querySelector("a");
    link.href = `#/jobs/${job.job_id}`;
    if (root === this.current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    row.querySelector(".how").textContent = standing(job);
    row.querySelector("progress")?.remove();
    if (!ended(job)) row.querySelector(".what").append(bar(job));
    return row;
  }

  #made(root, job) {
    const box = make("input", { type: "checkbox", "aria-label": `Select ${job.name}` });
    box.addEventListener("change", () => {
      if (box.checked) this.#picked.add(root);
      else this.#picked.delete(root);
      this.#count(this.jobs.pictures());
    });
    const what = make("span", { className: "what" }, make("strong", { title: job.name }, job.name), make("span", { className: "how" }));
    const link = make("a", {}, make("img", { className: "thumb", alt: "" }), what);
    const row = make("li", {}, make("label", { className: "pick" }, box), link);
    row.dataset.root = root;
    this.#rows.set(root, row);
    return row;
  }

  /** Have the row show its picture, once there is one that a browser can show: a page is drawn, a TIFF previewed. */
  #look(row, job) {
    const there = knows(row.dataset.root) || job.regions_found !== null || ended(job);
    if (!there || row.querySelector("img").src || row.dataset.looked === job.status) return;
    row.dataset.looked = job.status;
    this.#seen.observe(row);
  }

  async #picture(row) {
    this.#seen.unobserve(row);
    const url = await thumb(row.dataset.root, row.querySelector("a").hash.split("/").pop());
    if (url) row.querySelector("img").src = url;
  }

  #chosen() {
    const pictures = this.jobs.pictures();
    return this.#picked.size ? pictures.filter((job) => this.#picked.has(this.jobs.root(job.job_id))) : pictures;
  }

  async #zip(button) {
    button.disabled = true;
    const ready = this.#chosen().filter(painted);
    say(`Packing ${ready.length} pictures`);
    try {
      await downloadAll(ready);
    } catch (error) {
      note(error.message, { wrong: true });
    }
    this.draw();
  }

  async #delete() {
    const chosen = this.#chosen();
    if (!(await sure(chosen.length === 1 ? `Delete ${chosen[0].name}?` : `Delete ${chosen.length} pictures?`))) return;
    for (const job of chosen) await this.jobs.remove(job.job_id).catch((error) => note(error.message, { wrong: true }));
    if (this.current && chosen.some((job) => job.job_id === location.hash.split("/").pop())) location.hash = "#/";
  }
}

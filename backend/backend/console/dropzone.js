/** Where pictures come in: dropped anywhere, pasted, or chosen; and the options that they are sent with. */

import { read } from "./api.js";

const OPTIONS = "cleanplate.options";
const WANTED = /^image\/|^application\/pdf$/;
const NAMED = /\.(pdf|tiff?|png|jpe?g|webp|bmp|gif)$/i;

/** Dispatches "files" with `detail` `{files, options}`. */
export class DropZone extends HTMLElement {
  connectedCallback() {
    const chooser = this.querySelector("#choose");
    this.querySelector(".drop").addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      this.#take([...chooser.files]);
      chooser.value = "";
    });
    document.addEventListener("paste", (event) => this.#take([...event.clipboardData.files].map(named)));
    this.#catch(document.querySelector("#catcher"));
    this.#remember(this.querySelector("#options"));
  }

  /** Offer the presets that the server has. */
  async offer() {
    const { presets } = await read("api/v1/presets").catch(() => ({ presets: {} }));
    const names = Object.keys(presets);
    const select = this.querySelector("[name=preset]");
    select.replaceChildren(select.options[0], ...names.map((name) => new Option(name, name)));
    this.querySelector(".presets").hidden = names.length === 0;
  }

  options() {
    const form = new FormData(this.querySelector("#options"));
    const options = { mask_mode: form.get("mask_mode"), output_format: form.get("output_format"), verify: form.has("verify") };
    const languages = form.get("languages").split(/[\s,]+/).filter(Boolean);
    if (languages.length) options.languages = languages;
    if (form.has("review")) options.dry_run = true;
    if (form.get("preset")) options.preset = form.get("preset");
    return options;
  }

  #take(files) {
    const wanted = files.filter((file) => WANTED.test(file.type) || NAMED.test(file.name));
    if (files.length && !wanted.length) this.dispatchEvent(new Event("unwanted"));
    if (wanted.length) this.dispatchEvent(new CustomEvent("files", { detail: { files: wanted, options: this.options() } }));
  }

  #catch(catcher) {
    const holds = (event) => [...event.dataTransfer.types].includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      catcher.hidden = false;
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) catcher.hidden = true;
    });
    document.addEventListener("drop", (event) => {
      catcher.hidden = true;
      if (!holds(event)) return;
      event.preventDefault();
      this.#take([...event.dataTransfer.files]);
    });
  }

  #remember(form) {
    const kept = JSON.parse(localStorage.getItem(OPTIONS) || "{}");
    for (const field of form.elements) {
      if (!(field.name in kept) || field.name === "preset") continue;
      if (field.type === "checkbox") field.checked = kept[field.name];
      else field.value = kept[field.name];
    }
    form.addEventListener("change", () => {
      const told = [...form.elements].map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]);
      localStorage.setItem(OPTIONS, JSON.stringify(Object.fromEntries(told)));
    });
    form.addEventListener("submit", (event) => event.preventDefault());
  }
}

/** Return a pasted picture with a name by which it is found again; all are called image.png by the browser. */
function named(file) {
  if (file.name !== "image.png") return file;
  const at = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
  return new File([file], `pasted-${at}.png`, { type: file.type });
}

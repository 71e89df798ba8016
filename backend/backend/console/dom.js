/** Making elements: `make("a", {href: "#/"}, "text")`; names with a dash and `role` become attributes. */

const SVG = "http://www.w3.org/2000/svg";

export function make(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function drawn(tag, properties = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function icon(name) {
  return drawn("svg", { "aria-hidden": "true" }, drawn("use", { href: `console/icons.svg#${name}` }));
}

/** Tell people of something, in sight until they have read it; `wrong` stays until it is closed. */
export function note(text, { wrong = false } = {}) {
  const close = make("button", { type: "button", className: "quiet icon small", "aria-label": "Close" }, icon("close"));
  const line = make("div", { className: wrong ? "note wrong" : "note" }, make("p", {}, text), close);
  close.addEventListener("click", () => line.remove());
  document.querySelector("#notes").append(line);
  if (!wrong) setTimeout(() => line.remove(), 6000);
}

/** Tell a screen reader alone. */
export function say(text) {
  document.querySelector("#status").textContent = text;
}

/** Return whether the person at the screen wants these pictures deleted. */
export function sure(question) {
  const dialog = document.querySelector("#sure");
  dialog.querySelector("h2").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Return the share of a second in which many changes are drawn once. */
export function soon(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "role" || name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

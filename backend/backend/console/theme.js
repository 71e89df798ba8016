/** Light, dark, or as the system says; the choice is kept in this browser. */

import { icon } from "./dom.js";

const KEPT = "cleanplate.theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const NAMES = { auto: "as the system", light: "light", dark: "dark" };

export function themed(button) {
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.replaceChildren(icon(theme));
    button.setAttribute("aria-label", `Theme: ${NAMES[theme]}`);
    button.dataset.theme = theme;
  };
  button.addEventListener("click", () => {
    const theme = NEXT[button.dataset.theme];
    localStorage.setItem(KEPT, theme);
    show(theme);
  });
  show(localStorage.getItem(KEPT) in NEXT ? localStorage.getItem(KEPT) : "auto");
}

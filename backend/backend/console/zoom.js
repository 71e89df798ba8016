/** How large the picture is shown: fitted into its frame, or so many times its own size. */

const STEP = 1.25;
const MOST = 8;

/** Dispatches "change". */
export class Zoom extends EventTarget {
  #size = { width: 1, height: 1 };
  #wanted = null; // null: fitted
  scale = 1;

  /** @param viewport the frame; @param sheets what lies in it, each as large as the picture */
  constructor(viewport, sheets) {
    super();
    this.viewport = viewport;
    this.sheets = sheets;
    new ResizeObserver(() => this.#apply()).observe(viewport);
    viewport.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.to(this.scale * Math.exp(-event.deltaY / 300), [event.clientX, event.clientY]);
    }, { passive: false });
  }

  show(size) {
    const other = size.width !== this.#size.width || size.height !== this.#size.height;
    this.#size = size;
    this.viewport.style.setProperty("--aspect", size.width / size.height);
    if (other) this.#wanted = null;
    this.#apply();
  }

  fit() {
    this.#wanted = null;
    this.#apply();
  }

  larger() {
    this.to(this.scale * STEP);
  }

  smaller() {
    this.to(this.scale / STEP);
  }

  /** Show it so large, with what is at the point, by default the middle, where it was. */
  to(scale, at = null) {
    const { viewport } = this;
    const frame = viewport.getBoundingClientRect();
    const [x, y] = at ? [at[0] - frame.left, at[1] - frame.top] : [frame.width / 2, frame.height / 2];
    const before = this.scale;
    this.#wanted = Math.max(Math.min(this.#fitting(), 1) / 2, Math.min(scale, MOST));
    this.#apply();
    const grown = this.scale / before;
    viewport.scrollLeft = (viewport.scrollLeft + x) * grown - x;
    viewport.scrollTop = (viewport.scrollTop + y) * grown - y;
  }

  #fitting() {
    const style = getComputedStyle(this.viewport);
    const room = [
      this.viewport.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      this.viewport.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
    ];
    const fitting = Math.min(room[0] / this.#size.width, room[1] / this.#size.height);
    return Math.max(0.02, Math.min(fitting, 2));
  }

  #apply() {
    this.scale = this.#wanted ?? this.#fitting();
    for (const sheet of this.sheets) {
      sheet.style.width = `${Math.floor(this.#size.width * this.scale)}px`;
      sheet.style.height = `${Math.floor(this.#size.height * this.scale)}px`;
    }
    this.dispatchEvent(new Event("change"));
  }
}

// The box with values beside the pointer, the finger, or a figure that is unknown.

import { byId, make } from "../dom.js";

const GAP = 12;

let isPinned = false; // by a tap: it stays until the next one, or until the page scrolls

function hideTip() {
  isPinned = false;
  byId("tip").hidden = true;
}

/** Show a box at a place of the window; one shown by touch stays. */
function showTip(content, { clientX, clientY, pointerType }) {
  const tip = byId("tip");
  tip.replaceChildren(...content);
  tip.hidden = false;
  isPinned = pointerType === "touch";
  const { width, height } = tip.getBoundingClientRect();
  const right = clientX + GAP + width > innerWidth;
  const left = right
    ? Math.max(4, Math.min(clientX - GAP - width, innerWidth - width - 4))
    : clientX + GAP;
  const above = clientY - GAP - height;
  tip.style.left = `${left}px`;
  tip.style.top = `${above < 4 ? clientY + GAP : above}px`;
}

/** The values of all series at a point of a chart. */
function tipOf({ points, series, unit, mark }, place) {
  const point = points[place];
  const rows = series
    .map(({ name, color, values }) => ({ name, color, value: values[place] }))
    .filter(({ value }) => value || series.length < 4);
  const total = rows.reduce((sum, { value }) => sum + (value ?? 0), 0);
  const isStack = mark === "bars" && rows.length > 1;
  return [
    make("strong", {}, point.name),
    make(
      "table",
      {},
      ...rows.map(({ name, color, value }) =>
        make("tr", {}, make("td", {}, swatch(color), name), make("td", {}, write(unit, value))),
      ),
      isStack && make("tr", {}, make("td", {}, "Total"), make("td", {}, unit.write(total))),
    ),
    point.isProvisional && make("small", {}, "Provisional: late data can still change it"),
  ].filter(Boolean);
}

const write = (unit, value) => (value === null || value === undefined ? "—" : unit.write(value));

export function swatch(color) {
  const made = make("span", { className: "swatch" });
  made.style.background = `var(--${color})`;
  return made;
}

/** Hide a box that was pinned by touch, and show the reason of whatever unknown figure is tapped. */
export function watchTips() {
  document.addEventListener("pointerdown", ({ target }) => {
    if (isPinned && !target.closest?.(".chart")) hideTip();
  });
  document.addEventListener("scroll", hideTip, { passive: true, capture: true });
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hideTip());
  for (const kind of ["pointerover", "click", "focusin"])
    document.addEventListener(kind, showReason);
  for (const kind of ["pointerout", "focusout"]) {
    document.addEventListener(kind, ({ target }) => {
      if (!isPinned && target.closest?.("[data-why]")) hideTip();
    });
  }
}

function showReason({ target, pointerType }) {
  const place = target.closest?.("[data-why]");
  if (!place) return;
  const { left, top, width } = place.getBoundingClientRect();
  showTip([place.dataset.why], { clientX: left + width / 2, clientY: top, pointerType });
}

/** Show the values of whatever point of a chart is pointed at or tapped. */
export function watchChart(view, chart) {
  for (const kind of ["pointermove", "pointerdown"]) {
    view.addEventListener(kind, (event, item) => {
      const place = item?.datum?.point;
      if (place !== undefined) showTip(tipOf(chart, place), event);
    });
  }
  // A finger that is lifted leaves the box standing.
  view.addEventListener("pointerout", () => isPinned || hideTip());
}

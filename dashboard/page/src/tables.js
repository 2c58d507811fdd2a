// Tables of the document: sortable, with what is unknown explained, and a hint where they scroll.

import { drawSparkline } from "./charts/sparkline.js";
import { make } from "./dom.js";

/** Rows for CSV and the clipboard, the head first. Cells that are drawings are left out. */
export function exportRows({ columns, rows, foot }) {
  const kept = columns.map(({ kind }) => kind !== "trend");
  const keep = (cells) => cells.filter((_, place) => kept[place]);
  const lines = [...rows, ...(foot ? [foot] : [])];
  return [
    keep(columns).map(({ label }) => label),
    ...lines.map((row) => keep(row).map(({ value }) => value)),
  ];
}

const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
};

/** Sort rows by a column; unknown comes last in either direction, and so does a remainder. */
export function sortRows(rows, column, direction) {
  const keyOf = ({ sortBy, value }) => sortBy ?? value;
  const isUnknown = (row) => keyOf(row[column]) === null;
  return [...rows].sort(
    (a, b) =>
      Boolean(a[0].isLast) - Boolean(b[0].isLast) ||
      isUnknown(a) - isUnknown(b) ||
      (isUnknown(a) ? 0 : direction * compare(keyOf(a[column]), keyOf(b[column]))),
  );
}

/** Build a table in a place, in which a reader can sort it and ask for all rows. */
export function showTable(place, caption, table) {
  const shown = { column: null, direction: -1, isAll: false };
  const redraw = () => place.replaceChildren(...partsOf(caption, table, shown, redraw));
  redraw();
}

function partsOf(caption, table, shown, redraw) {
  const { columns, foot, limit, className = "" } = table;
  const rows =
    shown.column === null ? table.rows : sortRows(table.rows, shown.column, shown.direction);
  const visible = limit && !shown.isAll ? rows.slice(0, limit) : rows;
  const made = make(
    "table",
    { className },
    make("caption", { className: "unseen" }, caption),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        columns.map((column, place) => headCell(table, column, place, shown, redraw)),
      ),
    ),
    make(
      "tbody",
      {},
      visible.map((row) => bodyRow(row, columns)),
    ),
    foot && make("tfoot", {}, bodyRow(foot, columns)),
  );
  const scroller = make("div", { className: "scroller" }, made);
  watchScroll(scroller);
  const hint = make(
    "p",
    { className: "scroll-hint", attributes: { "aria-hidden": "true" } },
    "← scroll for more columns →",
  );
  const frame = make("div", { className: "frame" }, hint, scroller);
  return [frame, moreButton(rows.length, limit, shown, redraw)].filter(Boolean);
}

function moreButton(number, limit, shown, redraw) {
  if (!limit || number <= limit) return null;
  return make(
    "button",
    {
      type: "button",
      className: "more",
      onclick: () => {
        shown.isAll = !shown.isAll;
        redraw();
      },
    },
    shown.isAll ? `Show the first ${limit}` : `Show all ${number}`,
  );
}

function headCell({ isSortable }, { label, title, unit, kind }, place, shown, redraw) {
  const attributes = { scope: "col", ...(title ? { title } : {}) };
  if (!isSortable || kind === "trend")
    return make("th", { className: unit ? "" : "text", attributes }, label);
  const isSorted = shown.column === place;
  if (isSorted) attributes["aria-sort"] = shown.direction > 0 ? "ascending" : "descending";
  const sort = ({ currentTarget }) => {
    const first = unit ? -1 : 1; // the highest figure, or the first name
    shown.direction = isSorted ? -shown.direction : first;
    shown.column = place;
    const host = currentTarget.closest(".table");
    redraw();
    host.querySelectorAll("thead th")[place].querySelector("button").focus();
  };
  return make(
    "th",
    { className: unit ? "" : "text", attributes },
    make("button", { type: "button", className: "sort", onclick: sort }, label),
  );
}

const bodyRow = (cells, columns) =>
  make(
    "tr",
    {},
    cells.map((cell, place) => (place ? bodyCell(cell, columns[place]) : rowHead(cell))),
  );

function rowHead({ text, details, bar, isProvisional }) {
  const share = bar === null || bar === undefined ? null : make("span", { className: "bar" });
  if (share) share.style.inlineSize = `${100 * bar}%`;
  return make(
    "th",
    { attributes: { scope: "row" } },
    text,
    isProvisional &&
      make(
        "span",
        { className: "provisional", title: "Late data can still change it" },
        "provisional",
      ),
    details && make("small", {}, details),
    share,
  );
}

function bodyCell(cell, { unit, kind }) {
  if (kind === "trend") {
    return make(
      "td",
      { className: "trend" },
      drawSparkline(cell.trend) ?? make("span", { className: "muted" }, ""),
    );
  }
  const made = make(
    "td",
    { className: unit ? toneOf(cell) : "text" },
    cell.why ? unknown(cell) : cell.text,
  );
  if (cell.heat !== null && cell.heat !== undefined)
    made.style.setProperty("--heat", `${Math.round(100 * cell.heat)}%`);
  return made;
}

const toneOf = ({ tone }) => ({ 1: "gain", "-1": "loss" })[tone] ?? "";

/** A dash whose reason can be pointed at, tapped, focused and heard. */
export function unknown({ text, why }) {
  const made = make("span", { className: "unknown", data: { why: `Unknown: ${why}` } }, text);
  made.append(make("span", { className: "unseen" }, ` unknown: ${why}`));
  return made;
}

/** Let the keyboard scroll a table that is wider than its place, and show on which side there is more. */
function updateScroll(scroller) {
  const { scrollLeft, scrollWidth, clientWidth, parentElement } = scroller;
  const isWide = scrollWidth > clientWidth + 1;
  parentElement.classList.toggle(
    "more-right",
    isWide && scrollLeft + clientWidth < scrollWidth - 1,
  );
  parentElement.classList.toggle("more-left", isWide && scrollLeft > 1);
  const name = scroller.querySelector("caption").textContent;
  for (const [key, value] of [
    ["role", "region"],
    ["tabindex", "0"],
    ["aria-label", name],
  ]) {
    if (isWide) scroller.setAttribute(key, value);
    else scroller.removeAttribute(key);
  }
}

// Sizes are read once the browser has them, not table by table.
const sizes = globalThis.ResizeObserver
  ? new ResizeObserver((entries) => {
      for (const { target } of entries) {
        if (target.isConnected) updateScroll(target);
        else sizes.unobserve(target); // replaced by a newer table
      }
    })
  : null;

function watchScroll(scroller) {
  scroller.addEventListener("scroll", () => updateScroll(scroller), { passive: true });
  sizes?.observe(scroller);
}

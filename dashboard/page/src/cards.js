// Cards and tiles of the document.

import { drawChart } from "./charts/draw.js";
import { drawSparkline } from "./charts/sparkline.js";
import { swatch } from "./charts/tip.js";
import { byId, make } from "./dom.js";
import { copyRows, downloadCsv } from "./export.js";
import { SECTIONS } from "./panels/index.js";
import { tilesOf } from "./panels/tiles.js";
import { exportRows, showTable, unknown } from "./tables.js";

/** Build the sections with empty cards, those that the data can fill. */
export function buildSections(place, { isSold, data }, rankChoice) {
  const hasSubscriptions = Boolean(data.tables.mrr?.length || data.tables.subscriptions?.length);
  const sections = SECTIONS.filter(
    ({ needsSubscriptions }) => hasSubscriptions || !needsSubscriptions,
  );
  place.replaceChildren(
    ...sections.map(({ id, title, cards, hasRankChoice }) =>
      make(
        "section",
        { attributes: { "aria-labelledby": id } },
        make(
          "div",
          { className: "heading" },
          make("h2", { id }, title),
          hasRankChoice && isSold && rankChoice,
        ),
        make(
          "div",
          { className: "cards" },
          cards.filter(({ needsSales }) => isSold || !needsSales).map(buildCard),
        ),
      ),
    ),
  );
  return sections.flatMap(({ cards }) => cards).filter(({ needsSales }) => isSold || !needsSales);
}

function buildCard({ id, title, isWide }) {
  return make(
    "article",
    {
      className: `card${isWide ? " is-wide" : ""}`,
      id: `${id}-card`,
      attributes: { "aria-labelledby": `${id}-title` },
    },
    make("h3", { id: `${id}-title` }, title),
    make("p", { className: "summary", id: `${id}-summary` }),
    make("ul", { className: "legend", attributes: { "aria-hidden": "true" } }),
    make(
      "div",
      {
        className: "chart",
        attributes: {
          role: "img",
          "aria-labelledby": `${id}-title`,
          "aria-describedby": `${id}-summary`,
        },
      },
      make("div", { className: "drawing", attributes: { "aria-hidden": "true" } }),
    ),
    make("div", { className: "figures" }),
  );
}

// ---- Tiles

export function showTiles(context) {
  byId("tiles").replaceChildren(...tilesOf(context).map(buildTile));
}

function buildTile(tile) {
  const { id, label, currency, value, text, why, change, note, day, spark } = tile;
  return make(
    "div",
    { className: "tile", id: `tile-${id}` },
    make("dt", {}, label, currency && make("span", { className: "currency" }, currency)),
    make(
      "dd",
      {},
      make(
        "data",
        { value: value ?? "", className: why ? "is-unknown" : "" },
        why ? unknown({ text, why }) : text,
      ),
      make("span", { className: "change-line" }, changeOf(change)),
      make("span", { className: "day" }, day ?? ""),
      note && make("span", { className: "note" }, note),
      why && make("span", { className: "note" }, `Unknown: ${why}.`),
      drawSparkline(spark),
    ),
  );
}

const TONES = { 1: "gain", "-1": "loss" };

function changeOf(change) {
  if (!change) return "";
  if (change.why)
    return make("span", { className: "note", data: { why: change.why } }, "no comparison");
  const arrow = ["▼", "■", "▲"][change.direction + 1];
  return make(
    "span",
    { className: `change ${TONES[change.tone] ?? ""}`, data: { why: `Before: ${change.title}` } },
    make("span", { attributes: { "aria-hidden": "true" } }, `${arrow} `),
    change.text,
    make("span", { className: "unseen" }, `, before: ${change.title}`),
  );
}

// ---- Cards

let turn = 0;
let drawing = Promise.resolve();

/** Show the tables and sentences of all cards at once, then their charts, one after the other. */
export function showCards(cards, context) {
  const main = byId("figures");
  const mine = ++turn;
  main.setAttribute("aria-busy", "true");
  const contents = cards.map((card) => ({ card, content: card.compute(context) }));
  for (const { card, content } of contents) fillCard(card, content);
  drawing = drawing.then(async () => {
    for (const { card, content } of contents) {
      if (mine !== turn) return;
      await drawChart(byId(`${card.id}-card`).querySelector(".drawing"), card.id, content.chart);
    }
    main.setAttribute("aria-busy", "false");
  });
}

function fillCard({ id, title }, { empty, summary, legend = [], hasProvisional, chart, table }) {
  const card = byId(`${id}-card`);
  const part = (name) => card.querySelector(`.${name}`);
  card.classList.toggle("is-empty", Boolean(empty));
  part("summary").textContent = empty ?? summary;
  part("chart").hidden = !chart;
  part("legend").hidden = !chart;
  if (chart) part("chart").dataset.mark = chart.mark;
  if (chart)
    part("chart").style.minBlockSize =
      `${chart.mark === "ranks" ? 42 * Math.min(10, chart.entries.length) : 250}px`;
  part("legend").replaceChildren(
    ...legend.map(({ name, color }) => make("li", {}, swatch(color), name)),
    ...provisionalItem(hasProvisional),
  );
  const wasOpen = part("figures").querySelector("details")?.open ?? false;
  part("figures").replaceChildren(
    ...(table ? tableParts(id, title, table, Boolean(chart), wasOpen) : []),
  );
  if (table) showTable(part("table"), title, table);
}

const provisionalItem = (hasProvisional) =>
  hasProvisional
    ? [make("li", {}, make("span", { className: "swatch is-provisional" }), "Provisional")]
    : [];

function tableParts(id, title, table, hasChart, isOpen) {
  const place = make("div", { className: "table" });
  const tools = make(
    "p",
    { className: "tools" },
    csvButton(id, title, table),
    copyButton(title, table),
  );
  if (!hasChart) return [place, tools];
  const details = make(
    "details",
    { open: isOpen },
    make("summary", {}, "Table", make("span", { className: "unseen" }, `: ${title}`)),
    place,
    tools,
  );
  return [details];
}

const csvButton = (id, title, table) =>
  make(
    "button",
    {
      type: "button",
      onclick: () => downloadCsv(`amazon-appstore-${id}`, exportRows(table)),
      attributes: { "aria-label": `Download CSV: ${title}` },
    },
    "Download CSV",
  );

function copyButton(title, table) {
  const copy = async ({ currentTarget }) => {
    const isCopied = await copyRows(exportRows(table));
    currentTarget.textContent = isCopied ? "Copied" : "Not allowed by the browser";
    byId("announcement").textContent = isCopied
      ? `Copied: ${title}`
      : "The browser did not allow copying";
    setTimeout(() => {
      currentTarget.textContent = "Copy";
    }, 2000);
  };
  return make(
    "button",
    {
      type: "button",
      onclick: (event) => copy({ currentTarget: event.currentTarget }),
      attributes: { "aria-label": `Copy: ${title}` },
    },
    "Copy",
  );
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { createContext } from "../src/context.js";
import { PRESETS } from "../src/data/period.js";
import { readData } from "../src/data/read.js";
import { NO_TITLE, setLocale } from "../src/format.js";
import { SECTIONS } from "../src/panels/index.js";
import { tilesOf } from "../src/panels/tiles.js";
import { exportRows } from "../src/tables.js";
import { changeState, defaultState } from "../src/view/state.js";
import { createSample } from "./sample.js";

setLocale("en-US");
const CARDS = SECTIONS.flatMap(({ cards }) => cards);

const contextOf = (options = {}, ...changes) => {
  const data = readData(createSample(options));
  return createContext(data, changes.reduce(changeState, defaultState(data)));
};
const cardOf = (context, id) => CARDS.find((card) => card.id === id).compute(context);
const tileOf = (context, id) => tilesOf(context).find((tile) => tile.id === id);
const textsOf = ({ empty, summary, table, legend = [] }) => [
  empty ?? summary,
  ...legend.map(({ name }) => name),
  ...(table
    ? [...table.rows, table.foot ?? []].flat().map(({ text, why }) => `${text} ${why ?? ""}`)
    : []),
];

const ACCOUNTS = {
  everything: {},
  "sales only": { hasSubscriptions: false, hasEarnings: false },
  free: {
    apps: ["Free Flashlight"],
    isFree: true,
    hasSubscriptions: false,
    hasEarnings: false,
    first: "2024-04-02",
  },
  "one day": { apps: ["New"], first: "2024-06-14", hasEarnings: false },
  "by month": { dailyFrom: "2024-07-01" },
};
const CHANGES = [
  {},
  { app: 0 },
  { country: 0 },
  { device: 3 },
  { kind: "in_app" },
  { currency: 2 },
  { by: "units" },
];

for (const [name, options] of Object.entries(ACCOUNTS)) {
  test(`every view has sentences and tables that hold, ${name}`, () => {
    const data = readData(createSample(options));
    for (const period of [...PRESETS, "2024-05..2024-06"]) {
      for (const change of CHANGES) {
        const context = createContext(
          data,
          [{ period }, change].reduce(changeState, defaultState(data)),
        );
        for (const card of CARDS)
          checkCard(card.compute(context), `${card.id} ${period} ${JSON.stringify(change)}`);
        for (const tile of tilesOf(context)) {
          assert.ok(tile.value !== null || tile.why, tile.id);
          assert.doesNotMatch(
            `${tile.text} ${tile.note} ${tile.day}`,
            /NaN|Infinity|undefined|null/,
          );
        }
      }
    }
  });
}

function checkCard(content, what) {
  assert.ok(content.empty || content.table, what);
  for (const text of textsOf(content))
    assert.doesNotMatch(text, /NaN|Infinity|undefined|null/, what);
  if (!content.table) return;
  const { columns, rows, foot } = content.table;
  for (const row of [...rows, ...(foot ? [foot] : [])])
    assert.equal(row.length, columns.length, what);
  assert.equal(exportRows(content.table).length, rows.length + 1 + (foot ? 1 : 0), what);
  for (const { values } of content.chart?.series ?? [])
    assert.equal(values.length, content.chart.points.length, what);
}

test("a mart that does not exist leaves its own figures unknown, and no others", () => {
  const whole = createSample();
  const unknownOf = (context) => [
    ...CARDS.filter(({ compute }) => compute(context).empty?.startsWith("Unknown")),
    ...tilesOf(context).filter(({ why }) => why),
  ];
  assert.deepEqual(unknownOf(contextOfJson(whole)), []);
  for (const name of Object.keys(whole.tables)) {
    const { [name]: _, ...tables } = whole.tables;
    const context = contextOfJson({ ...whole, tables });
    for (const card of CARDS) checkCard(card.compute(context), `${card.id} without ${name}`);
    for (const tile of tilesOf(context)) assert.ok(tile.value !== null || tile.why, tile.id);
    assert.notDeepEqual(unknownOf(context), [], name);
  }
});

function contextOfJson(json) {
  const data = readData(json);
  return createContext(data, defaultState(data));
}

test("the figures of Amazon's subscription report are unknown without it", () => {
  const data = createSample();
  data.accounts[0].last_subscription_day = null;
  data.accounts[0].last_final_subscription_day = null;
  for (const column of Object.values(data.tables.subscriptions.columns)) column.length = 0;
  const context = createContext(readData(data), defaultState(readData(data)));
  assert.equal(tileOf(context, "active").text, "—");
  assert.match(tileOf(context, "active").why, /no subscription report has been loaded/);
  assert.match(cardOf(context, "churn").empty, /no subscription report has been loaded/);
});

test("what was sold in another currency is unknown in the chosen one, and named", () => {
  const { table } = cardOf(contextOf(), "countries");
  const [, net] = table.rows.find(([{ text }]) => text === "Germany");
  assert.equal(net.value, null);
  assert.match(net.why, /sold in another currency: €/);
});

test("(no title) comes last and is explained", () => {
  const { summary, table } = cardOf(contextOf(), "apps");
  assert.equal(table.rows.at(-1)[0].text, NO_TITLE);
  assert.match(summary, /\(no title\) are lines that Amazon reports without an app’s title/);
});

test("a mean by month is of full months", () => {
  const context = contextOf({}, { period: "all" });
  const { table } = cardOf(context, "downloads");
  const full = table.rows.slice(1, -1).map((row) => row[1].value);
  const mean = Math.round(full.reduce((sum, value) => sum + value, 0) / full.length);
  assert.ok(
    tileOf(context, "downloads").note.startsWith(
      `${mean.toLocaleString("en-US")} a month in 18 full months`,
    ),
  );
});

test("levels are of the last final day, and say which", () => {
  const tile = tileOf(contextOf({}, { period: "30d" }), "mrr");
  assert.equal(tile.day, "Jun 6, 2024");
});

test("the newest days are provisional in charts and tables", () => {
  const { chart, table, hasProvisional } = cardOf(contextOf({}, { period: "30d" }), "revenue");
  assert.deepEqual(
    chart.points.map(({ isProvisional }) => isProvisional),
    [...Array(28).fill(false), true, true],
  );
  assert.ok(hasProvisional && table.rows.at(-1)[0].isProvisional);
});

test("the course of a tile ends before provisional and half buckets, which would look like a fall", () => {
  const context = contextOf({}, { period: "90d" }); // in 14 weeks, the first and the last one cut
  assert.equal(tileOf(context, "downloads").spark.length, 12);
  assert.equal(
    contextOf({}, { period: "30d" }).buckets.length - 2,
    tileOf(contextOf({}, { period: "30d" }), "downloads").spark.length,
  );
});

test("a filter that a card cannot apply is named", () => {
  const context = contextOf({}, { country: 0 });
  assert.match(cardOf(context, "mrr").summary, /Not filtered by country/);
  assert.doesNotMatch(cardOf(context, "revenue").summary, /Not filtered/);
});

test("ended subscriptions are said to be paid ones", () => {
  const context = contextOf();
  assert.match(cardOf(context, "churn").summary, /paid subscriptions ended in/);
  assert.match(cardOf(context, "active").summary, /Of the paid ones/);
});

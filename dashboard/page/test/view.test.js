import assert from "node:assert/strict";
import { test } from "node:test";
import { dayOf } from "../src/data/calendar.js";
import { readData } from "../src/data/read.js";
import { exportCell, toCsv, toTabs } from "../src/export.js";
import { setLocale, unitsIn, writeChange, writeMoney, writeSpan } from "../src/format.js";
import { leadSentence, mostSentence } from "../src/sentences.js";
import { exportRows, sortRows } from "../src/tables.js";
import { changeState, defaultState, readFragment, writeFragment } from "../src/view/state.js";
import { createSample } from "./sample.js";

setLocale("en-US");
const data = readData(createSample());

test("a view survives its own fragment, and data in another order", () => {
  const turned = readData(createSample());
  turned.dimensions.app = data.dimensions.app.toReversed();
  const changes = [
    {},
    { period: "30d", grain: "week", by: "units" },
    { period: "2023-01..2023-05", app: 1, currency: 2 },
    { app: 2, country: 5 },
    { device: 0, account: 0 },
    { kind: "in_app" },
    { country: 6 },
  ];
  for (const change of changes) {
    const state = changeState(defaultState(data), change);
    const fragment = writeFragment(state, data);
    assert.deepEqual(readFragment(`#${fragment}`, data), state);
    const { app } = readFragment(fragment, turned);
    assert.equal(turned.dimensions.app[app], data.dimensions.app[state.app]);
  }
  assert.equal(writeFragment(defaultState(data), data), "");
});

test("a fragment that names what does not exist leaves the default", () => {
  for (const fragment of [
    "figures",
    "app=Nothing&period=x&grain=year",
    "kind=&by=1",
    "__proto__=1",
  ]) {
    assert.deepEqual(readFragment(fragment, data), defaultState(data));
  }
});

test("country, device and product kind exclude each other: the newest choice holds", () => {
  const state = [{ country: 0 }, { kind: "app" }, { device: 1 }, { app: 1 }].reduce(
    changeState,
    defaultState(data),
  );
  assert.deepEqual([state.country, state.kind, state.device, state.app], [null, null, 1, 1]);
});

test("the reporting currency is the first choice, if the amounts are converted", () => {
  assert.equal(defaultState(data).currency, 0);
  assert.equal(defaultState({ ...data, reporting: { currency: "EUR" } }).currency, 2);
});

test("a spreadsheet runs no cell of the CSV", () => {
  for (const text of ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n=1", '=HYPERLINK("x")']) {
    assert.match(exportCell(text), /^'/);
  }
  assert.equal(exportCell(-1.5), "-1.5"); // a number, not text
  assert.equal(exportCell(null), "");
  assert.equal(exportCell("Truck-Game"), "Truck-Game");
});

test("the CSV has one line per row, whatever a title contains", () => {
  const rows = [
    ["App", "Net"],
    ['A "B", C', 1],
    ["two\nlines", null],
  ];
  assert.equal(toCsv(rows), 'App,Net\r\n"A ""B"", C",1\r\n"two\nlines",\r\n');
  assert.equal(toTabs(rows), 'App\tNet\nA "B", C\t1\ntwo lines\t');
});

test("drawings are not exported", () => {
  const table = {
    columns: [{ label: "App" }, { label: "Trend", kind: "trend" }, { label: "Net" }],
    rows: [[{ value: "A" }, { value: null }, { value: 2 }]],
  };
  assert.deepEqual(exportRows(table), [
    ["App", "Net"],
    ["A", 2],
  ]);
});

test("unknown comes last in either direction, a remainder after everything", () => {
  const row = (name, value, isLast = false) => [{ value: name, isLast }, { value }];
  const rows = [row("others", 9, true), row("a", null), row("b", 1), row("c", 3)];
  const names = (direction) => sortRows(rows, 1, direction).map(([{ value }]) => value);
  assert.deepEqual(names(-1), ["c", "b", "a", "others"]);
  assert.deepEqual(names(1), ["b", "c", "a", "others"]);
});

const entries = (...values) => values.map((value, place) => ({ name: `M${place}`, value }));

test("nothing is the most if all are equal", () => {
  assert.equal(mostSentence(entries(5, 5, 5), String), null);
  assert.equal(mostSentence(entries(5), String), null);
  assert.equal(mostSentence(entries(1, 5, null), String), "most in M1 with 5");
  assert.equal(mostSentence(entries(1, 5, 5), String), "most in M1 and M2 with 5");
  assert.equal(mostSentence(entries(1, 5, 5, 5, 5), String), "at most 5, in 4 of 5");
});

test("others never lead, and negative parts make no share", () => {
  const others = { name: "Others", value: 9, isRest: true };
  assert.equal(leadSentence([...entries(1), others]), "M0 leads with 10%");
  assert.equal(leadSentence([others]), null);
  assert.equal(leadSentence(entries(2, 2)), "M0 and M1 lead with 50% each");
  assert.equal(leadSentence(entries(3, 0, null)), null);
  assert.equal(leadSentence(entries(3, -1)), null);
});

/** Spans have thin spaces around their dash. */
const spanOf = (from, to) =>
  writeSpan({ from: dayOf(from), to: dayOf(to) }).replaceAll("\u2009", " ");

test("amounts, changes and spans are written for readers", () => {
  assert.equal(writeMoney(1_234_560_000, "USD"), "$1,234.56");
  assert.equal(writeMoney(5_000_000, "JPY"), "¥5");
  assert.equal(writeMoney(1_000_000, "no code"), "1 no code");
  const { money, share } = unitsIn("USD");
  assert.equal(writeChange(110, 100, money), "+10%");
  assert.equal(writeChange(0.05, 0.04, share), "+1 pp");
  assert.equal(spanOf("2023-06-01", "2024-05-31"), "Jun 2023 – May 2024");
  assert.equal(spanOf("2024-06-01", "2024-06-14"), "Jun 1 – 14, 2024");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { bucketsOf, dayOf } from "../src/data/calendar.js";
import { add, createQuery, divide, kindOf, SPLITS, salesTable } from "../src/data/query.js";
import { readData, unpack } from "../src/data/read.js";
import { changeState, defaultState } from "../src/view/state.js";
import { createSample } from "./sample.js";

const data = readData(createSample());
const all = { from: dayOf("2022-11-05"), to: dayOf("2024-06-14") };
const year = { from: dayOf("2023-06-01"), to: dayOf("2024-05-31") };
const queryOf = (change = {}, of = data) => createQuery(of, changeState(defaultState(of), change));

test("packed data are read as Python has written them", async () => {
  const json = createSample({ first: "2024-05-01" });
  const packed = gzipSync(JSON.stringify(json)).toString("base64");
  assert.deepEqual(await unpack(`\n${packed}\n`), readData(json));
});

test("amounts add up without rounding errors", () => {
  const json = createSample({ first: "2024-06-01" });
  json.tables.sales.columns.net_sales.fill(0.1);
  const read = readData(json);
  const total = createQuery(read, { ...defaultState(read), currency: null }).total(
    "sales",
    "net_sales",
    all,
  );
  assert.equal(total, 100_000 * read.tables.sales.length);
});

test("unknown is not 0", () => {
  assert.equal(add(null, null), null);
  assert.equal(add(null, 0), 0);
  assert.equal(divide(1, 0), null);
  assert.equal(divide(null, 1), null);
  const query = queryOf();
  const before = { from: all.from - 40, to: all.from - 10 };
  assert.equal(query.total("sales", "downloads", before), null);
  assert.equal(query.level("mrr", "mrr", before.to, { inCurrency: true }), null);
  assert.equal(query.total("mrr", "new_mrr", { from: all.to + 1, to: all.to + 9 }), null);
  // A currency in which nothing is paid on a day that is known: that is 0.
  assert.equal(queryOf({ currency: 3 }).level("mrr", "mrr", all.to, { inCurrency: true }), 0);
});

test("a mart that is missing, or a report that was not loaded, gives unknown figures", () => {
  const without = readData(createSample({ hasSubscriptions: false }));
  const query = queryOf({}, without);
  assert.equal(query.level("subscriptions", "active", all.to), null);
  assert.deepEqual(query.flow("mrr", "new_mrr", bucketsOf(year, "month")), Array(12).fill(null));
});

test("sums by day, week and month are the sum of the period", () => {
  const query = queryOf();
  for (const measure of ["downloads", "net_sales", "refunded_sales"]) {
    const total = query.total("sales", measure, year, { inCurrency: true });
    for (const grain of ["day", "week", "month"]) {
      const sums = query.flow("sales", measure, bucketsOf(year, grain), { inCurrency: true });
      assert.equal(sums.reduce(add, 0), total, `${measure} by ${grain}`);
    }
  }
});

test("the values of each split add up to the whole", () => {
  const whole = queryOf().total("sales", "net_sales", all, { inCurrency: true });
  const kinds = [...new Set(data.dimensions.product.map(([, type]) => kindOf(type)))];
  const values = {
    country: [...data.dimensions.country.keys()],
    device: [...data.dimensions.device.keys()],
    kind: kinds,
  };
  for (const [name, choices] of Object.entries(values)) {
    const parts = choices.map((choice) => queryOf({ [name]: choice }));
    const sum = parts
      .map((query) => query.total(salesTable(query.view), "net_sales", all, { inCurrency: true }))
      .reduce(add, 0);
    assert.equal(sum, whole, name);
    assert.ok(parts.every(({ view }) => salesTable(view) === SPLITS[name]));
  }
});

test("a level is that of the last known day of a bucket, not a sum of days", () => {
  const query = queryOf();
  const table = data.tables.subscribers;
  const on = (day) =>
    [...table.day.keys()]
      .filter((row) => table.day[row] === day)
      .reduce((sum, row) => sum + table.subscribers[row], 0);
  const months = bucketsOf(all, "month");
  const levels = query.levels("subscribers", "subscribers", months);
  assert.deepEqual(
    levels,
    months.map(({ end }) => on(end)),
  );
});

test("part of a month that is known as a whole only is unknown", () => {
  const query = queryOf();
  const half = { from: dayOf("2023-02-10"), to: dayOf("2023-02-20") };
  assert.equal(query.total("sales", "downloads", half), null);
  assert.equal(query.level("mrr", "mrr", dayOf("2023-02-20"), { inCurrency: true }), null);
  assert.notEqual(query.level("mrr", "mrr", dayOf("2023-02-28"), { inCurrency: true }), null);
});

test("of a table by month the newest month ends with the last known day", () => {
  const json = createSample();
  const { columns } = json.tables.countries;
  json.tables.countries.daily_from = null;
  columns.day = columns.day.map((day) => {
    const date = new Date(day * 86_400_000);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0) / 86_400_000;
  });
  const query = queryOf({}, readData(json));
  const whole = queryOf().total("sales", "downloads", all);
  assert.equal(query.total("countries", "downloads", all), whole);
  assert.equal(query.total("countries", "downloads", { from: all.to - 29, to: all.to }), null);
});

test("of two accounts each has its own last day, and the filter divides them", () => {
  const json = createSample();
  json.accounts.push({
    ...json.accounts[0],
    name: "second",
    last_day: "2024-06-10",
    last_final_day: "2024-06-08",
    last_final_mrr_day: "2024-06-02",
  });
  const { columns } = json.tables.subscribers;
  const known = columns.day.map((day) => day <= dayOf("2024-06-10"));
  for (const [name, values] of Object.entries(columns)) {
    const second = values.filter((_, row) => known[row]);
    columns[name] = [...values, ...(name === "account" ? second.map(() => 1) : second)];
  }
  const two = readData(json);
  const june = bucketsOf({ from: dayOf("2024-06-01"), to: all.to }, "month");
  const level = (account) =>
    queryOf({ account }, two).levels("subscribers", "subscribers", june)[0];
  const on = (day) => queryOf().level("subscribers", "subscribers", day);
  assert.equal(level(0), on(all.to));
  assert.equal(level(1), on(dayOf("2024-06-10")));
  assert.equal(level(null), level(0) + level(1));
  // Figures of all are final as long as those of each are.
  assert.equal(queryOf({}, two).levelDay("mrr", all.to), dayOf("2024-06-02"));
});

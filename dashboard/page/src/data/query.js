// Figures of the rows that the filters choose.
//
// A flow adds up over days; a level (MRR, subscribers) counts on one day. Both are null, which means
// unknown, outside the days that a table covers; within them a sum of no rows is 0.

import { bucketAt, firstDay, isMonthEnd, isMonthStart, monthOf } from "./calendar.js";
import { coverageOf } from "./read.js";

const KINDS = {
  Application: "app",
  "In-App": "in_app",
  "In-Game": "in_app",
  Subscription: "subscription",
};

export const kindOf = (itemType) => KINDS[itemType] ?? "other";

/** Filters beyond account, app and currency, and the sales table that each can be applied to. */
export const SPLITS = { country: "countries", device: "devices", kind: "products" };

export const splitOf = (view) => Object.keys(SPLITS).find((name) => view[name] !== null) ?? null;

/** The sales table that the filters call for. */
export const salesTable = (view) => SPLITS[splitOf(view)] ?? "sales";

/** Add two figures of which each may be unknown. */
export const add = (a, b) => {
  if (a === null || a === undefined) return b ?? null;
  return b === null || b === undefined ? a : a + b;
};

export const divide = (part, whole) =>
  part === null || whole === null || !(whole > 0) ? null : part / whole;

/** Filters of a view that the table has no column for. */
export function ignoredFilters(data, view, name) {
  const table = data.tables[name];
  const has = {
    app: table && "app" in table,
    currency: true,
    country: name === "countries",
    device: name === "devices",
    kind: name === "products",
  };
  return ["app", "country", "device", "kind"].filter(
    (filter) => view[filter] !== null && !has[filter],
  );
}

/** Whether a span begins and ends where a table's rows do: on any day, or before `dailyFrom` with a month. */
export const divides = ({ first, last, dailyFrom }, { from, to }) =>
  (from >= dailyFrom || from <= first || isMonthStart(from)) &&
  (to >= dailyFrom || to >= last || isMonthEnd(to));

/** Create the queries of one view: {account, app, currency, country, device, kind} as places, or null. */
export function createQuery(data, view) {
  const cache = new Map();
  const isShown = (account) => view.account === null || view.account === account;

  /** All rows of a table that the filters choose. */
  function rowsOf(name, inCurrency = false) {
    const key = `${name} ${inCurrency}`;
    if (!cache.has(key)) cache.set(key, findRows(name, inCurrency));
    return cache.get(key);
  }

  function findRows(name, inCurrency) {
    const table = data.tables[name];
    if (!table) return [];
    const tests = testsOf(name, table, inCurrency);
    const rows = [];
    for (let row = 0; row < table.length; row += 1) {
      if (tests.every((test) => test(row))) rows.push(row);
    }
    return rows;
  }

  function testsOf(name, table, inCurrency) {
    const is = (filter) => (row) => table[filter][row] === view[filter];
    const plain = ["account", "app", "country", "device"];
    const tests = plain.filter((one) => view[one] !== null && one in table).map(is);
    if (inCurrency && "currency" in table) tests.push(is("currency"));
    if (view.kind !== null && name === "products") {
      tests.push((row) => kindOf(data.dimensions.product[table.product[row]][1]) === view.kind);
    }
    return tests;
  }

  const coverages = new Map();
  function coverage(name) {
    if (!coverages.has(name)) coverages.set(name, coverageOf(data, name, isShown));
    return coverages.get(name);
  }

  /** Whether a table has figures of a span: of any of its days, and of no part of a month unless it has days. */
  function covers(name, span) {
    const covered = coverage(name);
    return (
      covered !== null &&
      span.from <= covered.last &&
      span.to >= covered.first &&
      divides(covered, span)
    );
  }

  /** The last day up to a day on which a table has final levels; null without one. */
  function levelDay(name, to) {
    const covered = coverage(name);
    if (!covered) return null;
    const day = Math.min(to, covered.lastFinal, covered.last);
    const known = day >= covered.dailyFrom || isMonthEnd(day) ? day : firstDay(monthOf(day)) - 1;
    return known >= covered.first ? known : null;
  }

  const between =
    (table, { from, to }) =>
    (row) =>
      table.day[row] >= from && table.day[row] <= to;

  /** Rows of a table within a span. */
  function rows(name, span, { inCurrency = false } = {}) {
    const table = data.tables[name];
    return table ? rowsOf(name, inCurrency).filter(between(table, span)) : [];
  }

  /** Sum of a flow over a span. */
  function total(name, measure, span, options = {}) {
    if (!covers(name, span)) return null;
    const column = data.tables[name][measure];
    const found = rows(name, span, options).filter((row) => options.where?.(row) ?? true);
    return found.length ? found.reduce((sum, row) => add(sum, column[row]), null) : 0;
  }

  /** Sums of a flow by bucket. */
  function flow(name, measure, buckets, { inCurrency = false, where = () => true } = {}) {
    const sums = buckets.map(({ start, end }) =>
      covers(name, { from: start, to: end }) ? 0 : null,
    );
    const unread = buckets.map(() => ({ known: 0, unknown: 0 }));
    const table = data.tables[name];
    if (!table) return sums;
    for (const row of rowsOf(name, inCurrency)) {
      const place = bucketAt(buckets, table.day[row]);
      if (place >= 0 && where(row)) {
        const value = table[measure][row];
        unread[place][value === null ? "unknown" : "known"] += 1;
        sums[place] = add(sums[place], value);
      }
    }
    return sums.map((sum, place) => (unread[place].unknown && !unread[place].known ? null : sum));
  }

  /** A level on one day, by each account's own last day if that is earlier. */
  function level(name, measure, day, options = {}) {
    return levels(name, measure, [{ start: day, end: day }], options)[0];
  }

  /** Levels at the end of each bucket, or on the last known day in it. */
  function levels(name, measure, buckets, { inCurrency = false, where = () => true } = {}) {
    const found = buckets.map(({ start, end }) =>
      hasLevel(name, start, end) ? { sum: null, rows: 0 } : null,
    );
    const places = levelPlaces(name, buckets);
    const table = data.tables[name];
    for (const row of rowsOf(name, inCurrency)) {
      const one = found[places.get(`${table.account[row]} ${table.day[row]}`)];
      if (one && where(row)) {
        one.rows += 1;
        one.sum = add(one.sum, table[measure][row]);
      }
    }
    return found.map((one) => one && (one.rows ? one.sum : 0));
  }

  function hasLevel(name, start, end) {
    const covered = coverage(name);
    if (!covered || start > covered.last || end < covered.first) return false;
    return end >= covered.dailyFrom || end >= covered.last || isMonthEnd(end);
  }

  /** The places of buckets by account and the day of its level, which is no later than its last one. */
  function levelPlaces(name, buckets) {
    const places = new Map();
    const covered = coverage(name);
    for (const account of covered ? data.accounts.keys() : []) {
      const last = covered.lastOf(account);
      for (const [place, { start, end }] of buckets.entries()) {
        if (last !== null && start <= covered.last)
          places.set(`${account} ${Math.min(end, last)}`, place);
      }
    }
    return places;
  }

  /** Sums of some measures over a span by a key of each row: Map of key → {measure: sum}. */
  function group(name, keyOf, measures, span, options = {}) {
    const table = data.tables[name];
    const groups = new Map();
    for (const row of rows(name, span, options)) {
      const key = keyOf(table, row);
      if (!groups.has(key)) groups.set(key, { row });
      const entry = groups.get(key);
      for (const measure of measures) entry[measure] = add(entry[measure], table[measure][row]);
    }
    return groups;
  }

  return {
    data,
    view,
    coverage,
    covers,
    levelDay,
    rowsOf,
    rows,
    total,
    flow,
    level,
    levels,
    group,
  };
}

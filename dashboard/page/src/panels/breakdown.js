// Countries, devices, products and marketplaces, ranked.

import { cellOf, ignoredNote, reasonOf, textCell } from "../context.js";
import { add, kindOf } from "../data/query.js";
import {
  counted,
  joinSentences,
  KIND_NAMES,
  listOf,
  placeName,
  writeDay,
  writeMoney,
} from "../format.js";
import { leadSentence } from "../sentences.js";

const UNITS = ["downloads", "in_app_units", "subscription_units", "other_units"];
const MEASURES = [...UNITS, "net_sales", "estimated_earnings", "refunded_sales", "gross_sales"];

export const countries = (context) => rankedPlaces(context, "country", "countries");
export const devices = (context) => rankedPlaces(context, "device", "devices");

function rankedPlaces(context, dimension, table) {
  const values = context.data.dimensions[dimension];
  return ranking(context, {
    table,
    label: dimension === "country" ? "Country" : "Device",
    noun: dimension,
    keyOf: (rows, row) => rows[dimension][row],
    describe: (place) => ({
      name: placeName(dimension, values[place]),
      isRest: !values[place] || values[place] === "Others",
    }),
    hasChart: true,
  });
}

export function products(context) {
  const { product, app } = context.data.dimensions;
  return ranking(context, {
    table: "products",
    label: "Product",
    noun: "product",
    keyOf: (rows, row) => rows.product[row],
    describe: (place) => describeProduct(product[place], app),
    hasChart: false,
  });
}

function describeProduct([app, type, sku, asin, title], apps) {
  const kind = KIND_NAMES[kindOf(type)];
  if (!sku && !asin && !title)
    return { name: `Other products: ${kind.toLowerCase()}`, details: apps[app], isRest: true };
  const name = title ?? sku ?? asin;
  return {
    name,
    details: [type, sku ?? asin, apps[app]].filter((text) => text && text !== name).join(" · "),
  };
}

function ranking(context, { table, label, noun, keyOf, describe, hasChart }) {
  const { state, units, isSold, period } = context;
  const reason = reasonOf(context, table, period);
  if (reason) return { empty: `Unknown: ${reason}.` };
  const entries = entriesOf(context, { table, keyOf, describe });
  if (!entries.length) return { empty: "There are no units and no sales in this selection." };
  const by = isSold ? state.by : "units";
  const unit = by === "units" ? units.count : units.money;
  const ranked = entries.sort(
    (a, b) =>
      (a.isRest ?? false) - (b.isRest ?? false) ||
      rankOf(b[by]) - rankOf(a[by]) ||
      b.units - a.units ||
      a.name.localeCompare(b.name),
  );
  const shown = ranked.filter((entry) => entry[by]);
  const lead = leadSentence(shown.map((entry) => ({ ...entry, value: entry[by] })));
  return {
    summary: joinSentences(
      lead ??
        (shown.length === 1
          ? `${shown[0].name}: ${unit.write(shown[0][by])}`
          : counted(ranked.length, noun)),
      soldElsewhere(context, ranked),
      ignoredNote(context, table),
    ),
    chart:
      hasChart && shown.length
        ? {
            mark: "ranks",
            unit,
            entries: shown.map((entry) => ({ name: entry.name, value: entry[by] })),
          }
        : null,
    table: rankTable(context, { label, ranked, by }),
  };
}

const rankOf = (value) => value ?? Number.NEGATIVE_INFINITY;

/** Entries with units of all currencies, and amounts of the chosen one. */
function entriesOf(context, { table, keyOf, describe }) {
  const { query, period } = context;
  const counts = query.group(table, keyOf, UNITS, period);
  const amounts = query.group(table, keyOf, MEASURES, period, { inCurrency: true });
  const other = otherCurrencies(context, table, keyOf);
  return [...counts]
    .map(([key, count]) => {
      const amount = amounts.get(key) ?? {};
      return {
        ...describe(key),
        units: UNITS.map((measure) => count[measure]).reduce(add, null),
        downloads: count.downloads,
        net_sales: amount.net_sales ?? null,
        earnings: amount.estimated_earnings ?? null,
        others: other.get(key) ?? [],
      };
    })
    .filter((entry) => entry.units || entry.net_sales || entry.others.length);
}

/** What each key sold in currencies that are not chosen: Map of key → ["€12.30", …]. */
function otherCurrencies({ data, query, period, state }, table, keyOf) {
  const codes = data.dimensions.currency;
  const byCurrency = (rows, row) => `${keyOf(rows, row)} ${rows.currency[row]}`;
  const found = new Map();
  for (const { row, net_sales: sales } of query
    .group(table, byCurrency, ["net_sales"], period)
    .values()) {
    const rows = data.tables[table];
    if (rows.currency[row] === state.currency || !sales) continue;
    const key = keyOf(rows, row);
    found.set(key, [...(found.get(key) ?? []), writeMoney(sales, codes[rows.currency[row]])]);
  }
  return found;
}

function soldElsewhere({ currency }, ranked) {
  const missing = ranked.filter((entry) => entry.net_sales === null && entry.others.length);
  return missing.length
    ? `${missing.length} sold nothing in ${currency}, but in other currencies`
    : null;
}

function rankTable({ units, isSold, currency }, { label, ranked, by }) {
  const most = Math.max(...ranked.map((entry) => entry[by] ?? 0));
  const whyNot = ({ others }) =>
    others.length
      ? `sold in another currency: ${listOf(others)}`
      : `nothing was sold in ${currency}`;
  const count = (name, measure) => ({
    column: { label: name, unit: "count" },
    cell: (entry) => cellOf(entry[measure], units.count),
  });
  const money = (name, measure) => ({
    column: { label: name, unit: "money" },
    cell: (entry) => cellOf(entry[measure], units.money, whyNot(entry)),
  });
  const counts = [count("Units", "units"), count("Downloads", "downloads")];
  const amounts = isSold
    ? [money("Net sales", "net_sales"), money("Estimated earnings", "earnings")]
    : [];
  // What the rank goes by comes first: a phone shows it without scrolling.
  const columns = by === "units" ? [...counts, ...amounts] : [...amounts, ...counts];
  return {
    columns: [{ label }, ...columns.map(({ column }) => column)],
    isSortable: true,
    className: ranked.some(({ details }) => details) ? "has-details" : "",
    limit: 15,
    rows: ranked.map((entry) => [
      textCell(entry.name, {
        details: entry.details,
        bar: most > 0 ? Math.max(0, (entry[by] ?? 0) / most) : null,
        isLast: entry.isRest,
      }),
      ...columns.map(({ cell }) => cell(entry)),
    ]),
  };
}

const ACTIVE = ["active", "paid_active", "trial_active"];
const EVENTS = ["started", "ended"];

export function marketplaces(context) {
  const { data, query, period, units } = context;
  const table = "marketplaces";
  const day = query.levelDay(table, period.to);
  const reason = reasonOf(context, table, period);
  if (reason) return { empty: `Unknown: ${reason}.` };
  const names = data.dimensions.marketplace;
  const events = query.group(table, (rows, row) => rows.marketplace[row], EVENTS, period);
  const rows = [...events]
    .map(([key, sums]) => ({
      name: names[key] ?? "Unknown marketplace",
      ...sums,
      ...levelsOf(context, key, day),
    }))
    .sort((a, b) => (b.active ?? 0) - (a.active ?? 0) || a.name.localeCompare(b.name));
  if (!rows.length) return { empty: "There are no subscriptions in this selection." };
  const labels = ["Active", "Paid", "Trial", "Started", "Ended"];
  return {
    summary: joinSentences(
      day !== null && `Active ones by Amazon’s count on ${writeDay(day)}`,
      "Started and ended: in the period",
      ignoredNote(context, table),
    ),
    table: {
      columns: [
        { label: "Marketplace" },
        ...labels.map((name) => ({ label: name, unit: "count" })),
      ],
      isSortable: true,
      rows: rows.map((row) => [
        textCell(row.name),
        ...[...ACTIVE, ...EVENTS].map((measure) => cellOf(row[measure], units.count)),
      ]),
    },
  };
}

function levelsOf({ data, query }, marketplace, day) {
  const where = (row) => data.tables.marketplaces.marketplace[row] === marketplace;
  return Object.fromEntries(
    ACTIVE.map((measure) => [
      measure,
      day === null ? null : query.level("marketplaces", measure, day, { where }),
    ]),
  );
}

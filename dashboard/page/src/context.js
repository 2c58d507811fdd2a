// All that tiles and cards need to know of the chosen view.

import { bucketsOf, monthOf } from "./data/calendar.js";
import { grainOf, grainsOf, periodOf, previousOf } from "./data/period.js";
import { createQuery, divides, ignoredFilters, salesTable, splitOf } from "./data/query.js";
import { rangeOf } from "./data/read.js";
import {
  KIND_NAMES,
  listOf,
  placeName,
  UNKNOWN,
  unitsIn,
  writeBucket,
  writeDay,
  writeTick,
} from "./format.js";

const MARTS = {
  sales: "overview_report",
  countries: "country_report",
  devices: "device_report",
  products: "product_report",
  subscriptions: "subscription_report",
  marketplaces: "marketplace_report",
  mrr: "mrr",
  subscribers: "subscriber_report",
  cohorts: "subscriber_cohorts",
  trials: "trial_cohorts",
  earnings: "earnings_report",
  report_months: "report_months",
};

/** Create the context of a state; null if the data have no days at all. */
export function createContext(data, state) {
  const query = createQuery(data, state);
  const range = rangeOf(data, (place) => state.account === null || state.account === place);
  if (!range) return null;
  const period = periodOf(state.period, range);
  const grain = grainOf(state.grain, period, data.dailyFrom);
  const currency = data.dimensions.currency[state.currency] ?? null;
  return {
    data,
    state,
    query,
    range,
    period,
    previous: previousOf(period, range),
    grain,
    grains: grainsOf(period, data.dailyFrom),
    buckets: bucketsOf(period, grain),
    months: bucketsOf(period, "month"),
    currency,
    units: unitsIn(currency),
    sales: salesTable(state),
    isSold: isSold(data),
  };
}

/** Whether anything was ever sold for money. */
function isSold({ tables: { sales, mrr } }) {
  return Boolean(
    sales?.gross_sales?.some(Boolean) || sales?.net_sales?.some(Boolean) || mrr?.mrr?.some(Boolean),
  );
}

/** Why a table has no figure for a span, as a clause; null if it should have one. */
export function reasonOf({ data, query }, name, span) {
  if (!data.tables[name]) return `the warehouse has no mart amazon_appstore__${MARTS[name]}`;
  const covered = query.coverage(name);
  if (!covered) {
    return ["subscriptions", "marketplaces"].includes(name)
      ? "no subscription report has been loaded"
      : "there are no rows of it";
  }
  if (span.to < covered.first) return `known from ${writeDay(covered.first)} on`;
  if (span.from > covered.last) return `known until ${writeDay(covered.last)}`;
  if (!divides(covered, span)) return partOfMonth(covered);
  return null;
}

const partOfMonth = ({ dailyFrom }) =>
  Number.isFinite(dailyFrom)
    ? `before ${writeDay(dailyFrom)} only whole months are known`
    : "only whole months are known: choose whole months";

/** Sentences on filters that a table cannot be divided by. */
export function ignoredNote({ data, state }, name) {
  const ignored = ignoredFilters(data, state, name).map((filter) =>
    filter === "kind" ? "product kind" : filter,
  );
  return ignored.length ? `Not filtered by ${listOf(ignored)}` : null;
}

/** The points of a chart's axis of time: {key, name, tick, isProvisional}. */
export function timePoints({ query }, buckets, grain, table) {
  const last = query.coverage(table)?.lastFinal ?? Number.POSITIVE_INFINITY;
  return buckets.map((bucket) => ({
    key: bucket.key,
    number: grain === "month" ? monthOf(bucket.start) : undefined,
    name: writeBucket(bucket, grain),
    tick: (isFirst) => writeTick(bucket.key, grain, isFirst),
    isProvisional: bucket.end > last,
  }));
}

/** A cell of a table or a figure of a tile: {value, text, why}; `value` is as exported. */
export function cellOf(value, unit, why = null, write = unit.write) {
  if (value === null || value === undefined) {
    return { value: null, text: UNKNOWN, why: why ?? "unknown" };
  }
  return { value: value / unit.divisor, text: write(value), why: null };
}

export const textCell = (text, details = {}) => ({ value: text, text, ...details });

/** What the filters leave, in words: "Truck Game, Germany". */
export function describeFilters({ data, state }) {
  const { app, country, device } = data.dimensions;
  const split = splitOf(state);
  return [
    state.app === null ? "all apps" : app[state.app],
    state.account !== null && data.accounts[state.account].name,
    split === "country" && placeName("country", country[state.country]),
    split === "device" && placeName("device", device[state.device]),
    split === "kind" && KIND_NAMES[state.kind].toLowerCase(),
  ].filter(Boolean);
}

/** Buckets that the period has whole, and whose figures of a table are known and final. */
export function finalBuckets({ buckets, query }, table) {
  const covered = query.coverage(table);
  if (!covered) return [];
  return buckets.filter(
    ({ isPartial, start, end }) => !isPartial && start >= covered.first && end <= covered.lastFinal,
  );
}

export const finalMonths = (context, table) =>
  finalBuckets({ ...context, buckets: context.months }, table);

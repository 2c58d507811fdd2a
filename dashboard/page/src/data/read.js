// Unpacks the data that the page embeds: base64 of gzipped JSON with tables of columns.
//
// Amounts become whole millionths of a currency, whose sums are exact. Null means unknown.

import { dayOf, firstDay, monthOf } from "./calendar.js";

export const MICRO = 1_000_000;

const AMOUNT =
  /(^|_)(sales|earnings|mrr|arppu|adjustments|tax_withheld|difference)(_to_date|_previous_month)?$/;

export async function unpack(base64) {
  const stream = new Blob([bytesOf(atob(base64.trim()))])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"));
  return readData(await new Response(stream).json());
}

function bytesOf(binary) {
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < binary.length; place += 1) bytes[place] = binary.charCodeAt(place);
  return bytes;
}

/** Return the data with amounts in millionths and days as numbers. */
export function readData(json) {
  const accounts = json.accounts.map(readAccount);
  const tables = Object.fromEntries(
    Object.entries(json.tables).map(([name, table]) => [name, readTable(name, table, accounts)]),
  );
  const dailyFrom = Math.max(
    ...Object.values(tables)
      .filter(isTotal)
      .map((table) => table.dailyFrom),
  );
  return { ...json, accounts, tables, dailyFrom: tables.sales?.dailyFrom ?? dailyFrom };
}

const isTotal = ({ dailyFrom, country, device, product, marketplace }) =>
  dailyFrom !== undefined && !country && !device && !product && !marketplace;

function readTable(name, { columns, daily_from: dailyFrom }, accounts) {
  const read = Object.fromEntries(
    Object.entries(columns).map(([column, values]) => [
      column,
      AMOUNT.test(column) ? values.map(toMicros) : values,
    ]),
  );
  const table = { ...read, length: Object.values(columns)[0]?.length ?? 0 };
  if (dailyFrom === undefined) return table;
  table.dailyFrom = dailyFrom === null ? Number.POSITIVE_INFINITY : dayOf(dailyFrom);
  // The row of a month that is not over is of its last known day.
  const [lastKey] = LAST_DAYS[KIND_OF[name]];
  const lasts = accounts.map((account) => account[lastKey] ?? Number.POSITIVE_INFINITY);
  table.day = table.day.map((day, row) => Math.min(day, lasts[table.account[row]]));
  return table;
}

const toMicros = (amount) => (amount === null ? null : Math.round(amount * MICRO));

const readAccount = (account) => ({
  ...account,
  ...Object.fromEntries(
    Object.entries(account)
      .filter(([key, day]) => key.endsWith("_day") && day !== null)
      .map(([key, day]) => [key, dayOf(day)]),
  ),
});

/** The last known day of each kind of table, and the last one whose figures are final. */
const LAST_DAYS = {
  sales: ["last_day", "last_final_day"],
  mrr: ["last_day", "last_final_mrr_day"],
  subscriptions: ["last_subscription_day", "last_final_subscription_day"],
};

const KIND_OF = {
  sales: "sales",
  countries: "sales",
  devices: "sales",
  products: "sales",
  mrr: "mrr",
  subscribers: "mrr",
  subscriptions: "subscriptions",
  marketplaces: "subscriptions",
};

/**
 * The days that a table covers for some accounts: {first, last, lastFinal, dailyFrom, lastOf(account)}.
 * Null if it has no rows of theirs.
 */
export function coverageOf(data, name, isShown = () => true) {
  const table = data.tables[name];
  if (!table?.day) return null;
  const [lastKey, finalKey] = LAST_DAYS[KIND_OF[name]];
  const shown = data.accounts.filter((_, place) => isShown(place));
  const lasts = daysOf(shown, lastKey);
  const first = firstOf(table, isShown);
  if (!lasts.length || first === null) return null;
  const finals = daysOf(shown, finalKey);
  // A row of a month does not tell on which day the figures begin; the account does.
  const begins = Math.min(...daysOf(shown, "first_day"));
  return {
    first: Math.max(first, Number.isFinite(begins) ? begins : first),
    last: Math.max(...lasts),
    lastFinal: finals.length ? Math.min(...finals) : first - 1,
    dailyFrom: table.dailyFrom,
    lastOf: (account) => data.accounts[account][lastKey] ?? null,
  };
}

const daysOf = (accounts, key) =>
  accounts.map((account) => account[key] ?? null).filter((day) => day !== null);

/** The first day of a table; a row before `dailyFrom` is of a whole month. */
function firstOf(table, isShown) {
  let first = null;
  for (let row = 0; row < table.length; row += 1) {
    if (isShown(table.account[row]) && (first === null || table.day[row] < first))
      first = table.day[row];
  }
  return first === null || first >= table.dailyFrom ? first : firstDay(monthOf(first));
}

/** The range of days of the sales, or of whatever the data have. */
export function rangeOf(data, isShown) {
  const names = ["sales", "mrr", "subscriptions"];
  const found = names.map((name) => coverageOf(data, name, isShown)).filter(Boolean);
  if (!found.length) return null;
  const { last, lastFinal } = found[0];
  return { first: Math.min(...found.map(({ first }) => first)), last, lastFinal };
}

export const monthsIn = ({ first, last }) => {
  const [from, to] = [monthOf(first), monthOf(last)];
  return Array.from({ length: to - from + 1 }, (_, number) => from + number);
};

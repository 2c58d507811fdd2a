// Texts of figures: numbers and dates in the reader's format, names in the page's language.

import { dateOf, firstDay, isMonthEnd, isMonthStart, isoDay } from "./data/calendar.js";
import { MICRO } from "./data/read.js";

export const UNKNOWN = "—";
export const NO_TITLE = "(no title)";

const languages = globalThis.navigator?.languages ?? [];
let locale = languages.length ? [...languages] : undefined;
const formats = new Map(); // Creating a format takes longer than using it.

/** Set the locale, in a test. */
export function setLocale(name) {
  locale = name;
  formats.clear();
}

function numberFormat(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale, options));
  return formats.get(key);
}

function dateFormat(options) {
  const key = `date ${JSON.stringify(options)}`;
  if (!formats.has(key)) {
    formats.set(key, new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }));
  }
  return formats.get(key);
}

const writeDate = (day, options) => dateFormat(options).format(dateOf(day));

export const writeCount = (number) => numberFormat({}).format(number);
export const writeShare = (share) =>
  numberFormat({ style: "percent", maximumFractionDigits: 1 }).format(share);
const writeSignedShare = (share) =>
  numberFormat({ style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" }).format(
    share,
  );

/** An amount, in millionths, in a currency. */
export function writeMoney(micros, currency, options = {}) {
  const amount = micros / MICRO;
  try {
    return numberFormat({ style: "currency", currency, ...options }).format(amount);
  } catch {
    // Not an ISO code: it follows the amount as the report has it.
    return `${numberFormat(options).format(amount)} ${currency ?? "(no currency)"}`;
  }
}

const COMPACT = { notation: "compact", maximumFractionDigits: 1 };

/** How a figure is written in text, on an axis and in a file, by the unit it has. */
export function unitsIn(currency) {
  const money = (options) => (value) => writeMoney(value, currency, options);
  return {
    money: unit("money", money(), money({ signDisplay: "exceptZero" }), money(COMPACT), MICRO),
    count: unit(
      "count",
      writeCount,
      (value) => numberFormat({ signDisplay: "exceptZero" }).format(value),
      (value) => numberFormat(COMPACT).format(value),
      1,
    ),
    share: unit("share", writeShare, writeSignedShare, writeShare, 1),
  };
}

const unit = (name, write, signed, axis, divisor) => ({ name, write, signed, axis, divisor });

/** A change in percent, or in percentage points of a share. */
export function writeChange(value, before, { name }) {
  if (name !== "share") return writeSignedShare((value - before) / Math.abs(before));
  const points = numberFormat({ maximumFractionDigits: 1, signDisplay: "exceptZero" });
  return `${points.format(100 * (value - before))} pp`;
}

// ---- Dates

const MONTH = { month: "short", year: "numeric" };
const FULL_DAY = { day: "numeric", month: "short", year: "numeric" };

export const writeDay = (day) => writeDate(day, FULL_DAY);
export const writeMonth = (month) => writeDate(firstDay(month), MONTH);

/** A span of days, in months where it has whole ones: "Jan 1 – Nov 17, 2026". */
export function writeSpan({ from, to }) {
  const options = isMonthStart(from) && isMonthEnd(to) ? MONTH : FULL_DAY;
  return dateFormat(options).formatRange(dateOf(from), dateOf(to));
}

/** A bucket of a granularity: "Jun 2024", "week of Jun 3, 2024", "Jun 14, 2024". */
export function writeBucket({ key, start, end }, grain) {
  if (grain === "month") {
    const month = writeDate(start, MONTH);
    return isMonthStart(start) && isMonthEnd(end) ? month : `${month}, ${writeDays(start, end)}`;
  }
  const day = writeDay(start);
  if (grain === "day") return day;
  return key === isoDay(start) && end - start === 6
    ? `week of ${day}`
    : writeSpan({ from: start, to: end });
}

const writeDays = (start, end) => {
  const [from, to] = [start, end].map((day) => dateOf(day).getUTCDate());
  return from === to ? `day ${from}` : `days ${from} to ${to}`;
};

/** A label on the axis of time, in one or two lines; the year at the first one and in January. */
export function writeTick(key, grain, isFirst) {
  const day = Date.parse(key) / 86_400_000;
  const text = writeDate(
    day,
    grain === "month" ? { month: "short" } : { day: "numeric", month: "short" },
  );
  const isNewYear = key.slice(5, 7) === "01" && (grain === "month" || key.slice(8) <= "07");
  return isFirst || isNewYear ? [text, writeDate(day, { year: "numeric" })] : text;
}

// ---- Names

function nameOf(type, code) {
  try {
    return new Intl.DisplayNames("en", { type }).of(code);
  } catch {
    return code;
  }
}

/** The name of a country or device as the report has it; "" are those shown together. */
export function placeName(dimension, value) {
  if (value === "") return dimension === "country" ? "Other countries" : "Other devices";
  if (!value) return `Unknown ${dimension}`;
  return dimension === "country" ? nameOf("region", value) : value;
}

export const KIND_NAMES = {
  app: "Apps",
  in_app: "In-app items",
  subscription: "Subscriptions",
  other: "Other kinds",
};

/** "1 trial", "2 trials". */
export const counted = (number, noun) =>
  `${writeCount(number)} ${noun}${Math.abs(number) === 1 ? "" : "s"}`;

export const joinSentences = (...parts) =>
  parts
    .filter(Boolean)
    .map((part) => `${part}.`)
    .join(" ");

/** "a", "a and b", "a, b and c". */
export const listOf = (items) =>
  items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;

// The period that is shown, the one it is compared with, and the granularities that fit.

import { firstDay, isMonthEnd, isMonthStart, lastDay, monthOf, parseMonth } from "./calendar.js";

export const PRESETS = ["30d", "90d", "ytd", "12m", "all"];
export const GRAINS = ["day", "week", "month"];

const DEFAULT_GRAIN = { "30d": "day", "90d": "week" };

/**
 * Resolve a period: a preset, or months such as "2024-01..2024-03".
 * `range` has first, last and lastFinal day of the data. Returns {name, from, to, final}, where
 * `final` is the last day whose figures cannot change, or `to` if that is earlier.
 */
export function periodOf(name, range) {
  const [from, to] = limitsOf(name, range);
  const clipped = { from: Math.max(from, range.first), to: Math.min(to, range.last) };
  return { name, ...clipped, final: Math.min(clipped.to, range.lastFinal) };
}

function limitsOf(name, { first, last, lastFinal }) {
  if (name === "30d") return [last - 29, last];
  if (name === "90d") return [last - 89, last];
  if (name === "ytd") return [firstDay(Math.floor(monthOf(last) / 12) * 12), last];
  if (name === "12m") return lastFullMonths(first, last, lastFinal, 12);
  const months = customMonths(name);
  return months ? [firstDay(months[0]), lastDay(months[1])] : [first, last];
}

/** The last full months whose figures are final; without one, everything. */
function lastFullMonths(first, last, lastFinal, number) {
  const month = isMonthEnd(lastFinal) ? monthOf(lastFinal) : monthOf(lastFinal) - 1;
  const start = isMonthStart(first) ? monthOf(first) : monthOf(first) + 1;
  if (month < start) return [first, last];
  return [firstDay(Math.max(month - number + 1, start)), lastDay(month)];
}

/** The months of a custom period, in order, or null. */
export function customMonths(name) {
  const months = name.split("..").map(parseMonth);
  if (months.length !== 2 || months.includes(null)) return null;
  return months.sort((a, b) => a - b);
}

/**
 * The period before: as many months before whole months, the same days a year ago for "ytd", else as
 * many days. It is compared with the final days of `period`. Null if the data do not reach back.
 */
export function previousOf(period, range) {
  const { name, from, final } = period;
  if (name === "all" || final < from) return null;
  const previous = shiftBack(name, from, final);
  return previous.from < range.first ? null : previous;
}

function shiftBack(name, from, final) {
  if (name === "ytd") return { from: yearBefore(from), to: yearBefore(final) };
  if (isMonthStart(from) && isMonthEnd(final)) {
    const months = monthOf(final) - monthOf(from) + 1;
    return { from: firstDay(monthOf(from) - months), to: from - 1 };
  }
  return { from: from - (final - from + 1), to: from - 1 };
}

function yearBefore(day) {
  const month = monthOf(day);
  const dayOfMonth = day - firstDay(month);
  return Math.min(firstDay(month - 12) + dayOfMonth, lastDay(month - 12));
}

/** Granularities whose buckets the data can fill: before `dailyFrom` there are months only. */
export function grainsOf({ from, to }, dailyFrom) {
  if (from < dailyFrom) return ["month"];
  return GRAINS.filter((grain) => grain !== "day" || to - from < 366);
}

/** The granularity: the chosen one if it fits, else one that does. */
export function grainOf(chosen, period, dailyFrom) {
  const grains = grainsOf(period, dailyFrom);
  const fallback = DEFAULT_GRAIN[period.name] ?? (period.to - period.from < 62 ? "day" : "month");
  return [chosen, fallback, "month"].find((grain) => grains.includes(grain));
}

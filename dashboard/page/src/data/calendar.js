// Days are integers since 1970-01-01, months are year * 12 + month - 1; both count in UTC.

const DAY_IN_MS = 86_400_000;

export const dayOf = (iso) => Date.parse(`${iso.slice(0, 10)}T00:00Z`) / DAY_IN_MS;
export const dateOf = (day) => new Date(day * DAY_IN_MS);
export const isoDay = (day) => dateOf(day).toISOString().slice(0, 10);
export const isoMonth = (month) => isoDay(firstDay(month)).slice(0, 7);
export const firstDay = (month) => Date.UTC(Math.floor(month / 12), month % 12, 1) / DAY_IN_MS;
export const lastDay = (month) => firstDay(month + 1) - 1;

export const isMonthStart = (day) => dateOf(day).getUTCDate() === 1;
export const isMonthEnd = (day) => isMonthStart(day + 1);

export function monthOf(day) {
  const date = dateOf(day);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

export const parseMonth = (text) => {
  const [, year, month] = /^(\d{4})-(\d{2})$/.exec(text) ?? [];
  return year && month >= 1 && month <= 12 ? year * 12 + (month - 1) : null;
};

/** Monday of the week of a day; 1970-01-01 was a Thursday. */
const firstDayOfWeek = (day) => Math.floor((day + 3) / 7) * 7 - 3;

const GRAINS = {
  day: { start: (day) => day, next: (start) => start + 1 },
  week: { start: firstDayOfWeek, next: (start) => start + 7 },
  month: {
    start: (day) => firstDay(monthOf(day)),
    next: (start) => firstDay(monthOf(start) + 1),
  },
};

/**
 * Divide a period into days, weeks or months, cut off at its ends.
 * Returns buckets {key, start, end, isPartial}; `key` is the ISO date of the uncut start.
 */
export function bucketsOf({ from, to }, grain) {
  const { start: startOf, next } = GRAINS[grain];
  const buckets = [];
  for (let start = startOf(from); start <= to; start = next(start)) {
    const end = next(start) - 1;
    buckets.push({
      key: isoDay(start),
      start: Math.max(start, from),
      end: Math.min(end, to),
      isPartial: start < from || end > to,
    });
  }
  return buckets;
}

/** The place of the bucket that has a day, or -1. */
export function bucketAt(buckets, day) {
  let [low, high] = [0, buckets.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (day < buckets[middle].start) high = middle - 1;
    else if (day > buckets[middle].end) low = middle + 1;
    else return middle;
  }
  return -1;
}

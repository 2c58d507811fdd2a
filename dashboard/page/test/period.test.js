import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bucketAt,
  bucketsOf,
  dayOf,
  isoDay,
  isoMonth,
  monthOf,
  parseMonth,
} from "../src/data/calendar.js";
import { grainOf, grainsOf, PRESETS, periodOf, previousOf } from "../src/data/period.js";

const span = (period) => period && [isoDay(period.from), isoDay(period.to)];
const range = (first, last, lastFinal) => ({
  first: dayOf(first),
  last: dayOf(last),
  lastFinal: dayOf(lastFinal),
});
const RANGE = range("2022-11-05", "2024-06-14", "2024-06-12");

test("months are numbers that count on", () => {
  assert.equal(monthOf(dayOf("2024-01-31")) + 1, monthOf(dayOf("2024-02-01")));
  assert.equal(isoMonth(parseMonth("2024-12")), "2024-12");
  for (const text of ["2024-13", "2024-00", "2024", "", "x2024-01"])
    assert.equal(parseMonth(text), null);
});

test("buckets cover a period without gap or overlap, and each day is in its own", () => {
  for (const grain of ["day", "week", "month"]) {
    for (const [from, to] of [
      ["2023-12-27", "2024-03-03"],
      ["2024-02-29", "2024-02-29"],
    ]) {
      const period = { from: dayOf(from), to: dayOf(to) };
      const buckets = bucketsOf(period, grain);
      assert.equal(buckets[0].start, period.from);
      assert.equal(buckets.at(-1).end, period.to);
      for (const [place, { start, end }] of buckets.entries()) {
        if (place) assert.equal(start, buckets[place - 1].end + 1);
        for (let day = start; day <= end; day += 1) assert.equal(bucketAt(buckets, day), place);
      }
      assert.equal(bucketAt(buckets, period.from - 1), -1);
      assert.equal(bucketAt(buckets, period.to + 1), -1);
    }
  }
});

test("weeks begin on Monday", () => {
  const weeks = bucketsOf({ from: dayOf("2024-06-05"), to: dayOf("2024-06-20") }, "week");
  assert.deepEqual(
    weeks.map(({ key }) => key),
    ["2024-06-03", "2024-06-10", "2024-06-17"],
  );
  assert.deepEqual(
    weeks.map(({ isPartial }) => isPartial),
    [true, false, true],
  );
});

test("12 months are full and final, and fewer if there are fewer", () => {
  assert.deepEqual(span(periodOf("12m", RANGE)), ["2023-06-01", "2024-05-31"]);
  // The last day of May can still change: May is not among them.
  assert.deepEqual(span(periodOf("12m", range("2022-11-05", "2024-06-01", "2024-05-30"))), [
    "2023-05-01",
    "2024-04-30",
  ]);
  assert.deepEqual(span(periodOf("12m", range("2024-02-03", "2024-06-14", "2024-06-12"))), [
    "2024-03-01",
    "2024-05-31",
  ]);
  assert.deepEqual(span(periodOf("12m", range("2024-06-03", "2024-06-14", "2024-06-12"))), [
    "2024-06-03",
    "2024-06-14",
  ]);
});

test("a period is compared with the one before, of final days", () => {
  const previous = (name, of = RANGE) => span(previousOf(periodOf(name, of), of));
  // 28 of 30 days are final.
  assert.deepEqual(previous("30d"), ["2024-04-18", "2024-05-15"]);
  assert.deepEqual(previous("ytd"), ["2023-01-01", "2023-06-12"]);
  assert.deepEqual(previous("2023-12..2024-02"), ["2023-09-01", "2023-11-30"]);
  assert.equal(previous("12m"), null); // it would begin before the data
  assert.equal(previous("all"), null);
  const leap = range("2022-11-05", "2024-02-29", "2024-02-29");
  assert.deepEqual(previous("ytd", leap), ["2023-01-01", "2023-02-28"]);
});

test("every period lies within the data", () => {
  for (const name of [...PRESETS, "2019-01..2030-01", "2024-05..2023-01", "nonsense"]) {
    const { from, to, final } = periodOf(name, RANGE);
    assert.ok(
      RANGE.first <= from && from <= to && to <= RANGE.last && final <= RANGE.lastFinal,
      name,
    );
  }
});

test("days and weeks are for periods that the data have days of", () => {
  const dailyFrom = dayOf("2023-06-01");
  assert.deepEqual(grainsOf(periodOf("all", RANGE), dailyFrom), ["month"]);
  assert.deepEqual(grainsOf(periodOf("12m", RANGE), dailyFrom), ["day", "week", "month"]);
  assert.equal(grainOf(null, periodOf("30d", RANGE), dailyFrom), "day");
  assert.equal(grainOf("day", periodOf("all", RANGE), dailyFrom), "month");
  assert.equal(grainOf(null, periodOf("30d", RANGE), Number.POSITIVE_INFINITY), "month");
});

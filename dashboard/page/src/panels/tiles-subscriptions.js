// The tiles of subscriptions: levels on the last final day of the period, and rates of full months.

import { finalBuckets, reasonOf } from "../context.js";
import {
  bucketsOf,
  firstDay,
  isMonthEnd,
  isMonthStart,
  lastDay,
  monthOf,
} from "../data/calendar.js";
import { counted, writeDay, writeMoney, writeShare, writeSpan } from "../format.js";
import { churnedPaid, mrrChurn } from "./rates.js";
import { tileOf } from "./tile.js";

function levelTile(context, { id, label, table, measure, unit, note, inCurrency = false }) {
  const { query, period, previous } = context;
  const at = (levelDay) => query.level(table, measure, levelDay, { inCurrency });
  const day = query.levelDay(table, period.to);
  const isKnown = day !== null && day >= period.from;
  const value = isKnown ? at(day) : null;
  const formerDay = previous && isKnown ? query.levelDay(table, period.from - 1) : null;
  return tileOf(context, {
    id,
    label,
    table,
    unit,
    value,
    before: formerDay === null ? null : { value: at(formerDay), span: writeDay(formerDay) },
    note: value === null ? null : note?.(day, value),
    day: isKnown ? writeDay(day) : null,
    spark: query.levels(table, measure, finalBuckets(context, table), { inCurrency }),
  });
}

export const recurring = (context) =>
  levelTile(context, {
    id: "mrr",
    label: "MRR",
    table: "mrr",
    measure: "mrr",
    unit: context.units.money,
    inCurrency: true,
    note: (_, mrr) =>
      `Monthly recurring revenue; ${writeMoney(12 * mrr, context.currency)} a year (ARR)`,
  });

export const paying = (context) =>
  levelTile(context, {
    id: "subscribers",
    label: "Paying subscribers",
    table: "subscribers",
    measure: "subscribers",
    unit: context.units.count,
    note: () => "People, from charges",
  });

export const active = (context) =>
  levelTile(context, {
    id: "active",
    label: "Active subscriptions",
    table: "subscriptions",
    measure: "active",
    unit: context.units.count,
    note: (day) => {
      const [paid, trials] = ["paid_active", "trial_active"].map((measure) =>
        context.query.level("subscriptions", measure, day),
      );
      if (paid === null || trials === null) return "Amazon’s count";
      return `${context.units.count.write(paid)} paid, ${counted(trials, "trial")}; Amazon’s count`;
    },
  });

/** A rate of the full months in the period, beside that of those in the period before. */
function rateTile(context, { id, label, table, compute, note }) {
  const { months, rate, ...more } = compute(context);
  const value = rate(months);
  return tileOf(context, {
    id,
    label,
    table,
    unit: context.units.share,
    value,
    why:
      reasonOf(context, table, context.period) ??
      (months.length ? "nobody was paying before" : "a rate needs at least one full month"),
    before: rateBefore(context, compute),
    note: value === null ? null : note(months, more),
    day: months.length ? writeSpan({ from: months[0].start, to: months.at(-1).end }) : null,
    spark: months.map((month) => rate([month])),
    good: -1,
  });
}

function rateBefore(context, compute) {
  const { previous } = context;
  if (!previous) return null;
  const { months, rate } = compute({ ...context, months: bucketsOf(previous, "month") });
  if (!months.length) return null;
  return { value: rate(months), span: writeSpan({ from: months[0].start, to: months.at(-1).end }) };
}

export const mrrChurnTile = (context) =>
  rateTile(context, {
    id: "mrr-churn",
    label: "Monthly MRR churn",
    table: "mrr",
    compute: mrrChurn,
    note: (months, { net }) => `Gross; net ${writeShare(net(months))}`,
  });

export const paidChurnTile = (context) =>
  rateTile(context, {
    id: "churn",
    label: "Monthly paid churn",
    table: "subscriptions",
    compute: churnedPaid,
    note: (months, { ended }) =>
      `${counted(ended(months), "paid subscription")} ended; Amazon’s count`,
  });

const TRIALS = ["trials", "trial_conversions", "trials_undecided"];

/** Sums of the trials that began in the months of a span. */
function trialsOf({ data, query }, { from, to }) {
  const table = data.tables.trials;
  const rows = query
    .rowsOf("trials")
    .filter((row) => table.month[row] >= monthOf(from) && table.month[row] <= monthOf(to));
  const [trials, converted, undecided] = TRIALS.map((measure) =>
    rows.reduce((sum, row) => sum + table[measure][row], 0),
  );
  return { trials, converted, undecided, rate: undecided < trials ? converted / trials : null };
}

const hasWholeMonths = ({ from, to }) => isMonthStart(from) && isMonthEnd(to);

const wholeMonths = ({ from, to }) => ({
  from: firstDay(monthOf(from)),
  to: lastDay(monthOf(to)),
});

export function conversion(context) {
  const { data, months, units, previous, period } = context;
  const { trials, converted, undecided, rate } = trialsOf(context, period);
  const pending = undecided ? `, ${units.count.write(undecided)} undecided` : "";
  return tileOf(context, {
    id: "conversion",
    label: "Trial conversion",
    table: "trials",
    unit: units.share,
    value: rate,
    why: conversionReason(data.tables.trials, trials),
    before: hasWholeMonths(period) && previous && { value: trialsOf(context, previous).rate },
    note: trials
      ? `${units.count.write(converted)} of ${counted(trials, "trial")}${pending}`
      : null,
    day: `Trials begun in ${writeSpan(wholeMonths(period))}`,
    spark: months.map(({ start, end }) => trialsOf(context, { from: start, to: end }).rate),
  });
}

function conversionReason(table, trials) {
  if (!table) return "the warehouse has no mart amazon_appstore__trial_cohorts";
  return trials ? "no trial is decided yet" : "no trial began in this period";
}

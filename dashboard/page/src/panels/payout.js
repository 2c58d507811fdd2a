// Estimated earnings of the sales reports against those of the earnings reports.

import { cellOf, ignoredNote, textCell } from "../context.js";
import { bucketsOf, monthOf } from "../data/calendar.js";
import { add } from "../data/query.js";
import { joinSentences, writeMonth, writeTick } from "../format.js";

const COLUMNS = [
  ["Estimated", "estimated_earnings", "series-other"],
  ["Earnings report", "earnings", "series-1"],
  ["Paid", "paid_earnings", "series-2"],
];
const MORE = [
  ["Adjustments", "adjustments"],
  ["Tax withheld", "tax_withheld"],
  ["Difference", "difference"],
];

export function payout(context) {
  const { data, period, units, currency } = context;
  const table = data.tables.earnings;
  if (!table)
    return { empty: "Unknown: the warehouse has no mart amazon_appstore__earnings_report." };
  if (!table.earnings.some((value) => value !== null)) {
    return {
      empty:
        "Unknown: no earnings report has been loaded. The stream earnings is selected on request.",
    };
  }
  const months = bucketsOf(period, "month");
  const sums = sumByMonth(context, table);
  if (!months.some(({ start }) => sums.has(monthOf(start)))) {
    return { empty: `There are no earnings in ${currency} in this period.` };
  }
  const valuesOf = (measure) =>
    months.map(({ start }) => sums.get(monthOf(start))?.[measure] ?? null);
  return {
    summary: joinSentences(
      summaryOf(
        units.money,
        COLUMNS.map(([, measure]) => valuesOf(measure)),
      ),
      ignoredNote(context, "earnings"),
    ),
    legend: COLUMNS.map(([name, , color]) => ({ name, color })),
    hasProvisional: months.some(({ start }) => sums.get(monthOf(start))?.isProvisional),
    chart: {
      mark: "grouped",
      unit: units.money,
      points: months.map(({ key, start }) => ({
        key,
        number: monthOf(start),
        name: writeMonth(monthOf(start)),
        tick: (isFirst) => writeTick(key, "month", isFirst),
        isProvisional: Boolean(sums.get(monthOf(start))?.isProvisional),
      })),
      series: COLUMNS.map(([name, measure, color]) => ({ name, color, values: valuesOf(measure) })),
    },
    table: {
      columns: [
        { label: "Month" },
        ...[...COLUMNS, ...MORE].map(([label]) => ({ label, unit: "money" })),
      ],
      rows: months.map(({ key, start }) => {
        const sum = sums.get(monthOf(start));
        return [
          textCell(writeMonth(monthOf(start)), {
            value: key.slice(0, 7),
            sortBy: start,
            isProvisional: sum?.isProvisional,
          }),
          ...[...COLUMNS, ...MORE].map(([, measure]) =>
            cellOf(sum?.[measure], units.money, "no earnings report of this month has been loaded"),
          ),
        ];
      }),
    },
  };
}

function sumByMonth({ query }, table) {
  const sums = new Map();
  for (const row of query.rowsOf("earnings", true)) {
    const sum = sums.get(table.month[row]) ?? {};
    for (const [, measure] of [...COLUMNS, ...MORE])
      sum[measure] = add(sum[measure], table[measure][row]);
    sum.isProvisional = Boolean(sum.isProvisional || table.is_provisional[row]);
    sums.set(table.month[row], sum);
  }
  return sums;
}

/** Compare only months that have an earnings report. */
function summaryOf(money, [estimated, earnings, paid]) {
  const both = earnings
    .map((value, place) => (value === null || estimated[place] === null ? null : place))
    .filter((place) => place !== null);
  if (!both.length) return "No month of this period has both an estimate and an earnings report";
  const sum = (values) => both.map((place) => values[place]).reduce(add, null);
  const difference = sum(earnings) - sum(estimated);
  return `In ${both.length} of ${earnings.length} months: ${money.write(sum(estimated))} estimated, ${money.write(sum(earnings))} in earnings reports (${money.signed(difference)}), of which ${money.write(sum(paid) ?? 0)} paid`;
}

// Cohorts: subscribers by the month of their first paid charge, how many stay, what they have paid.

import { cellOf, ignoredNote, textCell } from "../context.js";
import { monthOf } from "../data/calendar.js";
import { add, divide } from "../data/query.js";
import { counted, joinSentences, writeCount, writeMonth } from "../format.js";

const COHORTS = 24;
const AGES = 12;

/** Sums of cohort rows: Map of month → array by age of {subscribers, active, net, earnings, isProvisional}. */
function cohortsOf({ data, query, period }, { inCurrency }) {
  const table = data.tables.cohorts;
  const last = monthOf(period.to);
  const cohorts = new Map();
  for (const row of query.rowsOf("cohorts", inCurrency)) {
    const [month, age] = [table.month[row], table.months_since[row]];
    if (age < 0 || month + age > last) continue;
    if (!cohorts.has(month)) cohorts.set(month, []);
    const ages = cohorts.get(month);
    const before = ages[age];
    ages[age] = {
      subscribers: add(before?.subscribers, table.subscribers[row]),
      active: add(before?.active, table.active_subscribers[row]),
      net: add(before?.net, table.net_sales_to_date[row]),
      earnings: add(before?.earnings, table.earnings_to_date[row]),
      isProvisional: Boolean(before?.isProvisional || table.is_provisional[row]),
    };
  }
  return new Map([...cohorts].sort(([a], [b]) => a - b).slice(-COHORTS));
}

const missing = ({ data }) =>
  data.tables.cohorts
    ? null
    : { empty: "Unknown: the warehouse has no mart amazon_appstore__subscriber_cohorts." };

export function retention(context) {
  const without = missing(context);
  if (without) return without;
  const cohorts = cohortsOf(context, { inCurrency: false });
  if (!cohorts.size) return { empty: "There are no paying subscribers up to this period." };
  const { share, count } = context.units;
  const ages = Math.min(AGES, Math.max(...[...cohorts.values()].map((rows) => rows.length - 1)));
  const numbers = Array.from({ length: ages + 1 }, (_, age) => age);
  const heat = heatScale(cohorts);
  return {
    summary: joinSentences(
      `Of those whose first paid charge was in a month, the share still paying at the end of it (0) and of each month after`,
      averageSentence(cohorts, share),
      ignoredNote(context, "cohorts"),
    ),
    table: {
      className: "heat",
      columns: [
        { label: "First charge" },
        { label: "Subscribers", unit: "count" },
        ...numbers.map((age) => ({
          label: `${age}`,
          title: `${counted(age, "month")} after`,
          unit: "share",
        })),
      ],
      rows: [...cohorts].map(([month, rows]) => [
        textCell(writeMonth(month), { sortBy: month }),
        cellOf(rows.find(Boolean)?.subscribers, count),
        ...numbers.map((age) => retentionCell(rows[age], share, heat)),
      ]),
    },
  };
}

/** A scale from the lowest rate to the highest, to distinguish them by colour: rate → 0 to 1. */
function heatScale(cohorts) {
  const rates = [...cohorts.values()]
    .flat()
    .filter(Boolean)
    .map(({ active, subscribers }) => divide(active, subscribers))
    .filter((rate) => rate !== null);
  const [low, high] = [Math.min(...rates), Math.max(...rates)];
  return (rate) => (rate === null ? null : (rate - low) / (high - low || 1));
}

function retentionCell(row, unit, heat) {
  if (!row) return { value: null, text: "", why: null };
  const rate = divide(row.active, row.subscribers);
  return {
    ...cellOf(rate, unit, "not known for this month"),
    heat: heat(rate),
    isProvisional: row.isProvisional,
  };
}

function averageSentence(cohorts, unit) {
  const aged = [...cohorts.values()]
    .map((rows) => rows[3])
    .filter((row) => row && !row.isProvisional);
  const rate = divide(
    aged.reduce((sum, { active }) => add(sum, active), null),
    aged.reduce((sum, { subscribers }) => add(sum, subscribers), null),
  );
  return rate === null
    ? null
    : `After three months ${unit.write(rate)} of ${counted(aged.length, "cohort")} still pay`;
}

export function lifetimeValue(context) {
  const without = missing(context);
  if (without) return without;
  const cohorts = cohortsOf(context, { inCurrency: true });
  if (!cohorts.size)
    return { empty: `No subscriber has paid in ${context.currency} up to this period.` };
  const { money, count } = context.units;
  const oldest = Math.max(...[...cohorts.values()].map((rows) => rows.length - 1));
  const ages = Array.from({ length: Math.min(oldest, COHORTS) + 1 }, (_, age) => age);
  const mean = (measure) => ages.map((age) => meanAt(cohorts, age, measure));
  const [net, earnings] = [mean("net"), mean("earnings")];
  return {
    summary: joinSentences(
      `What a subscriber has paid on average, by months since the first charge: ${money.write(net.at(-1))} after ${counted(ages.at(-1), "month")}`,
      ignoredNote(context, "cohorts"),
    ),
    legend: LTV.map(([name, color]) => ({ name, color })),
    chart: {
      mark: "lines",
      unit: money,
      points: ages.map((age) => ({
        key: String(age).padStart(3, "0"),
        number: age,
        name: `${counted(age, "month")} after the first charge`,
        tick: () => writeCount(age),
      })),
      series: LTV.map(([name, color], place) => ({ name, color, values: [net, earnings][place] })),
    },
    table: {
      columns: [
        { label: "First charge" },
        { label: "Subscribers", unit: "count" },
        { label: "Months", unit: "count" },
        { label: "Net sales to date", unit: "money" },
        { label: "LTV, net sales", unit: "money" },
        { label: "LTV, earnings", unit: "money" },
      ],
      rows: [...cohorts].map(([month, rows]) => ltvRow(month, rows, money, count)),
    },
  };
}

const LTV = [
  ["Net sales", "series-1"],
  ["Estimated earnings", "series-2"],
];

/** The mean to date of all cohorts that have reached an age. */
function meanAt(cohorts, age, measure) {
  const rows = [...cohorts.values()].map((ages) => ages[age]).filter(Boolean);
  return divide(
    rows.reduce((sum, row) => add(sum, row[measure]), null),
    rows.reduce((sum, row) => add(sum, row.subscribers), null),
  );
}

function ltvRow(month, rows, money, count) {
  const age = rows.length - 1;
  const { subscribers, net, earnings, isProvisional } = rows[age];
  return [
    textCell(writeMonth(month), { sortBy: month, isProvisional }),
    cellOf(subscribers, count),
    cellOf(age, count),
    cellOf(net, money),
    cellOf(divide(net, subscribers), money),
    cellOf(divide(earnings, subscribers), money),
  ];
}

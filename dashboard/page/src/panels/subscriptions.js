// Subscriptions: MRR and its movements, churn, people new, returning and lost, Amazon's counts.

import { add } from "../data/query.js";

import { counted, writeDay } from "../format.js";
import { churnedPaid, mrrChurn } from "./rates.js";
import { flowColumn, rateColumn, timeCard } from "./series.js";

const sumOf = (values) => values.reduce(add, null);
const negate = (values) => values.map((value) => (value === null ? null : -value || 0));
const lastKnown = (values) => values.findLastIndex((value) => value !== null);
const firstKnown = (values) => values.findIndex((value) => value !== null);

export function recurringRevenue(context) {
  const { query, buckets, units } = context;
  const levels = (measure, inCurrency = true) =>
    query.levels("mrr", measure, buckets, { inCurrency });
  const mrr = levels("mrr");
  const [first, last] = [firstKnown(mrr), lastKnown(mrr)];
  const at = (place) =>
    `${units.money.write(mrr[place])} on ${dayOfLevel(context, "mrr", buckets[place])}`;
  return timeCard(context, {
    table: "mrr",
    unit: units.money,
    mark: "area",
    series: [{ name: "MRR", color: "series-1", values: mrr }],
    columns: [
      { label: "MRR", unit: units.money, values: mrr },
      { label: "MRR on earnings", unit: units.money, values: levels("earnings_mrr") },
      {
        label: "ARR",
        unit: units.money,
        values: mrr.map((value) => (value === null ? null : 12 * value)),
      },
      { label: "Subscribers", unit: units.count, values: levels("subscribers") },
    ],
    summary: first < 0 ? null : [...new Set([first, last])].map(at).join(", "),
    empty: `No subscription is paid for in ${context.currency} in this selection.`,
  });
}

const MOVEMENTS = [
  ["New", "new_mrr", "gain-1", 1],
  ["Reactivated", "reactivated_mrr", "gain-2", 1],
  ["Expansion", "expansion_mrr", "gain-3", 1],
  ["Contraction", "contraction_mrr", "loss-1", -1],
  ["Churned", "churned_mrr", "loss-2", -1],
];

export function movements(context) {
  const { query, buckets, units } = context;
  const series = MOVEMENTS.map(([name, measure, color, sign]) => {
    const values = query.flow("mrr", measure, buckets, { inCurrency: true });
    return { name, color, values: sign > 0 ? values : negate(values) };
  });
  const change = buckets.map((_, place) => sumOf(series.map(({ values }) => values[place])));
  const parts = series
    .map(({ name, values }) => [name.toLowerCase(), sumOf(values)])
    .filter(([, value]) => value)
    .map(([name, value]) => `${name} ${units.money.signed(value)}`);
  return timeCard(context, {
    table: "mrr",
    unit: { ...units.money, write: units.money.signed },
    series: series.filter(({ values }) => values.some(Boolean)),
    legend: series.filter(({ values }) => values.some(Boolean)),
    columns: [...series, { name: "Change", values: change }].map(({ name, values }) =>
      flowColumn(name, units.money, values, { signed: true }),
    ),
    summary: `${units.money.signed(sumOf(change) ?? 0)} in all: ${parts.join(", ")}`,
    empty: "Monthly recurring revenue did not change in this selection.",
  });
}

/** The day that the level of a bucket is of. */
const dayOfLevel = ({ query }, table, { end }) =>
  writeDay(Math.min(end, query.coverage(table).last));

/** A card of rates by full month. */
function rateCard(context, { table, months, series, columns, summary }) {
  if (!months.length && context.query.coverage(table)) {
    return {
      empty:
        "A monthly rate needs a full month with final figures, and paying subscribers before it.",
    };
  }
  return timeCard(context, {
    table,
    buckets: months,
    grain: "month",
    unit: context.units.share,
    mark: "lines",
    series,
    columns,
    summary,
  });
}

export function mrrChurnRates(context) {
  const { months, rate, net } = mrrChurn(context);
  const { share } = context.units;
  const [gross, netRates] = [rate, net].map((of) => months.map((month) => of([month])));
  return rateCard(context, {
    table: "mrr",
    months,
    series: [
      { name: "Gross", color: "loss-2", values: gross },
      { name: "Net", color: "series-1", values: netRates },
    ],
    columns: [
      rateColumn("Gross MRR churn", share, gross),
      rateColumn("Net MRR churn", share, netRates),
    ],
    summary: months.length
      ? `${share.write(rate(months))} a month gross, ${share.write(net(months))} net of expansion and reactivation`
      : null,
  });
}

export function paidChurn(context) {
  const { months, rate, ended, before } = churnedPaid(context);
  const { share, count } = context.units;
  const rates = months.map((month) => rate([month]));
  return rateCard(context, {
    table: "subscriptions",
    months,
    series: [{ name: "Churn", color: "loss-2", values: rates }],
    columns: [
      rateColumn("Churn", share, rates),
      flowColumn(
        "Paid subscriptions ended",
        count,
        months.map((month) => ended([month])),
      ),
      {
        label: "Paid, the day before",
        unit: count,
        values: months.map((month) => before([month])),
      },
    ],
    summary: months.length
      ? `${share.write(rate(months))} a month: ${counted(ended(months), "paid subscription")} ended in ${counted(months.length, "full month")}`
      : null,
  });
}

export function people(context) {
  const { query, buckets, units } = context;
  const series = [
    ["New", "new_subscribers", "gain-1", 1],
    ["Returning", "returning_subscribers", "gain-2", 1],
    ["Lost", "lost_subscribers", "loss-2", -1],
  ].map(([name, measure, color, sign]) => {
    const values = query.flow("subscribers", measure, buckets);
    return { name, color, counts: values, values: sign > 0 ? values : negate(values) };
  });
  const levels = query.levels("subscribers", "subscribers", buckets);
  const [added, returning, lost] = series.map(({ counts }) => sumOf(counts) ?? 0);
  return timeCard(context, {
    table: "subscribers",
    unit: { ...units.count, write: units.count.signed },
    series,
    columns: [
      ...series.map(({ name, counts }) => flowColumn(name, units.count, counts)),
      { label: "Paying at the end", unit: units.count, values: levels },
    ],
    summary: `${counted(added, "new subscriber")}, ${units.count.write(returning)} returning, ${units.count.write(lost)} lost`,
    empty: "There are no paying subscribers in this selection.",
  });
}

export function activeSubscriptions(context) {
  const { query, buckets, units } = context;
  const levels = (measure) => query.levels("subscriptions", measure, buckets);
  const flow = (measure) => query.flow("subscriptions", measure, buckets);
  const active = levels("active");
  const last = lastKnown(active);
  const [started, ended] = ["paid_started", "paid_ended"].map(flow);
  return timeCard(context, {
    table: "subscriptions",
    unit: units.count,
    series: [
      { name: "Paid", color: "series-1", values: levels("paid_active") },
      { name: "Trial", color: "series-2", values: levels("trial_active") },
    ],
    columns: [
      { label: "Active", unit: units.count, values: active },
      { label: "Paid", unit: units.count, values: levels("paid_active") },
      { label: "Trial", unit: units.count, values: levels("trial_active") },
      flowColumn("Paid, started", units.count, started),
      flowColumn("Paid, ended", units.count, ended),
      flowColumn("Trials, started", units.count, flow("trial_started")),
      flowColumn("Trials, ended", units.count, flow("trial_ended")),
      flowColumn("Refunded", units.count, flow("refunded")),
    ],
    summary:
      last < 0
        ? null
        : [
            `${units.count.write(active[last])} on ${dayOfLevel(context, "subscriptions", buckets[last])}`,
            `Of the paid ones ${units.count.write(sumOf(started) ?? 0)} started and ${units.count.write(sumOf(ended) ?? 0)} ended`,
          ],
    empty: "There are no subscriptions in this selection.",
  });
}

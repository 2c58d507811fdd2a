// Sales: revenue and downloads by app, sales by kind, refunds and chargebacks.

import { add, divide } from "../data/query.js";
import { joinSentences, writeBucket } from "../format.js";
import { leadSentence, mostSentence } from "../sentences.js";
import { appSeries, flowColumn, rateColumn, timeCard } from "./series.js";

export function revenue(context) {
  const { units, query, sales, buckets } = context;
  const inCurrency = true;
  return byApp(context, {
    measure: "net_sales",
    unit: units.money,
    columns: [
      ["Net sales", "net_sales"],
      ["Gross sales", "gross_sales"],
      ["Estimated earnings", "estimated_earnings"],
    ].map(([label, measure]) =>
      flowColumn(label, units.money, query.flow(sales, measure, buckets, { inCurrency })),
    ),
    empty: `Nothing was sold in ${context.currency} in this selection.`,
  });
}

export const downloads = (context) =>
  byApp(context, {
    measure: "downloads",
    unit: context.units.count,
    columns: [
      ["Downloads", "downloads"],
      ["In-app items", "in_app_units"],
      ["Subscription charges", "subscription_units"],
    ].map(([label, measure]) =>
      flowColumn(
        label,
        context.units.count,
        context.query.flow(context.sales, measure, context.buckets),
      ),
    ),
    empty: "There are no downloads in this selection.",
  });

function byApp(context, { measure, unit, columns, empty }) {
  const { query, sales, buckets, data } = context;
  const column = data.tables[sales]?.app;
  const series = appSeries(context)
    .map((one) => ({
      ...one,
      values: query.flow(sales, measure, buckets, {
        inCurrency: unit.name === "money",
        where: (row) => one.has(column[row]),
      }),
    }))
    .filter(({ values }) => values.some(Boolean));
  const split = series.length > 1 ? series : [];
  return timeCard(context, {
    table: sales,
    unit,
    series,
    columns: [...columns, ...split.map(({ name, values }) => flowColumn(name, unit, values))],
    summary: [periodSentence(context, columns[0], unit), leadSentence(totalsOf(split))],
    empty,
  });
}

const totalsOf = (series) =>
  series.map(({ name, values, isRest }) => ({ name, isRest, value: values.reduce(add, null) }));

/** "$1,440 in 12 months, most in Jun 2024 with $130". */
function periodSentence({ buckets, grain }, { values, total }, unit) {
  if (total === null) return null;
  const [first] = buckets;
  if (buckets.length === 1) return `${unit.write(total)} in ${writeBucket(first, grain)}`;
  const entries = buckets
    .map((bucket, place) => ({ ...bucket, name: writeBucket(bucket, grain), value: values[place] }))
    .filter(({ isPartial }) => !isPartial);
  const most = mostSentence(entries, unit.write);
  return [`${unit.write(total)} in ${buckets.length} ${grain}s`, most].filter(Boolean).join(", ");
}

const KINDS = [
  ["Apps", "app", "series-1"],
  ["In-app items", "in_app", "series-2"],
  ["New subscriptions", "new_subscription", "series-4"],
  ["Renewals", "renewal", "series-3"],
  ["Other kinds", "other", "series-other"],
];

export function kinds(context) {
  const { query, buckets, units, data } = context;
  const inCurrency = true;
  const has = (name) => data.tables.sales && name in data.tables.sales;
  if (data.tables.sales && !has("app_net_sales")) {
    return {
      empty: "Unknown: the mart amazon_appstore__overview_report is older than this dashboard.",
    };
  }
  const all = KINDS.map(([name, kind, color]) => ({
    name,
    color,
    isRest: kind === "other",
    values: query.flow("sales", `${kind}_net_sales`, buckets, { inCurrency }),
    earnings: query.flow("sales", `${kind}_earnings`, buckets, { inCurrency }),
  }));
  const series = all.filter(
    ({ values, earnings }) => values.some(Boolean) || earnings.some(Boolean),
  );
  return timeCard(context, {
    table: "sales",
    unit: units.money,
    series,
    legend: series,
    columns: series.flatMap(({ name, values, earnings }) => [
      flowColumn(name, units.money, values),
      flowColumn(`${name}, earnings`, units.money, earnings),
    ]),
    summary: leadSentence(totalsOf(series), { isPlural: true }) ?? "Net sales by what was sold",
    empty: `Nothing was sold in ${context.currency} in this selection.`,
  });
}

export function refunds(context) {
  const { query, sales, buckets, units, period } = context;
  const inCurrency = true;
  const [gross, refunded, charged, reversed] = [
    "gross_sales",
    "refunded_sales",
    "charged_back_sales",
    "reversed_sales",
  ].map((measure) => query.flow(sales, measure, buckets, { inCurrency }));
  const rates = (values) => values.map((value, place) => divide(value, gross[place]));
  const totalOf = (measure) => query.total(sales, measure, period, { inCurrency });
  const total = (measure) => divide(totalOf(measure), totalOf("gross_sales"));
  const [refundRate, chargebackRate] = [total("refunded_sales"), total("charged_back_sales")];
  return timeCard(context, {
    table: sales,
    unit: units.share,
    mark: "lines",
    series: [
      { name: "Refunds", color: "loss-1", values: rates(refunded) },
      { name: "Chargebacks", color: "loss-2", values: rates(charged) },
    ],
    columns: [
      rateColumn("Refund rate", units.share, rates(refunded), "nothing was sold"),
      rateColumn("Chargeback rate", units.share, rates(charged), "nothing was sold"),
      flowColumn("Refunded", units.money, refunded),
      flowColumn("Charged back", units.money, charged),
      flowColumn("Chargebacks reversed", units.money, reversed),
      flowColumn("Gross sales", units.money, gross),
    ],
    summary:
      refundRate === null
        ? `Nothing was sold in ${context.currency}`
        : `Of gross sales, ${units.share.write(refundRate)} was refunded and ${units.share.write(chargebackRate)} charged back`,
    empty: joinSentences("No refunds and no chargebacks in this selection"),
  });
}

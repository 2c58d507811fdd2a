// The table of apps, with the course of each one's sales.

import { cellOf, finalBuckets, ignoredNote, reasonOf, textCell } from "../context.js";
import { divide } from "../data/query.js";
import {
  counted,
  joinSentences,
  listOf,
  NO_TITLE,
  writeChange,
  writeDay,
  writeMoney,
} from "../format.js";

const FLOWS = [
  "net_sales",
  "estimated_earnings",
  "downloads",
  "in_app_units",
  "gross_sales",
  "refunded_sales",
];

export function apps(context) {
  const { data, sales, period, isSold } = context;
  const reason = reasonOf(context, sales, period);
  if (reason) return { empty: `Unknown: ${reason}.` };
  const entries = appEntries(context);
  if (!entries.length) return { empty: "No app has sales or downloads in this selection." };
  const measure = isSold ? "net_sales" : "downloads";
  entries.sort(
    (a, b) =>
      (b[measure] ?? -1) - (a[measure] ?? -1) ||
      (b.downloads ?? 0) - (a.downloads ?? 0) ||
      a.name.localeCompare(b.name),
  );
  const ordered = [
    ...entries.filter(({ name }) => name !== NO_TITLE),
    ...entries.filter(({ name }) => name === NO_TITLE),
  ];
  return {
    summary: joinSentences(
      `${counted(ordered.length, "app")} with sales or downloads`,
      data.tables.mrr && isSold && levelSentence(context),
      ordered.some(({ name }) => name === NO_TITLE) &&
        `${NO_TITLE} are lines that Amazon reports without an app’s title`,
      ignoredNote(context, sales),
    ),
    table: appTable(context, ordered, measure),
  };
}

const levelDay = ({ query, period }) => query.levelDay("mrr", period.to);

const levelSentence = (context) => {
  const day = levelDay(context);
  return day && `MRR and subscribers on ${writeDay(day)}`;
};

function appEntries(context) {
  const { data, query, sales, period, previous, isSold } = context;
  const buckets = finalBuckets(context, sales);
  const { app: names, currency: codes } = data.dimensions;
  const table = data.tables[sales];
  const byApp = (rows, row) => rows.app[row];
  const amounts = query.group(sales, byApp, FLOWS, period, { inCurrency: true });
  const counts = query.group(sales, byApp, FLOWS, period);
  const others = query.group(
    sales,
    (rows, row) => `${rows.app[row]} ${rows.currency[row]}`,
    ["net_sales"],
    period,
  );
  const cut = { from: period.from, to: period.final };
  const former = previous && query.group(sales, byApp, FLOWS, previous, { inCurrency: isSold });
  const latter = query.group(sales, byApp, FLOWS, cut, { inCurrency: isSold });
  const measure = isSold ? "net_sales" : "downloads";
  return [...counts.keys()].map((app) => ({
    name: names[app],
    ...(amounts.get(app) ?? {}),
    net_sales: amounts.get(app)?.net_sales ?? null,
    downloads: counts.get(app).downloads,
    in_app_units: counts.get(app).in_app_units,
    refundRate: divide(
      amounts.get(app)?.refunded_sales ?? null,
      amounts.get(app)?.gross_sales ?? null,
    ),
    others: [...others.values()]
      .filter(
        ({ row, net_sales: value }) =>
          table.app[row] === app && table.currency[row] !== context.state.currency && value,
      )
      .map(({ row, net_sales: value }) => writeMoney(value, codes[table.currency[row]])),
    former: former?.get(app)?.[measure] ?? null,
    latter: latter.get(app)?.[measure] ?? null,
    trend: query.flow(sales, measure, buckets, {
      inCurrency: isSold,
      where: (row) => table.app[row] === app,
    }),
    ...levelsOf(context, app),
  }));
}

function levelsOf(context, app) {
  const { query, data } = context;
  const day = levelDay(context);
  const level = (name, measure, inCurrency) =>
    day && data.tables[name]
      ? query.level(name, measure, day, {
          inCurrency,
          where: (row) => data.tables[name].app[row] === app,
        })
      : null;
  return {
    mrr: level("mrr", "mrr", true),
    subscribers: level("subscribers", "subscribers", false),
  };
}

function appTable(context, entries, measure) {
  const { units, isSold, data, currency } = context;
  const unit = isSold ? units.money : units.count;
  const hasMrr = Boolean(data.tables.mrr?.length);
  const whyNot = ({ others }) =>
    others.length
      ? `sold in another currency: ${listOf(others)}`
      : `nothing was sold in ${currency}`;
  const noLevel = reasonOf(context, "mrr", context.period) ?? "unknown on this day";
  return {
    columns: [
      { label: "App" },
      ...(isSold ? [{ label: "Net sales", unit: "money" }] : []),
      { label: "Trend", kind: "trend" },
      { label: "Change", unit: "share" },
      ...(isSold ? [{ label: "Estimated earnings", unit: "money" }] : []),
      { label: "Downloads", unit: "count" },
      { label: "In-app items", unit: "count" },
      ...(isSold ? [{ label: "Refund rate", unit: "share" }] : []),
      ...(hasMrr
        ? [
            { label: "MRR", unit: "money" },
            { label: "Subscribers", unit: "count" },
          ]
        : []),
    ],
    isSortable: true,
    limit: 15,
    rows: entries.map((entry) => [
      textCell(entry.name, { isLast: entry.name === NO_TITLE }),
      ...(isSold ? [cellOf(entry.net_sales, units.money, whyNot(entry))] : []),
      {
        ...textCell(""),
        value: null,
        trend: entry.trend,
        trendName: `${entry.name}, ${measure.replace("_", " ")}`,
      },
      changeCell(entry, unit),
      ...(isSold ? [cellOf(entry.estimated_earnings, units.money, whyNot(entry))] : []),
      cellOf(entry.downloads, units.count),
      cellOf(entry.in_app_units, units.count),
      ...(isSold ? [cellOf(entry.refundRate, units.share, whyNot(entry))] : []),
      ...(hasMrr
        ? [cellOf(entry.mrr, units.money, noLevel), cellOf(entry.subscribers, units.count, noLevel)]
        : []),
    ]),
  };
}

function changeCell({ former, latter }, unit) {
  if (!(former > 0) || latter === null)
    return cellOf(null, unit, "there is nothing before to compare with");
  const share = (latter - former) / former;
  const text = writeChange(latter, former, unit);
  return {
    value: share,
    text,
    tone: /[1-9]/.test(text) ? Math.sign(share) : 0,
    why: null,
  };
}

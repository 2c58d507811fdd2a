// The tiles: a figure, its change against the previous period, and its course.

import { finalBuckets, finalMonths, reasonOf } from "../context.js";
import { add, divide } from "../data/query.js";
import { counted, writeDay, writeShare } from "../format.js";
import { tileOf } from "./tile.js";
import {
  active,
  conversion,
  mrrChurnTile,
  paidChurnTile,
  paying,
  recurring,
} from "./tiles-subscriptions.js";

/** Return the tiles that make sense for the data, in order. */
export function tilesOf(context) {
  const { isSold, data } = context;
  const hasSubscriptions = Boolean(data.tables.mrr?.length || data.tables.subscriptions?.length);
  return [
    isSold && netSales(context),
    isSold && flowTile(context, "earnings", "Estimated earnings", "estimated_earnings", keptNote),
    flowTile(context, "downloads", "Downloads", "downloads", meanNote),
    flowTile(context, "in-app", "In-app items", "in_app_units", chargesNote),
    isSold && lossRate(context, "refunds", "Refund rate", "refunded_sales"),
    isSold && lossRate(context, "chargebacks", "Chargeback rate", "charged_back_sales"),
    ...(hasSubscriptions ? subscriptionTiles(context) : []),
  ].filter(Boolean);
}

function subscriptionTiles(context) {
  const tiles = [paying(context), active(context), conversion(context)];
  if (!context.isSold) return tiles;
  return [
    recurring(context),
    paying(context),
    mrrChurnTile(context),
    ...tiles.slice(1),
    paidChurnTile(context),
  ];
}

const isAmount = (measure) => /sales|earnings|mrr/.test(measure);

/** A flow's sum up to the last final day beside that of the period before. */
function comparison(context, compute) {
  const { period, previous } = context;
  if (!previous) return null;
  return {
    value: compute(previous),
    current: compute({ from: period.from, to: period.final }),
    until: period.final < period.to ? writeDay(period.final) : null,
  };
}

function flowTile(context, id, label, measure, describe) {
  const { query, sales, units, period } = context;
  const options = { inCurrency: isAmount(measure) };
  const compute = (span) => query.total(sales, measure, span, options);
  const value = compute(period);
  return tileOf(context, {
    id,
    label,
    table: sales,
    unit: isAmount(measure) ? units.money : units.count,
    value,
    before: comparison(context, compute),
    note: value === null ? null : describe(context, value),
    spark: query.flow(sales, measure, finalBuckets(context, sales), options),
  });
}

const netSales = (context) =>
  flowTile(context, "net-sales", "Net sales", "net_sales", ({ query, sales, period, units }) => {
    const gross = query.total(sales, "gross_sales", period, { inCurrency: true });
    return `${units.money.write(gross)} before refunds and chargebacks`;
  });

function keptNote({ query, sales, period }, earnings) {
  const net = query.total(sales, "net_sales", period, { inCurrency: true });
  const kept = divide(earnings, net);
  return kept === null ? null : `${writeShare(kept)} of net sales`;
}

/** The mean of the full months, which newest days and half months would falsify. */
function meanNote(context, downloads) {
  const { query, sales, units } = context;
  const months = finalMonths(context, sales);
  if (months.length < 2) return null;
  const sum = query.flow(sales, "downloads", months).reduce(add, 0);
  const mean = `${units.count.write(Math.round(sum / months.length))} a month`;
  return sum === downloads ? mean : `${mean} in ${months.length} full months`;
}

function chargesNote({ query, sales, period }) {
  const charges = query.total(sales, "subscription_units", period);
  return charges ? `Plus ${counted(charges, "subscription charge")}` : null;
}

function lossRate(context, id, label, measure) {
  const { query, sales, period, units, currency } = context;
  const sumOf = (name, span) => query.total(sales, name, span, { inCurrency: true });
  const rate = (span) => divide(sumOf(measure, span), sumOf("gross_sales", span));
  const lost = sumOf(measure, period);
  return tileOf(context, {
    id,
    label,
    table: sales,
    unit: units.share,
    value: rate(period),
    why: reasonOf(context, sales, period) ?? `nothing was sold in ${currency}`,
    before: comparison(context, rate),
    note: lost === null ? null : `${units.money.write(lost)} of gross sales`,
    spark: finalBuckets(context, sales).map(({ start, end }) => rate({ from: start, to: end })),
    good: -1,
  });
}

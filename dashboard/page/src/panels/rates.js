// Rates of months: sums divided by sums, of full final months that have what they divide by.

import { finalMonths } from "../context.js";
import { add, divide } from "../data/query.js";

const sumOf = (values) => values.reduce(add, null);

/** Levels at the end of the day before each month. */
const levelsBefore = ({ query }, months, table, measure, options) =>
  query.levels(
    table,
    measure,
    months.map(({ start }) => ({ start: start - 1, end: start - 1 })),
    options,
  );

/** Gross and net MRR churn: {months, rate(months), net(months)}. */
export function mrrChurn(context) {
  const { query } = context;
  const options = { inCurrency: true };
  const months = finalMonths(context, "mrr");
  const before = levelsBefore(context, months, "mrr", "mrr", options);
  const [churned, contraction, expansion, reactivated] = [
    "churned_mrr",
    "contraction_mrr",
    "expansion_mrr",
    "reactivated_mrr",
  ].map((measure) => query.flow("mrr", measure, months, options));
  const lost = (place) => add(churned[place], contraction[place]);
  const netLost = (place) => lost(place) - expansion[place] - reactivated[place];
  const rate = (part) => (some) => {
    const places = some.map((month) => months.indexOf(month)).filter((place) => before[place] > 0);
    return divide(sumOf(places.map(part)), sumOf(places.map((place) => before[place])));
  };
  return {
    months: months.filter((_, place) => before[place] > 0),
    rate: rate(lost),
    net: rate(netLost),
  };
}

/** Churn of paid subscriptions by Amazon's counts: {months, rate(months), ended(months), before(months)}. */
export function churnedPaid(context) {
  const { query } = context;
  const all = finalMonths(context, "subscriptions");
  const paid = levelsBefore(context, all, "subscriptions", "paid_active");
  const months = all.filter((_, place) => paid[place] > 0);
  const before = new Map(all.map((month, place) => [month, paid[place]]));
  const ended = new Map(
    query.flow("subscriptions", "paid_ended", months).map((value, place) => [months[place], value]),
  );
  const sum = (values) => (some) => sumOf(some.map((month) => values.get(month)));
  return {
    months,
    ended: sum(ended),
    before: sum(before),
    rate: (some) => divide(sum(ended)(some), sum(before)(some)),
  };
}

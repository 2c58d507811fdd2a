// The sentences at the top: what is loaded, what is shown, and what the amounts leave out.

import { describeFilters } from "./context.js";
import { dayOf } from "./data/calendar.js";
import { byId } from "./dom.js";
import { counted, joinSentences, listOf, writeDay, writeMoney, writeSpan } from "./format.js";

export function showStatus(context) {
  byId("coverage").textContent = coverageText(context);
  byId("status").textContent = statusText(context);
  byId("currencies").textContent = currencyText(context) ?? "";
  byId("free").hidden = context.isSold;
}

function coverageText({ data, query }) {
  const day = (name) => query.coverage(name)?.last;
  const [sales, subscriptions] = [day("sales"), day("subscriptions")];
  const apps = data.dimensions.app;
  return [
    apps.length === 1 ? apps[0] : counted(apps.length, "app"),
    sales && `sales up to ${writeDay(sales)}`,
    subscriptions && `subscriptions up to ${writeDay(subscriptions)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function statusText(context) {
  const { query, sales, period, isSold, units, previous } = context;
  const downloads = query.total(sales, "downloads", period);
  const net = query.total(sales, "net_sales", period, { inCurrency: true });
  const figures = [
    isSold && net !== null && `net sales of ${units.money.write(net)}`,
    downloads !== null && counted(downloads, "download"),
  ].filter(Boolean);
  const provisional =
    period.final < period.to && `Days after ${writeDay(period.final)} are provisional`;
  return joinSentences(
    `${writeSpan(period)}, ${describeFilters(context).join(", ")}: ${listOf(figures) || "no sales known"}`,
    provisional,
    previous && `Changes are against ${writeSpan(previous)}`,
  );
}

/** What was sold in other currencies, and how amounts were converted. */
function currencyText({ data, query, sales, period, currency, state, isSold }) {
  if (!isSold) return null;
  const { reporting } = data;
  const codes = data.dimensions.currency;
  const groups = query.group(sales, (table, row) => table.currency[row], ["net_sales"], period);
  const others = [...groups]
    .filter(([place, { net_sales: value }]) => place !== state.currency && value)
    .map(([place, { net_sales: value }]) => writeMoney(value, codes[place]));
  const isConverted = reporting?.currency === currency;
  return joinSentences(
    isConverted && `Amounts are converted to ${currency}${ratesText(reporting)}`,
    others.length &&
      `Not in these amounts, because sold in another currency${isConverted ? " without an exchange rate" : ""}: net sales of ${listOf(others)}`,
  );
}

const ratesText = ({ rates_date: date }) =>
  date ? `, with exchange rates up to ${writeDay(dayOf(date))}` : "";

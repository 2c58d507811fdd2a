// Shows the figures that stand in the page, as the filters choose. Nothing is ever loaded.
//
// The data are rows by month, app and mostly currency; a row's month, app, currency, … are places in
// the lists of `dimensions`. Amounts become whole millionths of a currency, whose sums are exact.
//
// What comes from the data reaches the document as text alone, never as markup.

const figures = JSON.parse(document.getElementById("data").textContent);
const { month: MONTHS, app: APPS, currency: CURRENCIES } = figures.dimensions;
const MICRO = 1_000_000;
const TABLES = Object.fromEntries(
  Object.entries(figures.tables).map(([name, table]) => [name, rowsOf(table)]),
);

function rowsOf({ columns, amounts, rows }) {
  const read = (column, value) => (amounts.includes(column) ? Math.round(value * MICRO) : value);
  const rowOf = (values) =>
    Object.fromEntries(columns.map((column, place) => [column, read(column, values[place])]));
  return rows.flatMap(([common, group]) => group.map((values) => rowOf([...common, ...values])));
}

const NAMED_APPS = 6; // As many have a colour of their own.
const RANKS = 10; // As many bars has a chart of countries or devices,
const PRODUCTS = 15; // and as many rows the table of products, before one asks for more.
const NONE = "—";

const element = (id) => document.getElementById(id);

// ---- Numbers and names: numbers and dates as the reader has them, names in the page's language

const LOCALE = navigator.languages.length ? [...navigator.languages] : undefined;
const DAY = 24 * 3600 * 1000;

const plain = new Intl.NumberFormat(LOCALE);
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 1 });
const compact = { notation: "compact", maximumFractionDigits: 1 };
const compactly = new Intl.NumberFormat(LOCALE, compact);

function dateFormat(options) {
  const format = new Intl.DateTimeFormat(LOCALE, { ...options, timeZone: "UTC" });
  return (text) => format.format(new Date(text));
}

const monthAndYear = dateFormat({ month: "short", year: "numeric" });
const monthOnly = dateFormat({ month: "short" });
const yearOnly = dateFormat({ year: "numeric" });
const dayMonthYear = dateFormat({ day: "numeric", month: "long", year: "numeric" });

const monthName = (month) => monthAndYear(MONTHS[month]);
const count = (number) => plain.format(number);
const share = (number) => (number === null ? NONE : percent.format(number));
const signed = (micros) => money(micros, { signDisplay: "exceptZero" });

/** "1 trial", "2 trials". */
const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

const sentences = (...parts) =>
  parts
    .filter(Boolean)
    .map((part) => `${part}.`)
    .join(" ");

/** An amount in the chosen currency. */
const money = (micros, options = {}) =>
  moneyFormat(CURRENCIES[chosen.currency], options)(micros / MICRO);

const moneyFormats = new Map(); // Making a format takes longer than using it.

function moneyFormat(currency, options) {
  const key = JSON.stringify([currency, options]);
  if (!moneyFormats.has(key)) moneyFormats.set(key, newMoneyFormat(currency, options));
  return moneyFormats.get(key);
}

function newMoneyFormat(currency, options) {
  try {
    return new Intl.NumberFormat(LOCALE, { style: "currency", currency, ...options }).format;
  } catch {
    // Not a code of three letters: then it stands beside the amount as the report has it.
    const { format } = new Intl.NumberFormat(LOCALE, options);
    return (amount) => `${format(amount)} ${currency}`;
  }
}

/** How the values of a chart are written, and how those on its axis. */
const MONEY = { write: money, divisor: MICRO, axis: "pageMoney" };
const CHANGE = { ...MONEY, write: signed };
const COUNT = { write: count, divisor: 1, axis: "pageCount" };
const SHARE = { write: share, divisor: 1, axis: "pageShare" };

function named(type, code) {
  try {
    return new Intl.DisplayNames("en", { type }).of(code);
  } catch {
    return code;
  }
}

function currencyName(currency) {
  const code = CURRENCIES[currency];
  const name = named("currency", code);
  return name === code ? code : `${name} (${code})`;
}

// ---- Filters

const chosen = {};

const paidIn = (currency) =>
  TABLES.overview.some((row) => row.currency === currency && (row.gross_sales || row.net_sales)) ||
  TABLES.mrr.some((row) => row.currency === currency && row.mrr);
const paidCurrencies = [...CURRENCIES.keys()].filter(paidIn);
const sold = paidCurrencies.length > 0;

function prepareFilters() {
  const months = MONTHS.map((_, month) => [monthName(month), month]);
  const apps = APPS.map((name, app) => [name, app]).sort(([a], [b]) => a.localeCompare(b));
  fill("from", months);
  fill("to", months);
  fill("app", apps, ["All apps", ""]);
  fill(
    "currency",
    paidCurrencies.map((currency) => [currencyName(currency), currency]),
  );
  element("filters").hidden = !document.querySelector("#filters p:not([hidden])");
  reset();
  element("reset").addEventListener("click", () => {
    reset();
    draw();
  });
  document.addEventListener("change", ({ target }) => {
    if (target.form?.id === "filters") choose(target);
  });
}

function fill(name, choices, ...first) {
  const options = [...first, ...choices].map(([text, value]) => new Option(text, value));
  element(name).replaceChildren(...options);
  element(`${name}-field`).hidden = choices.length < 2;
}

function reset() {
  Object.assign(chosen, {
    from: 0,
    to: MONTHS.length - 1,
    app: null,
    currency: paidCurrencies[0] ?? null,
    by: sold ? "net_sales" : "units",
  });
  showChosen();
}

function choose({ name, value }) {
  if (name === "by") chosen.by = value;
  else chosen[name] = value === "" ? null : Number(value);
  // A period that would end before it begins becomes the month that was chosen last.
  if (name === "from") chosen.to = Math.max(chosen.from, chosen.to);
  if (name === "to") chosen.from = Math.min(chosen.from, chosen.to);
  showChosen();
  draw();
}

function showChosen() {
  for (const name of ["from", "to", "app", "currency"]) element(name).value = chosen[name] ?? "";
  document.querySelector(`[name="by"][value="${chosen.by}"]`).checked = true;
}

// ---- The figures that are chosen

const inCurrency = (row) => row.currency === chosen.currency;

/** Rows of the chosen period and app, in whatever currency: for counts. */
const countRows = (table) =>
  TABLES[table].filter(
    ({ month, app }) =>
      chosen.from <= month && month <= chosen.to && (chosen.app === null || chosen.app === app),
  );

/** Rows of the chosen period, app and currency: for amounts. */
const amountRows = (table) => countRows(table).filter(inCurrency);

const sum = (rows, measure) => rows.reduce((total, row) => total + row[measure], 0);
const ratio = (part, whole) => (whole > 0 ? part / whole : null);
const highest = (items, value) =>
  items.reduce((best, item) => (value(item) > value(best) ? item : best), items[0]);
const inMonth = (rows, month) => rows.filter((row) => row.month === month);

/** The months of the chosen period. */
const period = () => [...MONTHS.keys()].slice(chosen.from, chosen.to + 1);

/** Those of them that a table can tell of: it may begin later and end sooner than others. */
function monthsOf(table) {
  const rows = TABLES[table]; // in the order of months
  return period().filter((month) => rows[0]?.month <= month && month <= rows.at(-1).month);
}

/** Whether the subscription report has a month's last day. */
function isOver(month) {
  const next = new Date(MONTHS[month]);
  next.setUTCMonth(next.getUTCMonth() + 1);
  return new Date(figures.last_days.subscriptions) >= next.getTime() - DAY;
}

/** Churn of the full months before which somebody was paying. */
function churnByMonth() {
  const rows = countRows("subscriptions");
  return monthsOf("subscriptions")
    .filter(isOver)
    .map((month) => ({ month, rows: inMonth(rows, month) }))
    .map(({ month, rows }) => ({
      month,
      ended: sum(rows, "paid_ended"),
      before: sum(rows, "paid_active_before"),
    }))
    .filter(({ before }) => before > 0);
}

// ---- Tiles

function tile(id, value, text, note) {
  const [data, small] = element(`tile-${id}`).children[1].children;
  data.value = value ?? "";
  data.textContent = text;
  small.textContent = note;
}

function drawSalesTiles() {
  const rows = countRows("overview");
  const [downloads, items, charges] = ["downloads", "in_app_units", "subscription_units"].map(
    (measure) => sum(rows, measure),
  );
  const months = period().length;
  const mean = months > 1 ? `${count(Math.round(downloads / months))} a month` : "";
  tile("downloads", downloads, count(downloads), mean);
  tile(
    "in-app",
    items,
    count(items),
    charges ? `and ${counted(charges, "subscription charge")}` : "",
  );
}

function drawAmountTiles() {
  const rows = amountRows("overview");
  const [net, gross, earnings] = ["net_sales", "gross_sales", "estimated_earnings"].map((measure) =>
    sum(rows, measure),
  );
  const kept = ratio(earnings, net);
  tile("net-sales", net / MICRO, money(net), `${money(gross)} before refunds`);
  tile("earnings", earnings / MICRO, money(earnings), kept ? `${share(kept)} of net sales` : "");
}

function drawSubscriptionTiles() {
  if (sold) drawRevenueTile();
  drawActiveTile();
  const churn = churnByMonth();
  const ended = sum(churn, "ended");
  const lost = ratio(ended, sum(churn, "before"));
  tile(
    "churn",
    lost,
    share(lost),
    churn.length ? `${count(ended)} subscriptions ended` : "not known",
  );
  const rows = countRows("subscriptions");
  const converted = sum(rows, "trial_conversions");
  const decided = converted + sum(rows, "trial_ended");
  const rate = ratio(converted, decided);
  tile("conversion", rate, share(rate), `${count(converted)} of ${counted(decided, "trial")}`);
}

function drawRevenueTile() {
  const last = monthsOf("mrr").at(-1);
  if (last === undefined) return tile("mrr", null, NONE, "not known");
  const rows = inMonth(amountRows("mrr"), last);
  const mrr = sum(rows, "mrr");
  tile("mrr", mrr / MICRO, money(mrr), `of ${counted(sum(rows, "subscribers"), "subscriber")}`);
}

function drawActiveTile() {
  const last = monthsOf("subscriptions").at(-1);
  if (last === undefined) return tile("active", null, NONE, "not known");
  const rows = inMonth(countRows("subscriptions"), last);
  const [active, paid, trials] = ["active", "paid_active", "trial_active"].map((measure) =>
    sum(rows, measure),
  );
  tile("active", active, count(active), `${count(paid)} paid, ${counted(trials, "trial")}`);
}

// ---- Cards
//
// Each function says what its card shows: a summary and, unless there is nothing to show, a table
// and a chart, the latter as a function from its width to a specification for Vega-Lite.

const CARDS = {
  revenue: () =>
    byApp("net_sales", MONEY, amountRows("overview"), {
      "Net sales": "net_sales",
      "Gross sales": "gross_sales",
      "Estimated earnings": "estimated_earnings",
    }),
  downloads: () => byApp("downloads", COUNT, countRows("overview"), { Downloads: "downloads" }),
  mrr: recurringRevenue,
  movements,
  active: activeSubscriptions,
  churn,
  countries: () => breakdown("countries", "country", "Country"),
  devices: () => breakdown("devices", "device", "Device"),
};

function byApp(measure, unit, rows, columns) {
  if (rows.every((row) => !row[measure])) return { summary: nothing(measure) };
  const months = period();
  const series = appSeries(rows.filter((row) => row[measure]));
  const split = series.length > 1 ? series : [];
  const line = (some) => [
    ...Object.values(columns).map((column) => unit.write(sum(some, column))),
    ...split.map(({ has }) => unit.write(sum(some.filter(has), measure))),
  ];
  return {
    summary: appSummary(rows, measure, unit, split),
    legend: split,
    spec: bars(months, series, unit, (month, { has }) =>
      sum(inMonth(rows, month).filter(has), measure),
    ),
    table: {
      head: ["Month", ...Object.keys(columns), ...split.map(({ name }) => name)],
      ...byMonth(months, rows, line),
    },
  };
}

function nothing(measure) {
  if (measure === "downloads") return "There are no downloads in this selection.";
  if (measure === "units") return "There are no units in this selection.";
  return "Nothing was sold for money in this selection.";
}

function appSummary(rows, measure, unit, series) {
  const months = period();
  const total = sum(rows, measure);
  const ofMonth = (month) => sum(inMonth(rows, month), measure);
  const best = highest(months, ofMonth);
  const ofApp = ({ has }) => sum(rows.filter(has), measure);
  const first = highest(
    series.filter(({ color }) => color !== "series-other"),
    ofApp,
  );
  const part = first && ratio(ofApp(first), total);
  return sentences(
    months.length > 1
      ? `${unit.write(total)} in ${months.length} months, most in ${monthName(best)} with ${unit.write(ofMonth(best))}`
      : `${unit.write(total)} in ${monthName(best)}`,
    part && `${first.name} makes up ${share(part)}`,
  );
}

/** The apps of these rows, those that matter less together, each in its own colour whatever is chosen. */
function appSeries(rows) {
  const others = APPS.slice(NAMED_APPS);
  return [
    ...APPS.slice(0, NAMED_APPS).map((name, place) => ({
      name,
      color: `series-${place + 1}`,
      has: ({ app }) => app === place,
    })),
    {
      name: others.length === 1 ? others[0] : "Other apps",
      color: "series-other",
      has: ({ app }) => app >= NAMED_APPS,
    },
  ].filter(({ has }) => rows.some(has));
}

const MOVEMENTS = [
  { name: "New", measure: "new", color: "gain-1", sign: 1 },
  { name: "Reactivated", measure: "reactivated", color: "gain-2", sign: 1 },
  { name: "Expansion", measure: "expansion", color: "gain-3", sign: 1 },
  { name: "Contraction", measure: "contraction", color: "loss-1", sign: -1 },
  { name: "Churned", measure: "churned", color: "loss-2", sign: -1 },
];

const moved = (rows, { measure, sign }) => sign * sum(rows, measure) || 0;
const change = (rows) => MOVEMENTS.reduce((total, movement) => total + moved(rows, movement), 0);

function recurringRevenue() {
  const rows = amountRows("mrr");
  if (rows.every(({ mrr }) => !mrr))
    return { summary: "No subscription is paid for in this selection." };
  const months = monthsOf("mrr");
  const [first, last] = [months[0], months.at(-1)];
  const at = (month) => sum(inMonth(rows, month), "mrr");
  const before = at(first) - change(inMonth(rows, first));
  return {
    summary: sentences(
      `${money(before)} before ${monthName(first)}, ${money(at(last))} at the end of ${monthName(last)}`,
    ),
    spec: lines(months, { name: "MRR", color: "series-1" }, MONEY, at, { area: true }),
    table: {
      head: ["Month", "MRR", "Change", "Subscribers"],
      ...byMonth(months, rows, (some) => [
        money(sum(some, "mrr")),
        signed(change(some)),
        count(sum(some, "subscribers")),
      ]),
      foot: null,
    },
  };
}

function movements() {
  const rows = amountRows("mrr");
  const shown = MOVEMENTS.filter(({ measure }) => rows.some((row) => row[measure]));
  if (!shown.length)
    return { summary: "Monthly recurring revenue did not change in this selection." };
  const months = monthsOf("mrr");
  const parts = shown.map((one) => `${one.name.toLowerCase()} ${signed(moved(rows, one))}`);
  return {
    summary: sentences(`${signed(change(rows))} in all: ${parts.join(", ")}`),
    legend: shown,
    spec: bars(months, shown, CHANGE, (month, one) => moved(inMonth(rows, month), one)),
    table: {
      head: ["Month", ...MOVEMENTS.map(({ name }) => name), "Change"],
      ...byMonth(months, rows, (some) => [
        ...MOVEMENTS.map((one) => signed(moved(some, one))),
        signed(change(some)),
      ]),
    },
  };
}

function activeSubscriptions() {
  const rows = countRows("subscriptions");
  const measures = ["active", "paid_active", "trial_active", "started", "ended", "refunded"];
  if (rows.every((row) => measures.every((measure) => !row[measure]))) {
    return { summary: "There are no subscriptions in this selection." };
  }
  const months = monthsOf("subscriptions");
  const last = months.at(-1);
  const series = [
    { name: "Paid", measure: "paid_active", color: "series-1" },
    { name: "Trial", measure: "trial_active", color: "series-2" },
  ];
  return {
    summary: sentences(
      `${count(sum(inMonth(rows, last), "active"))} at the end of ${monthName(last)}`,
      `In this period ${count(sum(rows, "started"))} started and ${count(sum(rows, "ended"))} ended`,
    ),
    legend: series,
    spec: bars(months, series, COUNT, (month, { measure }) => sum(inMonth(rows, month), measure)),
    table: {
      head: ["Month", "Active", "Paid", "Trial", "Started", "Ended", "Refunded"],
      ...byMonth(months, rows, (some) => measures.map((measure) => count(sum(some, measure)))),
      foot: null,
    },
  };
}

function churn() {
  const rows = churnByMonth();
  if (!rows.length)
    return { summary: "Churn is known of full months alone, and this selection has none." };
  const rate = (some) => ratio(sum(some, "ended"), sum(some, "before"));
  const worst = highest(rows, ({ ended, before }) => ended / before);
  const months = rows.map(({ month }) => month);
  const line = (some) => [share(rate(some)), count(sum(some, "ended")), count(sum(some, "before"))];
  return {
    summary: sentences(
      `${share(rate(rows))} a month`,
      rows.length > 1 && `The highest was ${share(rate([worst]))} in ${monthName(worst.month)}`,
    ),
    spec: lines(months, { name: "Churn", color: "loss-2" }, SHARE, (month) =>
      rate(inMonth(rows, month)),
    ),
    table: {
      head: ["Month", "Churn", "Paid, ended", "Paid, the day before"],
      ...byMonth(months, rows, line),
      foot: null,
    },
  };
}

function breakdown(table, dimension, title) {
  const ranked = ranking(table, dimension);
  const shown = ranked.filter((one) => one[chosen.by]);
  if (!shown.length) return { summary: nothing(chosen.by) };
  const unit = chosen.by === "units" ? COUNT : MONEY;
  const [first] = shown;
  const part = ratio(first[chosen.by], sum(shown, chosen.by));
  return {
    summary: sentences(
      part && shown.length > 1
        ? `${first.name} leads with ${share(part)}`
        : `${first.name}: ${unit.write(first[chosen.by])}`,
      shown.length > RANKS && `The table has ${count(shown.length - RANKS)} more`,
    ),
    spec: ranks(shown.slice(0, RANKS), unit),
    table: {
      head: [title, "Downloads", "Units", ...(sold ? ["Net sales"] : [])],
      rows: ranked.map((one) => [one.name, count(one.downloads), ...unitsAndSales(one)]),
    },
  };
}

const unitsAndSales = ({ units, net_sales: sales }) => [
  count(units),
  ...(sold ? [money(sales)] : []),
];

/** The values of a dimension, the highest first; what is known only as others comes last. */
function ranking(table, dimension) {
  const entries = new Map();
  for (const row of countRows(table)) {
    const key = keyOf(row, dimension);
    if (!entries.has(key))
      entries.set(key, { ...describe(row, dimension), net_sales: 0, units: 0, downloads: 0 });
    const entry = entries.get(key);
    entry.units += row.units;
    entry.downloads += row.downloads ?? 0;
    if (inCurrency(row)) entry.net_sales += row.net_sales;
  }
  const by = chosen.by;
  return [...entries.values()]
    .filter((one) => one.net_sales || one.units)
    .sort(
      (a, b) =>
        a.isOther - b.isOther || b[by] - a[by] || b.units - a.units || a.name.localeCompare(b.name),
    );
}

const isOther = (row, dimension) => figures.dimensions[dimension][row[dimension]] === null;

/** A product is one of its app; countries and devices are the same for all apps. */
const keyOf = (row, dimension) =>
  dimension === "product" && !isOther(row, dimension)
    ? `${row.app} ${row.product}`
    : `${row[dimension]}`;

const OTHERS = { country: "Other countries", device: "Other devices", product: "Other products" };

function describe(row, dimension) {
  const value = figures.dimensions[dimension][row[dimension]];
  if (value === null) return { name: OTHERS[dimension], isOther: true };
  if (dimension === "product") return { ...describeProduct(value, APPS[row.app]), isOther: false };
  const name = dimension === "country" && value ? named("region", value) : value;
  return { name: name || `Unknown ${dimension}`, isOther: false };
}

function describeProduct([type, sku, asin, title], app) {
  const name = title || sku || asin || "Unknown product";
  const details = [type, sku || asin, app].filter((text) => text && text !== name);
  return { name, details: details.join(" · ") };
}

// ---- Charts

const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const point = (month, value, { name, color: tone }, { write, divisor }) => ({
  month: MONTHS[month],
  when: monthName(month),
  name,
  color: color(tone),
  value: value / divisor,
  text: write(value),
});

// `title` is what Vega's tooltip shows as its title.
const tooltip = [
  { field: "name", title: "title" },
  { field: "when", title: "Month" },
  { field: "text", title: "Value" },
];

/** Bars stand apart as long as that leaves something of them. */
function barWidth(width, number) {
  const step = width / number;
  return step < 8 ? step + 0.5 : Math.min(48, 0.66 * step);
}

function bars(months, series, unit, value) {
  return (width) => ({
    height: 220,
    data: {
      // A bar of no height would still be outlined, and cut a gap into the axis.
      values: months
        .flatMap((month) =>
          series.map((one, place) => ({ place, ...point(month, value(month, one), one, unit) })),
        )
        .filter((bar) => bar.value),
    },
    mark: {
      type: "bar",
      width: barWidth(width - 56, months.length),
      stroke: color("surface"),
      strokeWidth: series.length > 1 && months.length < 30 ? 1 : 0,
    },
    encoding: {
      x: monthAxis(months, width),
      y: { field: "value", type: "quantitative", axis: valueAxis(unit), stack: "zero" },
      color: { field: "color", type: "nominal", scale: null },
      order: { field: "place", type: "quantitative" },
      tooltip,
    },
  });
}

function lines(months, series, unit, value, { area = false } = {}) {
  return (width) => ({
    height: 220,
    data: { values: months.map((month) => point(month, value(month), series, unit)) },
    encoding: {
      x: monthAxis(months, width),
      y: { field: "value", type: "quantitative", axis: valueAxis(unit) },
      tooltip,
    },
    layer: [
      ...(area ? [{ mark: { type: "area", color: color(series.color), opacity: 0.14 } }] : []),
      { mark: { type: "line", color: color(series.color), strokeWidth: 2.5 } },
      {
        mark: {
          type: "point",
          filled: true,
          opacity: 1,
          size: months.length > 30 ? 16 : 52,
          color: color(series.color),
        },
      },
    ],
  });
}

function ranks(entries, { write, divisor }) {
  const values = entries.map((one) => ({
    name: one.name,
    value: one[chosen.by] / divisor,
    text: write(one[chosen.by]),
    end: Math.max(0, one[chosen.by] / divisor),
  }));
  return (width) => {
    const names = Math.min(0.4 * width, 180);
    // Room for what is written behind the longest bar.
    const room = 8 * Math.max(...values.map(({ text }) => text.length)) + 8;
    const reach =
      Math.max(...values.map(({ end }) => end)) / (1 - Math.min(0.6, room / (width - names)));
    const x = {
      type: "quantitative",
      axis: null,
      scale: { domain: [Math.min(0, ...values.map(({ value }) => value)), reach], nice: false },
    };
    return {
      height: 30 * values.length,
      data: { values },
      encoding: {
        y: {
          field: "name",
          type: "nominal",
          sort: null,
          axis: { title: null, labelLimit: names, labelPadding: 8, domain: false, ticks: false },
        },
      },
      layer: [
        {
          mark: { type: "bar", color: color("series-1"), height: 14, cornerRadiusEnd: 3 },
          encoding: { x: { field: "value", ...x }, tooltip: [tooltip[0], tooltip[2]] },
        },
        {
          mark: { type: "text", align: "left", dx: 6, color: color("text"), fontSize: 12 },
          encoding: { x: { field: "end", ...x }, text: { field: "text" } },
        },
      ],
    };
  };
}

/** An axis with as many months as there is room for, among them the Januaries. */
function monthAxis(months, width) {
  const fitting = (months.length * 46) / (width - 56);
  const step = [1, 2, 3, 6, 12, 24, 48].find((size) => size >= fitting) ?? 96;
  const number = (month) =>
    Number(MONTHS[month].slice(0, 4)) * 12 + Number(MONTHS[month].slice(5)) - 1;
  const shown = months.filter((month) => number(month) % step === 0).map((month) => MONTHS[month]);
  return {
    field: "month",
    type: "ordinal",
    scale: { domain: months.map((month) => MONTHS[month]) },
    axis: {
      title: null,
      values: shown,
      // Where to write the year.
      format: shown[0] ?? "",
      formatType: "pageMonth",
      labelAngle: 0,
      labelOverlap: false,
      labelPadding: 6,
      grid: false,
      ticks: false,
    },
  };
}

const valueAxis = ({ axis }) => ({
  title: null,
  formatType: axis,
  tickCount: 4,
  ...(axis === "pageCount" ? { tickMinStep: 1 } : {}),
  domain: false,
  ticks: false,
  labelPadding: 8,
});

/** How axes write their labels. */
const AXES = {
  pageMonth: (month, first) =>
    month === first || month.endsWith("-01")
      ? [monthOnly(month), yearOnly(month)]
      : monthOnly(month),
  pageMoney: (amount) => money(amount * MICRO, compact),
  pageCount: (number) => compactly.format(number),
  pageShare: share,
};

const theme = () => ({
  aria: false, // The chart as a whole has a name and a summary, and its table has the figures.
  background: null,
  customFormatTypes: true,
  font: getComputedStyle(document.body).fontFamily,
  view: { stroke: null },
  axis: {
    labelColor: color("muted"),
    labelFontSize: 12,
    gridColor: color("line"),
    domainColor: color("line"),
  },
});

const EMBEDDING = {
  actions: false,
  ast: true, // The page's policy lets no text be run as code.
  defaultStyle: false,
  expressionFunctions: AXES,
  renderer: "svg",
  tooltip: { theme: "page", disableDefaultStyle: true },
};

// ---- Drawing

const views = new Map();
let turn = 0;
let drawing = Promise.resolve();

function draw() {
  drawCoverage();
  element("status").textContent = statusText();
  drawSalesTiles();
  if (sold) drawAmountTiles();
  if (element("tile-mrr")) drawSubscriptionTiles();
  drawProducts();
  drawCards();
}

function drawCoverage() {
  const { overview, subscriptions } = figures.last_days;
  const parts = [
    APPS.length === 1 ? APPS[0] : counted(APPS.length, "app"),
    overview && `sales until ${dayMonthYear(overview)}`,
    subscriptions && `subscriptions until ${dayMonthYear(subscriptions)}`,
  ];
  element("coverage").textContent = parts.filter(Boolean).join(" · ");
}

function statusText() {
  const rows = countRows("overview");
  const left = paidCurrencies.filter(
    (currency) =>
      currency !== chosen.currency &&
      rows.some((row) => row.currency === currency && row.net_sales),
  );
  const [from, to] = [monthName(chosen.from), monthName(chosen.to)];
  const where = `${from === to ? from : `${from} to ${to}`}, ${chosen.app === null ? "all apps" : APPS[chosen.app]}`;
  const downloads = counted(sum(rows, "downloads"), "download");
  const sales = sold ? `net sales of ${money(sum(rows.filter(inCurrency), "net_sales"))} and ` : "";
  return sentences(
    `${where}: ${sales}${downloads}`,
    left.length &&
      `Sales in ${left.map((currency) => CURRENCIES[currency]).join(", ")} are not in these amounts`,
  );
}

/** Draws the cards, after those that are being drawn; only the last call is worth finishing. */
function drawCards() {
  const mine = ++turn;
  const main = element("figures");
  main.setAttribute("aria-busy", "true");
  drawing = drawing.then(async () => {
    for (const [id, contents] of Object.entries(CARDS)) {
      if (mine !== turn) return;
      if (element(`${id}-card`)?.hidden === false) await drawCard(id, contents());
    }
    main.setAttribute("aria-busy", "false");
  });
}

async function drawCard(id, { summary, legend = [], spec, table }) {
  const card = element(`${id}-card`);
  const part = (name) => card.querySelector(`.${name}`);
  element(`${id}-summary`).textContent = summary;
  part("figures").hidden = !spec;
  card.classList.toggle("bare", !spec);
  views.get(id)?.finalize();
  views.delete(id);
  part("legend").replaceChildren(...legend.map(legendItem));
  part("table").replaceChildren(
    ...(table ? [tableOf(element(`${id}-title`).textContent, table)] : []),
  );
  if (!spec) return;
  const chart = part("drawing");
  const width = chart.clientWidth;
  const sized = { ...spec(width), width, autosize: { type: "fit-x", contains: "padding" } };
  views.set(id, await vegaEmbed(chart, sized, { ...EMBEDDING, config: theme() }));
  letScroll(part("table"));
}

function legendItem({ name, color: tone }) {
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = `var(--${tone})`;
  return make("li", {}, swatch, name);
}

// ---- Tables

const make = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

/** The rows and the total of a table by month. */
const byMonth = (months, rows, line) => ({
  rows: months.map((month) => [monthName(month), ...line(inMonth(rows, month))]),
  foot: months.length > 1 ? ["Total", ...line(rows)] : null,
});

// The roles are those that the elements have anyway; they last where the style stacks the cells.
function tableOf(title, { head, rows, foot }) {
  const row = ([first, ...cells]) =>
    make(
      "tr",
      { role: "row" },
      make("th", { role: "rowheader", scope: "row" }, ...[first].flat()),
      ...cells.map((cell, place) => {
        const made = make("td", { role: "cell" }, cell);
        made.dataset.of = head[place + 1];
        return made;
      }),
    );
  const titles = head.map((text) => make("th", { role: "columnheader", scope: "col" }, text));
  const group = (tag, ...children) => make(tag, { role: "rowgroup" }, ...children);
  return make(
    "table",
    { role: "table", className: head.length > 3 ? "wide" : "" },
    make("caption", { className: "unseen" }, title),
    group("thead", make("tr", { role: "row" }, ...titles)),
    group("tbody", ...rows.map(row)),
    ...(foot ? [group("tfoot", row(foot))] : []),
  );
}

/** Lets the keyboard scroll a table that is wider than its place. */
function letScroll(place) {
  const isWide = place.scrollWidth > place.clientWidth;
  const caption = place.querySelector("caption");
  for (const [name, value] of [
    ["role", "region"],
    ["tabindex", 0],
    ["aria-label", caption?.textContent],
  ]) {
    if (isWide && caption) place.setAttribute(name, value);
    else place.removeAttribute(name);
  }
}

let allProducts = false;

function drawProducts() {
  const ranked = ranking("products", "product");
  const shown = allProducts ? ranked : ranked.slice(0, PRODUCTS);
  const most = Math.max(...ranked.map((one) => one[chosen.by]));
  const place = document.querySelector("#products-card .table");
  const head = ["Product", "Units", ...(sold ? ["Net sales"] : [])];
  const rows = shown.map((one) => [
    productCell(one, ratio(one[chosen.by], most)),
    ...unitsAndSales(one),
  ]);
  element("products-summary").textContent = ranked.length
    ? sentences(`${count(shown.length)} of ${counted(ranked.length, "product")}`)
    : nothing("units");
  place.replaceChildren(...(ranked.length ? [tableOf("Top products", { head, rows })] : []));
  letScroll(place);
  const more = element("more");
  more.hidden = ranked.length <= PRODUCTS;
  more.textContent = allProducts
    ? `Show the first ${PRODUCTS}`
    : `Show all ${count(ranked.length)}`;
}

function productCell({ name, details }, part) {
  const bar = make("span", { className: "bar" });
  bar.style.inlineSize = `${100 * Math.max(0, part ?? 0)}%`;
  return [name, ...(details ? [make("small", {}, details)] : []), bar];
}

// ---- Start

for (const part of document.querySelectorAll(".amounts")) part.hidden = !sold;
element("free").hidden = sold;
prepareFilters();
draw();

element("more").addEventListener("click", () => {
  allProducts = !allProducts;
  drawProducts();
});
document.addEventListener(
  "toggle",
  ({ target }) => target.querySelectorAll?.(".table").forEach(letScroll),
  true,
);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCards);

let width = innerWidth;
let timer;
addEventListener("resize", () => {
  clearTimeout(timer);
  if (innerWidth === width) return; // A phone's bars come and go as it scrolls.
  timer = setTimeout(() => {
    width = innerWidth;
    drawCards();
    drawProducts();
  }, 150);
});

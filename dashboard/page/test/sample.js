// A made-up account, in the shape in which Python embeds the data.

import { dayOf, firstDay, isoDay, lastDay, monthOf } from "../src/data/calendar.js";

/** A generator of pseudo-random numbers below 1, the same in every run. */
function createRandom(seed) {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

const COUNTRIES = { US: "USD", GB: "GBP", DE: "EUR", JP: "JPY", CA: "USD" };
const DEVICES = ["Fire TV", "Fire tablet", "Android phone", null];

export const DEFAULTS = {
  apps: ["Truck Game", "Ünïcödé & Söns", "=HYPERLINK(1)", "(no title)"],
  first: "2022-11-05",
  last: "2024-06-14",
  dailyFrom: "2023-06-01",
  isFree: false,
  hasSubscriptions: true,
  hasEarnings: true,
  seed: 1,
};

/** Return sample data; `options` override DEFAULTS. */
export function createSample(options = {}) {
  const settings = { ...DEFAULTS, ...options };
  const days = daysOf(settings);
  const dimensions = {
    app: settings.apps,
    currency: ["USD", "GBP", "EUR", "JPY"],
    country: [...Object.keys(COUNTRIES), null, ""],
    device: DEVICES,
    marketplace: ["amazon.com", "amazon.de"],
    product: settings.apps.flatMap((_, app) => productsOf(app)),
    report: ["sales", "subscriptions", "earnings"],
  };
  const tables = {
    ...salesTables(settings, days, dimensions),
    ...(settings.hasSubscriptions ? subscriptionTables(settings, days) : {}),
    ...(settings.hasEarnings ? { earnings: earningsTable(settings) } : {}),
    report_months: reportMonths(settings),
  };
  const last = dayOf(settings.last);
  return {
    made_at: `${settings.last}T08:00:00+00:00`,
    missing: [],
    reporting: null,
    accounts: [
      {
        name: "publisher",
        first_day: settings.first,
        last_day: settings.last,
        last_final_day: isoDay(last - 2),
        last_final_mrr_day: isoDay(last - 8),
        last_subscription_day: settings.hasSubscriptions ? isoDay(last - 1) : null,
        last_final_subscription_day: settings.hasSubscriptions ? isoDay(last - 3) : null,
      },
    ],
    kept: 200,
    dimensions,
    tables,
  };
}

/** The days of rows: each day since `dailyFrom`, before it the last day of each month. */
function daysOf({ first, last, dailyFrom }) {
  const days = [];
  for (let day = dayOf(first); day <= dayOf(last); day += 1) {
    if (day >= dayOf(dailyFrom) || lastDay(monthOf(day)) === day) days.push(day);
  }
  return days.map((day) => ({ day, weight: day >= dayOf(dailyFrom) ? 1 : 30 }));
}

const productsOf = (app) => [
  [app, "Application", null, `B0APP${app}`, null],
  [app, "In-App", `gems.${app}`, `B0GEM${app}`, "Gems <b>100</b>"],
  [app, "Subscription", `plus.${app}.monthly`, `B0SUB${app}`, "Plus"],
  [app, "In-App", null, null, null],
];

const KINDS = ["downloads", "in_app_units", "subscription_units", "in_app_units"];
const SALES = "downloads in_app_units subscription_units other_units refunds chargebacks".split(
  " ",
);
const AMOUNTS =
  "gross_sales refunded_sales charged_back_sales reversed_sales net_sales estimated_earnings".split(
    " ",
  );
const BY_KIND = "app in_app new_subscription renewal other".split(" ");

function salesTables(settings, days, dimensions) {
  const random = createRandom(settings.seed);
  const countries = dimensions.country.slice(0, 5);
  const rows = [];
  for (const [number, { day, weight }] of days.entries()) {
    for (const app of settings.apps.keys()) {
      const units = Math.round(weight * (12 + number / 60 - 2 * app) * (0.6 + random() * 0.8));
      for (let n = 0; n < Math.min(4, units); n += 1) {
        rows.push(
          saleOf({
            settings,
            dimensions,
            countries,
            random,
            day,
            app,
            units: Math.ceil(units / 4),
          }),
        );
      }
    }
  }
  const shared = ["day", "account", "app", "currency"];
  const table = (...keys) => tableOf(settings, rows, [...shared, ...keys], [...SALES, ...AMOUNTS]);
  const kinds = BY_KIND.flatMap((kind) => [`${kind}_net_sales`, `${kind}_earnings`]);
  return {
    sales: tableOf(settings, rows, shared, [...SALES, ...AMOUNTS, ...kinds]),
    countries: table("country"),
    devices: table("device"),
    products: table("product"),
  };
}

function saleOf({ settings, dimensions, countries, random, day, app, units }) {
  const country = Math.floor(random() * random() * countries.length);
  const kind = Math.floor(random() * 4);
  const price = settings.isFree || kind === 0 ? 0 : [0, 1.99, 4.99, 0.99][kind];
  const gross = round(price * units);
  const refunded = random() < 0.04 ? gross : 0;
  const charged = !refunded && random() < 0.01 ? gross : 0;
  const net = round(gross - refunded - charged);
  const earnings = round(0.7 * net);
  const name = ["app", "in_app", random() < 0.3 ? "new_subscription" : "renewal", "in_app"][kind];
  return {
    day,
    account: 0,
    app,
    currency: dimensions.currency.indexOf(COUNTRIES[countries[country]]),
    country: random() < 0.02 ? 5 : country,
    device: Math.floor(random() * DEVICES.length),
    product: app * 4 + kind,
    [KINDS[kind]]: units,
    refunds: refunded ? 1 : 0,
    chargebacks: charged ? 1 : 0,
    gross_sales: gross,
    refunded_sales: refunded,
    charged_back_sales: charged,
    net_sales: net,
    estimated_earnings: earnings,
    [`${name}_net_sales`]: net,
    [`${name}_earnings`]: earnings,
  };
}

const round = (amount) => Math.round(amount * 100) / 100;

/** Add rows up by some keys, as columns. */
function tableOf({ dailyFrom }, rows, keys, measures) {
  const groups = new Map();
  for (const row of rows) {
    const key = keys.map((name) => row[name]).join(" ");
    const sum = groups.get(key) ?? Object.fromEntries(keys.map((name) => [name, row[name]]));
    for (const measure of measures) sum[measure] = round((sum[measure] ?? 0) + (row[measure] ?? 0));
    groups.set(key, sum);
  }
  return {
    daily_from: dailyFrom,
    columns: columnsOf([...groups.values()], [...keys, ...measures]),
  };
}

const columnsOf = (rows, names) =>
  Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name] ?? null)]));

const MOVEMENTS = "new expansion reactivated contraction churned".split(" ");

function subscriptionTables(settings, days) {
  const random = createRandom(settings.seed + 1);
  const tables = { subscriptions: [], marketplaces: [], mrr: [], subscribers: [] };
  for (const app of settings.apps.keys().take?.(2) ?? [0, 1]) {
    const state = { paid: 0, trial: 5, people: 0, mrr: 0 };
    for (const { day, weight } of days) addDay(tables, state, { day, weight, app, random });
  }
  const wrap = (name) => ({
    daily_from: settings.dailyFrom,
    columns: columnsOf(tables[name], Object.keys(tables[name][0])),
  });
  return {
    ...Object.fromEntries(Object.keys(tables).map((name) => [name, wrap(name)])),
    ...cohortTables(settings, random),
  };
}

function addDay(tables, state, { day, weight, app, random }) {
  const count = (most) => Math.floor(random() * (most + 1) * weight);
  const [added, returning] = [count(3), count(0.3)];
  const lost = Math.min(state.people, Math.floor(state.people * 0.002 * weight + random()));
  state.people += added + returning - lost;
  const moves = {
    new: 4.99 * added,
    expansion: 0,
    reactivated: 4.99 * returning,
    contraction: 0,
    churned: 4.99 * lost,
  };
  state.mrr = round(4.99 * state.people);
  const common = { day, account: 0, app };
  tables.subscribers.push({
    ...common,
    subscribers: state.people,
    new_subscribers: added,
    returning_subscribers: returning,
    lost_subscribers: lost,
  });
  tables.mrr.push({
    ...common,
    currency: 0,
    mrr: state.mrr,
    earnings_mrr: round(0.7 * state.mrr),
    ...Object.fromEntries(MOVEMENTS.map((name) => [`${name}_mrr`, round(moves[name])])),
    subscribers: state.people,
    subscriptions: state.people,
  });
  const [started, trials] = [count(3), count(2)];
  const ended = Math.min(state.paid, count(1));
  state.paid += started - ended;
  const counts = {
    active: state.paid + state.trial,
    paid_active: state.paid,
    trial_active: state.trial,
    started: started + trials,
    ended: ended + trials,
  };
  tables.marketplaces.push({ ...common, marketplace: app, ...counts });
  tables.subscriptions.push({
    ...common,
    ...counts,
    refunded: 0,
    paid_started: started,
    paid_ended: ended,
    trial_started: trials,
    trial_ended: trials,
  });
}

function cohortTables({ first, last }, random) {
  const cohorts = [];
  const trials = [];
  const newest = monthOf(dayOf(last));
  for (let month = monthOf(dayOf(first)); month <= newest; month += 1) {
    const size = 20 + Math.floor(random() * 60);
    let [active, paid] = [size, 0];
    for (let age = 0; month + age <= newest; age += 1) {
      paid += 4.99 * active;
      const earned = round(0.7 * paid);
      cohorts.push({
        month,
        months_since: age,
        account: 0,
        app: 0,
        currency: 0,
        subscribers: size,
        active_subscribers: active,
        net_sales_to_date: round(paid),
        earnings_to_date: earned,
        is_provisional: month + age === newest,
      });
      active = Math.floor(active * (0.8 + random() * 0.18));
    }
    trials.push({
      month,
      account: 0,
      app: 0,
      trials: size,
      trial_conversions: Math.floor(size / 3),
      trials_undecided: month === newest ? 7 : 0,
    });
  }
  const columns = (rows) => ({ columns: columnsOf(rows, Object.keys(rows[0])) });
  return { cohorts: columns(cohorts), trials: columns(trials) };
}

function earningsTable({ first, last }) {
  const rows = [];
  const newest = monthOf(dayOf(last));
  for (let month = monthOf(dayOf(first)); month <= newest; month += 1) {
    const estimated = 900 + 20 * (month % 7);
    const isKnown = month < newest - 1;
    const earnings = isKnown ? round(estimated * 0.99) : null;
    rows.push({
      month,
      account: 0,
      currency: 0,
      estimated_earnings: estimated,
      earnings,
      adjustments: isKnown ? -3 : null,
      tax_withheld: isKnown ? 0 : null,
      paid_earnings: month < newest - 3 ? earnings : null,
      difference: isKnown ? round(earnings - estimated) : null,
      is_provisional: !isKnown,
    });
  }
  return { columns: columnsOf(rows, Object.keys(rows[0])) };
}

function reportMonths({ first, last }) {
  const rows = [];
  const newest = monthOf(dayOf(last));
  for (let month = monthOf(dayOf(first)); month <= newest; month += 1) {
    for (const report of [0, 1]) {
      const written = isoDay(Math.min(firstDay(month + 1) + 33, dayOf(last)));
      rows.push({
        account: 0,
        report,
        report_period: isoDay(firstDay(month)).slice(0, 7),
        month,
        report_last_modified: `${written}T03:00:00+00:00`,
        report_lines: 1200 + month,
        withdrawn_lines: 0,
        rescued_lines: month % 9 ? 0 : 2,
        unread_lines: 0,
        is_final: month < newest - 1,
      });
    }
  }
  return { columns: columnsOf(rows, Object.keys(rows[0])) };
}

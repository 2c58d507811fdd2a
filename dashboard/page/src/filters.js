// The form of filters: what can be chosen, and what is.

import { describeFilters } from "./context.js";
import { isoMonth, monthOf, parseMonth } from "./data/calendar.js";
import { customMonths, PRESETS } from "./data/period.js";
import { kindOf } from "./data/query.js";
import { monthsIn } from "./data/read.js";
import { byId, make } from "./dom.js";
import { KIND_NAMES, NO_TITLE, placeName, writeDay, writeMonth } from "./format.js";
import { KINDS } from "./view/state.js";

const PRESET_NAMES = {
  "30d": "30 days",
  "90d": "90 days",
  ytd: "This year",
  "12m": "12 months",
  all: "All",
};
const GRAIN_NAMES = { day: "Day", week: "Week", month: "Month" };

/** A group of buttons of which one is chosen, as radio buttons. */
function radioGroup(name, legend, options) {
  return make(
    "fieldset",
    { className: "segments", id: name },
    make("legend", { className: "unseen" }, legend),
    Object.entries(options).map(([value, text]) =>
      make("label", {}, make("input", { type: "radio", name, value }), make("span", {}, text)),
    ),
  );
}

export const rankChoice = () =>
  radioGroup("by", "Rank by", { net_sales: "Net sales", units: "Units" });

/** Build the filters; `choose` gets each change of the state. */
export function buildFilters(context, choose) {
  const { data, range } = context;
  byId("presets").replaceChildren(radioGroup("period", "Period", PRESET_NAMES));
  byId("grains").replaceChildren(radioGroup("grain", "Granularity", GRAIN_NAMES));
  const months = monthsIn(range).map((month) => [writeMonth(month), isoMonth(month)]);
  const selects = [
    select("from", "From", months, null),
    select("to", "To", months, null),
    ...Object.entries(optionsOf(data)).map(([name, { label, options, all }]) =>
      select(name, label, options, all),
    ),
  ];
  keepOpenWhereWide(byId("choices"));
  byId("selects").replaceChildren(
    ...selects.filter(Boolean),
    make("button", { type: "button", id: "reset" }, "Reset"),
  );
  byId("reset").addEventListener("click", () => choose(null));
  document.addEventListener("change", ({ target }) => {
    const change = changeOf(target);
    if (change) choose(change);
  });
}

/** On a phone the selects open on demand. */
function keepOpenWhereWide(details) {
  const wide = matchMedia("(min-width: 48rem)");
  const update = () => {
    details.open = wide.matches;
  };
  wide.addEventListener("change", update);
  update();
}

function optionsOf(data) {
  const { app, country, device, currency, product } = data.dimensions;
  const sorted = (names, write, isLast) =>
    [...names.keys()]
      .map((place) => [write(names[place]), place, isLast(names[place])])
      .sort(([a, , lastA], [b, , lastB]) => lastA - lastB || a.localeCompare(b));
  const isRest = (value) => !value || value === "Others";
  const kinds = new Set(product.map(([, type]) => kindOf(type)));
  return {
    app: {
      label: "App",
      all: "All apps",
      options: sorted(
        app,
        (name) => name,
        (name) => name === NO_TITLE,
      ),
    },
    country: {
      label: "Country",
      all: "All countries",
      options: sorted(country, (code) => placeName("country", code), isRest),
    },
    device: {
      label: "Device",
      all: "All devices",
      options: sorted(device, (name) => placeName("device", name), isRest),
    },
    kind: {
      label: "Product kind",
      all: "All kinds",
      options: KINDS.filter((kind) => kinds.has(kind)).map((kind) => [KIND_NAMES[kind], kind]),
    },
    currency: {
      label: "Currency",
      all: null,
      options: currency.map((code, place) => [code ?? "None", place]),
    },
    account: {
      label: "Account",
      all: "All accounts",
      options: data.accounts.map(({ name }, place) => [name, place]),
    },
  };
}

function select(name, label, options, all) {
  if (options.length < 2) return null;
  const choices = [...(all ? [[all, ""]] : []), ...options];
  return make(
    "p",
    { className: "field", id: `${name}-field` },
    make("label", { htmlFor: name }, label),
    make(
      "select",
      { id: name, name },
      choices.map(([text, value]) => new Option(text, value)),
    ),
  );
}

function changeOf({ name, value, form, id }) {
  if (form?.id !== "filters" && !["by"].includes(name)) return null;
  if (name === "from" || name === "to") return { period: customPeriod(id) };
  if (["period", "grain", "by"].includes(name)) return { [name]: value };
  if (name === "kind") return { kind: value || null };
  return { [name]: value === "" ? null : Number(value) };
}

/** A period that would end before it begins becomes the month that was chosen last. */
function customPeriod(changed) {
  const [from, to] = ["from", "to"].map((name) => parseMonth(byId(name).value));
  const last = changed === "from" ? from : to;
  return from > to ? `${isoMonth(last)}..${isoMonth(last)}` : `${isoMonth(from)}..${isoMonth(to)}`;
}

/** Show what is chosen; granularities that the data cannot fill are disabled. */
export function showFilters({ state, period, grain, grains, data, currency }) {
  for (const name of ["app", "country", "device", "kind", "currency", "account"]) {
    if (byId(name)) byId(name).value = state[name] ?? "";
  }
  if (byId("from")) {
    byId("from").value = isoMonth(monthOf(period.from));
    byId("to").value = isoMonth(monthOf(period.to));
  }
  check(
    "period",
    customMonths(state.period) || !PRESETS.includes(state.period) ? null : state.period,
  );
  check("grain", grain);
  check("by", state.by);
  byId("chosen").textContent = [...describeFilters({ state, data }), currency]
    .filter(Boolean)
    .join(", ");
  for (const input of document.querySelectorAll("[name=grain]")) {
    input.disabled = !grains.includes(input.value);
    input.parentElement.title = input.disabled ? whyDisabled(input.value, period, data) : "";
  }
}

function whyDisabled(grain, { from }, { dailyFrom }) {
  if (dailyFrom === Number.POSITIVE_INFINITY)
    return "The dashboard has months only: its days are too many for one page";
  return from < dailyFrom
    ? `The dashboard has days and weeks from ${writeDay(dailyFrom)} on, before that months`
    : `The period is too long for a chart by ${grain}`;
}

function check(name, value) {
  for (const input of document.querySelectorAll(`[name=${name}]`))
    input.checked = input.value === value;
}

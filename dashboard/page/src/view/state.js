// The chosen view, and the URL's fragment that it is kept in: names, not places, so that a link
// still holds when the dashboard has been written again.

import { customMonths, GRAINS, PRESETS } from "../data/period.js";
import { SPLITS } from "../data/query.js";

const DEFAULT_PERIOD = "12m";

const NONE = "(none)"; // stands for null, an unknown country or device, in a fragment

export const KINDS = ["app", "in_app", "subscription", "other"];

/** What each filter can be set to; a filter's value is a place in its list. */
const choicesOf = (data) => ({
  account: data.accounts.map(({ name }) => name),
  app: data.dimensions.app,
  currency: data.dimensions.currency,
  country: data.dimensions.country,
  device: data.dimensions.device,
});

export const defaultState = (data) => ({
  period: DEFAULT_PERIOD,
  grain: null,
  by: "net_sales",
  account: null,
  app: null,
  currency: defaultCurrency(data),
  country: null,
  device: null,
  kind: null,
});

/** The reporting currency if there is one, else the first, in which most is sold. */
function defaultCurrency({ reporting, dimensions }) {
  const place = reporting ? dimensions.currency.indexOf(reporting.currency) : 0;
  return dimensions.currency.length ? Math.max(place, 0) : null;
}

/** Change a state; of country, device and product kind only the newest choice holds. */
export function changeState(state, change) {
  const split = Object.keys(SPLITS).find((name) => name in change && change[name] !== null);
  const cleared = split ? Object.fromEntries(Object.keys(SPLITS).map((name) => [name, null])) : {};
  return { ...state, ...cleared, ...change };
}

/** The fragment of a state, with what differs from the default. */
export function writeFragment(state, data) {
  const initial = defaultState(data);
  const choices = choicesOf(data);
  const texts = Object.entries(state)
    .filter(([name, value]) => value !== initial[name])
    .map(([name, value]) => [name, textOf(choices[name], value)]);
  return new URLSearchParams(texts).toString();
}

function textOf(names, value) {
  const text = names ? names[value] : value;
  if (typeof text === "string") return text;
  return NONE;
}

/** The state of a fragment; what it does not have, or names wrongly, is as by default. */
export function readFragment(fragment, data) {
  const initial = defaultState(data);
  const choices = choicesOf(data);
  const given = [...new URLSearchParams(fragment.replace(/^#/, ""))]
    .filter(([name]) => Object.hasOwn(initial, name))
    .map(([name, text]) => [name, parseValue(name, text, choices[name])])
    .filter(([, value]) => value !== undefined);
  return given.reduce((state, [name, value]) => changeState(state, { [name]: value }), initial);
}

const ALLOWED = {
  grain: GRAINS,
  kind: KINDS,
  by: ["net_sales", "units"],
};

function parseValue(name, text, names) {
  if (name === "period") return PRESETS.includes(text) || customMonths(text) ? text : undefined;
  if (ALLOWED[name]) return ALLOWED[name].includes(text) ? text : undefined;
  const place = names.findIndex((_, index) => textOf(names, index) === text);
  return place < 0 ? undefined : place;
}

// Specifications for Vega-Lite. Colours are the style's variables, so that dark mode and print need
// no new drawing.

import { AXIS_WIDTH, timeAxis, valueAxis } from "./axes.js";

const HEIGHT = 220;
const RANKS = 10;

const color = (name) => `var(--${name})`;

/** Return the specification of a chart for a width in pixels. */
export const specOf = (chart, width) => BUILDERS[chart.mark](chart, width);

const BUILDERS = { bars, grouped, lines, area: lines, ranks };

/** A value for each point and series that is known; `unit.divisor` turns it into what the axis shows. */
function valuesOf({ points, series, unit }) {
  return points.flatMap((point, order) =>
    series
      .map(({ name, color: tone, values }, place) => ({
        key: point.key,
        order,
        place,
        name,
        color: color(tone),
        value:
          values[order] === null || values[order] === undefined
            ? null
            : values[order] / unit.divisor,
        isProvisional: Boolean(point.isProvisional),
      }))
      .filter(({ value }) => value !== null),
  );
}

function bars(chart, width) {
  const { points, series, unit } = chart;
  const room = (width - AXIS_WIDTH) / points.length;
  const thick = room < 8 ? room + 0.5 : Math.min(44, 0.7 * room);
  const values = valuesOf(chart).filter(({ value }) => value); // A bar of no height would be outlined.
  return {
    height: HEIGHT,
    data: { values },
    encoding: { x: timeAxis(points, width) },
    layer: [
      {
        mark: { type: "bar", width: thick },
        encoding: {
          y: { field: "value", type: "quantitative", axis: valueAxis(unit), stack: "zero" },
          color: { field: "color", type: "nominal", scale: null },
          order: { field: "place", type: "quantitative" },
          ...outline(series.length > 1 && room > 10),
        },
      },
      hitArea(points),
    ],
  };
}

/** Provisional bars are light, with a dashed outline in their colour. */
const outline = (isStacked) => ({
  fillOpacity: { condition: { test: "datum.isProvisional", value: 0.3 }, value: 1 },
  stroke: {
    condition: { test: "datum.isProvisional", field: "color", type: "nominal", scale: null },
    value: color("surface"),
  },
  strokeWidth: { condition: { test: "datum.isProvisional", value: 1.5 }, value: isStacked ? 1 : 0 },
  strokeDash: { condition: { test: "datum.isProvisional", value: [4, 3] }, value: [1, 0] },
});

function grouped(chart, width) {
  const { points, series, unit } = chart;
  return {
    height: HEIGHT,
    data: { values: valuesOf(chart).filter(({ value }) => value) },
    encoding: {
      x: {
        ...timeAxis(points, width),
        scale: { domain: points.map(({ key }) => key), paddingInner: 0.25 },
      },
    },
    layer: [
      {
        mark: { type: "bar" },
        encoding: {
          y: { field: "value", type: "quantitative", axis: valueAxis(unit) },
          xOffset: { field: "name", type: "nominal", sort: series.map(({ name }) => name) },
          color: { field: "color", type: "nominal", scale: null },
          ...outline(false),
        },
      },
      hitArea(points),
    ],
  };
}

function lines(chart, width) {
  const { points, series, unit, mark } = chart;
  const values = valuesOf(chart);
  const y = { field: "value", type: "quantitative", axis: valueAxis(unit), stack: null };
  const stroke = {
    color: { field: "color", type: "nominal", scale: null },
    detail: { field: "name" },
  };
  const provisional = values.findIndex(({ isProvisional }) => isProvisional);
  const last = provisional < 0 ? points.length : values[provisional].order - 1;
  const line = (name, test, more) => ({
    data: { values: values.filter(test) },
    mark: { type: "line", strokeWidth: 2.25, strokeCap: "round", ...more },
    encoding: { y, ...stroke },
    name,
  });
  return {
    height: HEIGHT,
    data: { values },
    encoding: { x: timeAxis(points, width) },
    layer: [
      ...(mark === "area"
        ? [
            {
              mark: { type: "area", color: color(series[0].color), opacity: 0.12 },
              encoding: { y },
            },
          ]
        : []),
      ...(provisional === 0 ? [] : [line("final", ({ isProvisional }) => !isProvisional, {})]),
      ...(provisional < 0
        ? []
        : [line("provisional", ({ order }) => order >= last, { strokeDash: [4, 4] })]),
      ...(points.length <= 31
        ? [
            {
              mark: { type: "point", filled: true, opacity: 1, size: 36 },
              encoding: { y, ...stroke },
            },
          ]
        : []),
      hitArea(points),
    ],
  };
}

/** Invisible bars over the whole height: what is pointed at or touched is a point of time. */
const hitArea = (points) => ({
  data: { values: points.map(({ key }, point) => ({ key, point })) },
  mark: { type: "rect", fill: color("text"), cursor: "default" },
  name: "hit",
  encoding: {
    y: { value: 0 },
    y2: { value: HEIGHT },
    fillOpacity: { value: 0 },
  },
});

/** Bars of the first entries, each under its own name, which is never cut off. */
function ranks({ entries, unit }) {
  const values = entries.slice(0, RANKS).map(({ name, value }, place) => ({
    place,
    name,
    value: value / unit.divisor,
    text: unit.write(value),
  }));
  const most = Math.max(0, ...values.map(({ value }) => value));
  const scale = {
    domain: [Math.min(0, ...values.map(({ value }) => value)), most || 1],
    nice: false,
  };
  const y = {
    field: "place",
    type: "ordinal",
    axis: null,
    scale: { paddingInner: 0, paddingOuter: 0 },
  };
  const x = { field: "value", type: "quantitative", axis: null, scale };
  const label = (field, align, at) => ({
    mark: { type: "text", align, baseline: "bottom", dy: -1, fontSize: 13, color: color("text") },
    encoding: { text: { field }, x: { value: at } },
  });
  return {
    height: 42 * values.length,
    data: { values },
    encoding: { y },
    layer: [
      {
        mark: {
          type: "bar",
          height: 10,
          yOffset: 10,
          color: color("series-1"),
          cornerRadiusEnd: 3,
        },
        encoding: { x },
      },
      label("name", "left", 0),
      label("text", "right", "width"),
    ],
  };
}

/** What all charts have in common. */
export const theme = (font) => ({
  aria: false, // The chart as a whole has a name and a summary, and its table has the figures.
  background: null,
  customFormatTypes: true,
  font,
  view: { stroke: null },
  axis: {
    labelColor: color("muted"),
    labelFontSize: 13,
    gridColor: color("line"),
    domainColor: color("line"),
  },
});

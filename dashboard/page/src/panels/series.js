// Cards with figures by time: bars or lines of series over the period's buckets, and their table.

import { cellOf, ignoredNote, reasonOf, textCell, timePoints } from "../context.js";
import { add } from "../data/query.js";
import { joinSentences, writeBucket } from "../format.js";

/**
 * Build a card of time series.
 * `series` are {name, color, values}, drawn by `mark` ("bars", "lines" or "grouped"); `columns` are
 * the table's, {label, unit, values, total}, `total` of which is null where no sum makes sense.
 */
export function timeCard(context, options) {
  const { table, unit, series, columns, summary, mark = "bars", empty } = options;
  const { buckets = context.buckets, grain = context.grain } = options;
  const reason = reasonOf(context, table, context.period);
  if (reason) return { empty: `Unknown: ${reason}.` };
  if (empty && series.every(({ values }) => values.every((value) => !value))) return { empty };
  const points = timePoints(context, buckets, grain, table);
  const hasProvisional = points.some(({ isProvisional }) => isProvisional);
  return {
    summary: joinSentences(...[summary].flat(), ignoredNote(context, table)),
    hasProvisional,
    legend: options.legend ?? (series.length > 1 ? series : []),
    chart: { mark, points, unit, series },
    table: timeTable(context, { table, columns, buckets, grain, points }),
  };
}

const GRAIN_LABELS = { day: "Day", week: "Week", month: "Month" };

function timeTable(context, { table, columns, buckets, grain, points }) {
  const why = buckets.map(({ start, end }) => reasonOf(context, table, { from: start, to: end }));
  const totals = columns.map(({ total }) => total);
  return {
    columns: [
      { label: GRAIN_LABELS[grain] },
      ...columns.map(({ label, unit }) => ({ label, unit: unit.name })),
    ],
    rows: buckets.map((bucket, place) => [
      textCell(writeBucket(bucket, grain), {
        value: bucket.key.slice(0, grain === "month" ? 7 : 10),
        sortBy: bucket.start,
        isProvisional: points[place].isProvisional,
      }),
      ...columns.map(({ unit, values, why: reason, signed }) =>
        cellOf(values[place], unit, why[place] ?? reason, signed ? unit.signed : unit.write),
      ),
    ]),
    foot:
      buckets.length > 1 && totals.some((total) => total !== undefined)
        ? [
            textCell("Total"),
            ...columns.map(({ unit, total, signed }) =>
              total === undefined
                ? textCell("")
                : cellOf(total, unit, null, signed ? unit.signed : unit.write),
            ),
          ]
        : null,
  };
}

/** Column of a flow with its total. */
export const flowColumn = (label, unit, values, more = {}) => ({
  label,
  unit,
  values,
  total: values.reduce(add, null),
  ...more,
});

export const rateColumn = (label, unit, values, why) => ({ label, unit, values, why });

const NAMED_APPS = 6;
const isNamed = (name) => name && name !== "(no title)";

/** The apps with a colour, the same whatever is chosen, and the rest together: {name, color, has(app)}. */
export function appSeries({ data }) {
  const apps = data.dimensions.app;
  const places = [...apps.keys()].filter((place) => isNamed(apps[place])).slice(0, NAMED_APPS);
  const rest = [...apps.keys()].filter((place) => !places.includes(place));
  const named = places.map((place, number) => ({
    name: apps[place],
    color: `series-${number + 1}`,
    has: (app) => app === place,
  }));
  if (!rest.length) return named;
  const name = rest.length === 1 ? apps[rest[0]] : "Other apps";
  return [
    ...named,
    { name, color: "series-other", isRest: true, has: (app) => rest.includes(app) },
  ];
}

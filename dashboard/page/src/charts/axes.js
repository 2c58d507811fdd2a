// The axes of charts by time.

export const AXIS_WIDTH = 56; // about what the labels of values take, in pixels

/** An axis with as many labels as there is room for. */
export function timeAxis(points, width) {
  const room = Math.max(1, Math.floor((width - AXIS_WIDTH) / 48));
  const shown = labelled(points, Math.ceil(points.length / room));
  return {
    field: "key",
    type: "ordinal",
    scale: { domain: points.map(({ key }) => key) },
    axis: {
      title: null,
      values: shown.map(({ key }) => key),
      formatType: "pageTick",
      format: shown[0]?.key ?? "",
      labelAngle: 0,
      labelOverlap: false,
      labelPadding: 6,
      grid: false,
      ticks: false,
    },
  };
}

const STEPS = [1, 2, 3, 6, 12, 24, 36, 48];

/**
 * The points with a label, at least so many apart. Points with a number (months, ages) have one at
 * multiples, such as each January; of days and weeks the newest always has one.
 */
function labelled(points, least) {
  const step = STEPS.find((size) => size >= least) ?? least;
  if (points[0]?.number !== undefined) return points.filter(({ number }) => number % step === 0);
  return points.filter((_, place) => (points.length - 1 - place) % least === 0);
}

export const valueAxis = (unit) => ({
  title: null,
  formatType: "pageValue",
  tickCount: 4,
  ...(unit.name === "count" ? { tickMinStep: 1 } : {}),
  domain: false,
  ticks: false,
  labelPadding: 8,
});

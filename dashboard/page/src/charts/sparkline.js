// Small lines without axes, in tiles and in the table of apps.

import { makeSvg } from "../dom.js";

const [WIDTH, HEIGHT, MARGIN] = [100, 28, 3];

/** The course of values from the left to the right; unknown ones leave a gap. Null if fewer than two are known. */
export function drawSparkline(values) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return null;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (place) => MARGIN + (place / (values.length - 1)) * (WIDTH - 2 * MARGIN);
  const y = (value) =>
    HEIGHT - MARGIN - (high > low ? (value - low) / (high - low) : 0.5) * (HEIGHT - 2 * MARGIN);
  const points = values.map((value, place) => (value === null ? null : [x(place), y(value)]));
  const last = points.findLast(Boolean);
  return makeSvg(
    "svg",
    {
      class: "sparkline",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    },
    makeSvg("path", { d: pathOf(points), class: "sparkline-line" }),
    makeSvg("path", { d: `M${last.map(round)}h0`, class: "sparkline-end" }),
  );
}

const round = (number) => Math.round(number * 10) / 10;

function pathOf(points) {
  return points
    .map((point, place) => point && `${points[place - 1] ? "L" : "M"}${point.map(round)}`)
    .filter(Boolean)
    .join("");
}

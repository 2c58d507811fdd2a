// Draws charts with Vega, one after the other, once Vega has been read.

import { byId, make } from "../dom.js";
import { specOf, theme } from "./specs.js";
import { watchChart } from "./tip.js";

const views = new Map();

/** Functions that Vega calls for labels, per chart: they need its points and its unit. */
const formatsOf = ({ points, unit }) => {
  const ticks = new Map(points?.map((point) => [point.key, point]));
  return {
    pageTick: (key, first) => ticks.get(key)?.tick(key === first) ?? key,
    pageValue: (value) => unit.axis(value * unit.divisor),
  };
};

export async function drawChart(place, id, chart) {
  views.get(id)?.finalize();
  views.delete(id);
  if (!chart) return;
  const embed = await loadVega();
  const width = place.clientWidth;
  const sized = {
    ...specOf(chart, width),
    width,
    autosize: { type: "fit-x", contains: "padding" },
  };
  const drawn = await embed(place, sized, {
    actions: false,
    ast: true, // The page's policy lets no text be run as code.
    defaultStyle: false,
    expressionFunctions: formatsOf(chart),
    renderer: "svg",
    tooltip: false,
    config: theme(getComputedStyle(document.body).fontFamily),
  });
  if (chart.points) watchChart(drawn.view, chart);
  views.set(id, drawn);
}

let loading = null;

/**
 * Run the library, whose text the page has: after the first figures have been painted, as reading it
 * takes longer than all the rest. It ends by setting `vegaEmbed`, as an inline module has no event.
 */
function loadVega() {
  loading ??= new Promise((resolve) => {
    Object.defineProperty(globalThis, "vegaEmbed", { set: resolve });
    const script = make("script", { type: "module", textContent: byId("library").textContent });
    requestAnimationFrame(() => setTimeout(() => document.head.append(script)));
  });
  return loading;
}

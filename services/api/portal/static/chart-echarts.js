// A place in which ECharts draws: loaded when it is first needed, drawn again where width or scheme changed.

import { theme } from "./chart.js";
import { echartsLibrary } from "./chart-library.js";
import { el } from "./dom.js";

const HEIGHT = 300;
const NARROW_PX = 520;
const scheme = matchMedia("(prefers-color-scheme: dark)");

// `optionsOf(shown, theme, narrow)`: what ECharts is told of what `show(shown)` was given.
export function echartsPlace(label, optionsOf) {
  const drawn = el("div", { className: "plot", style: { height: `${HEIGHT}px` } });
  const failure = el("p", { className: "empty", hidden: true });
  const element = el("div", { className: "chart", role: "img", "aria-label": label }, drawn, failure);
  let chart = null;
  let latest = null;

  async function show(shown) {
    latest = shown;
    try {
      const library = await echartsLibrary();
      chart ??= library.init(drawn);
      redraw();
      failure.hidden = true;
    } catch (error) {
      if (!(error instanceof TypeError) || window.echarts) throw error;
      failure.replaceChildren(`${error.message}; the table says the same.`);
      failure.hidden = false;
    }
  }

  function redraw() {
    if (!chart || !latest || !element.clientWidth) return;
    chart.resize();
    chart.setOption(optionsOf(latest, theme(), element.clientWidth < NARROW_PX), { notMerge: true });
  }

  new ResizeObserver(redraw).observe(element);
  scheme.addEventListener("change", redraw);
  return { element, show };
}

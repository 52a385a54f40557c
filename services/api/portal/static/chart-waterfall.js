// From one figure to another, step by step: what each part adds or takes away.

import { compactMoney } from "./chart.js";
import { echartsPlace } from "./chart-echarts.js";
import { money } from "./format.js";
import { resolved } from "./palette.js";

// `show({steps, currency})`: each step {label, from, to, amount, kind}, `from` and `to` as floats, `amount` a
// decimal as text, `kind` "whole", "more" or "less".
export function waterfall(label) {
  return echartsPlace(label, optionsOf);
}

function optionsOf({ steps, currency }, { soft, line, ink, accent, font }, narrow) {
  const colours = { whole: accent, more: resolved("var(--bad)"), less: resolved("var(--good)") };
  const text = { color: soft, fontFamily: font.replace(/^\S+ /, ""), fontSize: 12 };
  return {
    animation: false,
    textStyle: text,
    grid: { left: 8, right: 8, top: 24, bottom: 4, containLabel: true },
    xAxis: {
      type: "category",
      data: steps.map(({ label }) => label),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: line } },
      axisLabel: { ...text, interval: 0, rotate: narrow ? 40 : 0 },
    },
    yAxis: {
      type: "value",
      min: ({ min }) => Math.min(0, min),
      splitLine: { lineStyle: { color: line } },
      axisLabel: { ...text, formatter: (amount) => compactMoney(amount, currency) },
    },
    series: {
      type: "custom",
      encode: { x: 0, y: [1, 2] },
      data: steps.map(({ from, to }, index) => [index, from, to]),
      renderItem: (_, api) => step(api, steps[api.value(0)], { colours, ink, currency, narrow }),
    },
  };
}

function step(api, { from, to, amount, kind }, { colours, ink, currency, narrow }) {
  const index = api.value(0);
  const [[middle, one], [, other]] = [from, to].map((value) => api.coord([index, value]));
  const width = api.size([1, 0])[0] * 0.6;
  const [top, height] = [Math.min(one, other), Math.max(1.5, Math.abs(one - other))];
  const bar = { x: middle - width / 2, y: top, width, height, r: 2 };
  const said = {
    x: middle,
    y: top - 5,
    text: narrow ? "" : `${kind === "more" ? "+" : ""}${money(amount, currency)}`,
    fill: ink,
  };
  const words = {
    ...said,
    textAlign: "center",
    textVerticalAlign: "bottom",
    font: api.font({ fontSize: 12 }),
  };
  return {
    type: "group",
    children: [
      { type: "rect", shape: bar, style: { fill: colours[kind] } },
      { type: "text", style: words },
    ],
  };
}

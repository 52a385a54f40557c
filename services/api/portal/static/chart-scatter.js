// Choices by two figures at once: cheap lies left, fast lies low; what another one beats in everything is
// grey.

import { compactMoney } from "./chart.js";
import { echartsPlace } from "./chart-echarts.js";
import { resolved } from "./palette.js";

// `show({points, currency})`: each point {name, cost, seconds, kind}, as floats, `kind` "front",
// "dominated" or "now".
export function scatter(label) {
  return echartsPlace(label, optionsOf);
}

function optionsOf({ points, currency }, { soft, line, ink, accent, font }) {
  const colours = { front: accent, dominated: resolved("var(--c-other)"), now: ink };
  const text = { color: soft, fontFamily: font.replace(/^\S+ /, ""), fontSize: 12 };
  const [low, high] = [Math.min, Math.max].map((most) => most(...points.map(({ cost }) => cost)));
  const isRight = (cost) => cost > (low + high) / 2; // its name stands at its left: there is room
  const axis = {
    type: "value",
    scale: true,
    nameTextStyle: { ...text, align: "left" },
    splitLine: { lineStyle: { color: line } },
    axisLine: { lineStyle: { color: line } },
  };
  return {
    animation: false,
    textStyle: text,
    grid: { left: 8, right: 24, top: 28, bottom: 24, containLabel: true },
    xAxis: {
      ...axis,
      name: "a call costs",
      nameLocation: "middle",
      nameTextStyle: { ...text, align: "center" },
      nameGap: 28,
      axisLabel: { ...text, formatter: (amount) => compactMoney(amount, currency) },
    },
    yAxis: { ...axis, name: "seconds, p95", min: 0, axisLabel: text },
    series: {
      type: "scatter",
      symbolSize: 13,
      data: points.map(({ name, cost, seconds, kind }) => ({
        name,
        value: [cost, seconds],
        itemStyle: { color: colours[kind] },
        label: { position: isRight(cost) ? "left" : "right" },
      })),
      label: { show: true, formatter: "{b}", color: ink, fontSize: 12 },
      labelLayout: { hideOverlap: true },
    },
  };
}

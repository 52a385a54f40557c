// Spend over time as stacked bars, what was spent before as a line, and what happened as marks.

import { chartPlace, drawMarks, timeOptions } from "./chart.js";
import { el } from "./dom.js";
import { resolved } from "./palette.js";

const GAP = 0.14; // of a bar's width

// `show({layers, buckets, before, marks, tz, currency, span, describe, pick})`: `layers` bottom first, each
// {name, label, colour, amounts}, a float or 0 a bucket; `buckets` [{start, end}] in ms; `before` a float a
// bucket or none; `describe(index)`: what a pointer is told, as elements; `pick(name, index)`.
export function barChart(label) {
  const place = chartPlace(label);
  const show = (shown) => place.show(keyOf(shown), (theme) => make(shown, theme));
  return { element: place.element, show };
}

const keyOf = ({ layers, buckets, before, marks, tz, currency }) =>
  JSON.stringify([layers, buckets.map(({ start }) => start), before, marks, tz, currency]);

function make({ layers, buckets, before, marks, tz, currency, span, describe, pick }, theme) {
  const tops = stack(layers, buckets.length);
  const bars = layers.map(({ colour }, index) => ({
    fill: resolved(colour),
    stroke: theme.card,
    width: 1,
    points: { show: false },
    paths: (it) => rectangles(it, buckets, tops[index]),
  }));
  const line = { stroke: theme.ink, width: 2, dash: [5, 4], points: { show: false }, spanGaps: true };
  const data = [
    buckets.map(({ start, end }) => (start + end) / 2000),
    ...tops.map((ends) => ends.map(([, to]) => to)),
    ...(before ? [before] : []),
  ];
  const kinds = { incident: resolved("var(--bad)"), price: theme.accent, release: resolved("var(--good)") };
  const options = {
    ...timeOptions(theme, { tz, currency, span }),
    series: [{}, ...bars, ...(before ? [line] : [])],
    hooks: { draw: [(it) => drawMarks(it, marks, (kind) => kinds[kind])] },
  };
  return {
    options,
    data,
    tip: (index) => describe(index),
    pick: pick && ((index, value) => pickLayer(layers, tops, index, value, pick)),
  };
}

// [from, to] of each layer in each bucket: what was given back lies below the line.
function stack(layers, length) {
  const above = Array(length).fill(0);
  const below = Array(length).fill(0);
  return layers.map(({ amounts }) =>
    amounts.map((amount, index) => {
      const side = amount < 0 ? below : above;
      const from = side[index];
      side[index] += amount;
      return [from, side[index]];
    }),
  );
}

function rectangles(it, buckets, ends) {
  const path = new Path2D();
  ends.forEach(([from, to], index) => {
    if (from === to) return;
    const [left, right] = [buckets[index].start, buckets[index].end].map((at) =>
      it.valToPos(at / 1000, "x", true),
    );
    const [low, high] = [from, to].map((amount) => it.valToPos(amount, "y", true));
    const width = Math.max(1, (right - left) * (1 - GAP));
    path.rect(left + ((right - left) * GAP) / 2, Math.min(low, high), width, Math.abs(high - low));
  });
  return { fill: path, stroke: path };
}

function pickLayer(layers, tops, index, value, pick) {
  const found = tops.findIndex((ends) => {
    const [from, to] = ends[index];
    return value >= Math.min(from, to) && value <= Math.max(from, to);
  });
  if (found >= 0) pick(layers[found].name, index);
}

// What a pointer is told: a heading, and a line of words and a figure each.
export const tipLines = (heading, lines) => [
  el("b", heading),
  ...lines.map(({ colour, label, text }) =>
    el(
      "span",
      { className: "tip-line" },
      colour ? el("i", { className: "dot", style: { background: colour } }) : null,
      el("span", label),
      el("span", { className: "figure" }, text),
    ),
  ),
];

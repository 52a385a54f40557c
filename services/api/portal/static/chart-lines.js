// Prices over time as steps, and what is left of a budget, with a fan to its period's end.

import { chartPlace, drawMarks, timeOptions } from "./chart.js";
import { el } from "./dom.js";
import { resolved } from "./palette.js";

// `show({lines, tz, currency, span})`: each line {name, colour, past, spans: [{from, to, y, text:
// [words]}]}, in ms; what is no longer believed is dotted.
export function stepChart(label) {
  const place = chartPlace(label);
  const show = (shown) => place.show(JSON.stringify(shown), (theme) => steps(shown, theme));
  return { element: place.element, show };
}

function steps({ lines, tz, currency, span }, theme) {
  const instants = new Set(lines.flatMap(({ spans }) => spans.flatMap(({ from, to }) => [from, to])));
  const at = [...instants].sort((a, b) => a - b);
  const series = lines.map(({ colour, past, spans }) => ({
    stroke: resolved(colour),
    width: past ? 2 : 3,
    dash: past ? [2, 4] : undefined,
    alpha: past ? 0.7 : 1,
    points: { show: false },
    paths: (it) => ({ stroke: levels(it, spans) }),
  }));
  const heights = lines.map(({ spans }) =>
    at.map((instant) => spans.find(({ from, to }) => from <= instant && instant <= to)?.y ?? null),
  );
  const tip = (_, instant) => {
    const found = lines.flatMap(({ spans }) =>
      spans.filter(({ from, to }) => from <= instant && instant <= to),
    );
    const words = found.map(({ text }) =>
      el("span", { className: "tip-line" }, text.filter(Boolean).join(" · ")),
    );
    return words.length ? words : null;
  };
  const options = { ...timeOptions(theme, { tz, currency, span }), series: [{}, ...series] };
  return { options, data: [at.map((instant) => instant / 1000), ...heights], tip };
}

function levels(it, spans) {
  const path = new Path2D();
  for (const { from, to, y } of spans) {
    const height = it.valToPos(y, "y", true);
    path.moveTo(it.valToPos(from / 1000, "x", true), height);
    path.lineTo(it.valToPos(to / 1000, "x", true), height);
  }
  return path;
}

// `show({points, fan, amount, marks, tz, currency, span, describe})`: `points` [{at, left}] in ms and as
// floats; `fan` {from, to, p10, p50, p90} of what will be left, or null; `describe(index)` as for bars.
export function burnChart(label) {
  const place = chartPlace(label);
  const show = ({ describe, ...shown }) =>
    place.show(JSON.stringify(shown), (theme) => burn({ describe, ...shown }, theme));
  return { element: place.element, show };
}

function burn({ points, fan, amount, marks, tz, currency, span, describe }, theme) {
  const at = [...points.map((point) => point.at), ...(fan ? [fan.to] : [])];
  const left = [...points.map((point) => point.left), ...(fan ? [null] : [])];
  const last = points.length - 1;
  const toEnd = (value) => at.map((_, index) => (index === last ? left[last] : index > last ? value : null));
  const line = { stroke: theme.accent, width: 2.5, points: { show: false } };
  const ahead = (width, dash) => ({ ...line, width, dash, spanGaps: true });
  const fans = fan
    ? [
        [fan.p50, 2, [6, 4]],
        [fan.p10, 1],
        [fan.p90, 1],
      ]
    : [];
  const lows = [amount, ...left, ...(fan ? [fan.p90] : [])].filter((value) => value !== null);
  const [low, high] = [Math.min(0, ...lows), Math.max(0, ...lows)];
  const margin = (high - low) * 0.06;
  const base = timeOptions(theme, { tz, currency, span });
  const options = {
    ...base,
    scales: { ...base.scales, y: { range: () => [low < 0 ? low - margin : 0, high + margin] } },
    series: [{}, line, ...fans.map(([, width, dash]) => ahead(width, dash))],
    hooks: {
      drawClear: [(it) => drawGround(it, { fan, points, amount, span, theme })],
      draw: [(it) => drawMarks(it, marks, () => resolved("var(--bad)"))],
    },
  };
  const tip = (index) => (index <= last ? describe(index) : null);
  return {
    options,
    data: [at.map((each) => each / 1000), left, ...fans.map(([value]) => toEnd(value))],
    tip,
  };
}

// Beneath the lines: the even pace, the end of the money, and what is between the outer two of ten forecasts.
function drawGround(it, { fan, points, amount, span, theme }) {
  const place = (at, value) => [it.valToPos(at / 1000, "x", true), it.valToPos(value, "y", true)];
  const { ctx } = it;
  ctx.save();
  if (fan) {
    ctx.fillStyle = resolved("var(--fan)");
    ctx.beginPath();
    ctx.moveTo(...place(fan.from, points.at(-1).left));
    ctx.lineTo(...place(fan.to, fan.p10));
    ctx.lineTo(...place(fan.to, fan.p90));
    ctx.fill();
  }
  drawLine(ctx, [place(span[0], amount), place(span[1], 0)], theme.soft, [2, 5]);
  drawLine(ctx, [place(span[0], 0), place(span[1], 0)], theme.ink, []);
  ctx.restore();
}

function drawLine(ctx, [from, to], colour, dash) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash(dash.map((each) => each * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}

// A chart's place: what draws is loaded, drawn again where its data, its width or the scheme changed, and
// what stands under a pointer is told. What is drawn: chart-bars.js, chart-lines.js.

import { uPlotLibrary } from "./chart-library.js";
import { el } from "./dom.js";
import { dayOf, symbol, timeOf } from "./format.js";
import { resolved } from "./palette.js";

const HEIGHT = 260;
const NARROW_PX = 520;
const NARROW_HEIGHT = 200;
const DAY_S = 86_400;
const WHOLE_DAYS_S = 4 * DAY_S; // beyond, no hours are marked
const HOURS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY_S];
const DAYS = [1, 2, 3, 4, 7, 14, 28, 56, 91, 182, 365].map((days) => days * DAY_S);
const LETTER_PX = 7;
const scheme = matchMedia("(prefers-color-scheme: dark)");

// `show(key, make)`: `make(theme)` gives {options, data, tip(index, at), pick(index, value)}, `at` in ms,
// and is asked again only where `key` is another, or the place is.
export function chartPlace(label) {
  const plotted = el("div", { className: "plot" });
  const tip = el("div", { className: "tip", hidden: true });
  const failure = el("p", { className: "empty", hidden: true });
  const element = el("div", { className: "chart", role: "img", "aria-label": label }, plotted, tip, failure);
  let plot = null;
  let drawn = "";
  let latest = null;

  async function show(key, make) {
    latest = { key, make };
    try {
      draw(await uPlotLibrary());
      failure.hidden = true;
    } catch (error) {
      if (!(error instanceof TypeError) || window.uPlot) throw error;
      failure.replaceChildren(`${error.message}; the table says the same.`);
      failure.hidden = false;
    }
  }

  function draw(UPlot) {
    const width = element.clientWidth;
    const now = `${latest.key}|${width}|${scheme.matches}`;
    if (!width || now === drawn) return;
    drawn = now;
    const { left, top } = plot?.cursor ?? {};
    plot?.destroy();
    const { options, data, tip: tell, pick } = latest.make(theme());
    const height = width < NARROW_PX ? NARROW_HEIGHT : HEIGHT;
    const hooks = { ...options.hooks, setCursor: [(it) => showTip(it, tell)] };
    const cursor = { points: { show: false }, drag: { x: false, y: false }, y: false };
    plot = new UPlot({ legend: { show: false }, cursor, ...options, hooks, width, height }, data, plotted);
    if (pick) plot.over.addEventListener("click", () => pickAt(plot, pick));
    plot.over.classList.toggle("picks", Boolean(pick));
    plot.over.addEventListener("mouseleave", () => (tip.hidden = true));
    if (left >= 0) plot.setCursor({ left, top });
  }

  function showTip(it, tell) {
    const { idx, left } = it.cursor;
    const lines =
      idx === null || idx === undefined || left < 0 ? null : tell(idx, it.posToVal(left, "x") * 1000);
    tip.hidden = !lines;
    if (!lines) return;
    tip.replaceChildren(...lines);
    const at = left + it.over.offsetLeft;
    const room = element.clientWidth - tip.offsetWidth - 4;
    tip.style.left = `${Math.max(0, Math.min(at + 14, room))}px`;
    tip.style.top = "6px";
  }

  const redraw = () => latest && window.uPlot && draw(window.uPlot);
  new ResizeObserver(redraw).observe(element);
  scheme.addEventListener("change", redraw);
  return { element, show };
}

function pickAt({ cursor, posToVal }, pick) {
  if (cursor.idx !== null && cursor.idx !== undefined) pick(cursor.idx, posToVal(cursor.top, "y"));
}

// Colours and the font as the styles say them.
export function theme() {
  const [soft, line, ink, card, accent] = ["--soft", "--line", "--ink", "--card", "--accent"].map((name) =>
    resolved(`var(${name})`),
  );
  return { soft, line, ink, card, accent, font: `12px ${resolved("var(--font)")}` };
}

// What charts over time share: the axes, in the zone and the currency of what is shown.
export function timeOptions({ soft, line, font }, { tz, currency, span }) {
  const axis = { stroke: soft, font, ticks: { stroke: line, size: 4 } };
  return {
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), tz),
    padding: [10, 22, 0, 0],
    scales: {
      x: { time: true, range: () => span.map((at) => at / 1000) },
      y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 32,
        space: 70,
        incrs: span[1] - span[0] > WHOLE_DAYS_S * 1000 ? DAYS : HOURS,
        values: (_, at, axisIndex, space, step) => times(at, step, tz),
      },
      {
        ...axis,
        ticks: { show: false },
        grid: { stroke: line, width: 1 },
        size: (_, values) => 14 + LETTER_PX * Math.max(3, ...(values ?? []).map(({ length }) => length)),
        values: (_, amounts) => amounts.map((amount) => compactMoney(amount, currency)),
      },
    ],
  };
}

// Days where days are marked; hours otherwise, and the day where it changes.
function times(at, step, tz) {
  let before = "";
  return at.map((seconds) => {
    const day = dayOf(seconds * 1000, tz);
    const changed = day !== before;
    before = day;
    const hour = timeOf(seconds * 1000, tz).slice(0, 5);
    return step >= DAY_S ? day : changed && hour === "00:00" ? day : hour;
  });
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
export const compactMoney = (amount, currency) =>
  `${amount < 0 ? "-" : ""}${symbol(currency)}${compact.format(Math.abs(amount))}`;

// Vertical lines where something happened: [{at, kind}], `at` in ms.
export function drawMarks(it, marks, colourOf) {
  const { ctx, bbox } = it;
  ctx.save();
  for (const { at, kind } of marks) {
    const x = Math.round(it.valToPos(at / 1000, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const size = 5 * devicePixelRatio;
    ctx.strokeStyle = ctx.fillStyle = colourOf(kind);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - size, bbox.top - size);
    ctx.lineTo(x + size, bbox.top - size);
    ctx.lineTo(x, bbox.top + size);
    ctx.fill();
  }
  ctx.restore();
}

// The explorer's chart: what the largest groups spent over time, and all others together above them.

import { OTHERS, drawBars, escaped } from "./chart.js";
import { formatDecimal, iso, momentToMinute, money, sum, symbol } from "./format.js";
import { link, valueLabel } from "./links.js";

// `rows`: of one currency, a bucket and a group each; `largest`: the names of groups with a layer of their
// own.
export function drawSpend(chart, { spend, name, span, widthMs, filters }, rows, largest) {
  const layers = new Map(largest.map((value) => [value, []]));
  const others = new Map();
  for (const row of rows) {
    if (!row.others && layers.has(row[name])) layers.get(row[name]).push(row);
    else others.set(row.bucket_start, [...(others.get(row.bucket_start) ?? []), row]);
  }
  const drawn = largest.map((value) => ({
    name: value,
    label: escaped(valueLabel(value)),
    points: layers.get(value).map((row) => pointOf(row, row.effective, spend)),
  }));
  if (others.size) {
    const points = [...others.values()].map((bucket) => {
      const amount = formatDecimal(sum(bucket.map((row) => row.effective)));
      return pointOf(bucket[0], amount, spend);
    });
    drawn.push({ name: OTHERS, label: "others", points });
  }
  drawBars(chart, drawn, {
    widthMs,
    range: span.map((at) => wallClock(new Date(at).toLocaleString("sv-SE", { timeZone: spend.tz }))),
    unit: symbol(spend.currency),
    onClick: (value, start, end) => {
      const from = iso(Math.max(Date.parse(start), span[0]));
      const to = iso(Math.min(Date.parse(end), span[1]));
      const narrowed = value === OTHERS ? filters : { ...filters, [name]: [value] };
      location.hash = link("events", { from, to, filters: narrowed });
    },
  });
}

const pointOf = ({ bucket_start: start, bucket_end: end }, amount, { currency, tz }) => ({
  x: wallClock(start),
  y: Number(amount),
  start,
  end,
  text: `${money(amount, currency)} ${currency}<br>${momentToMinute(start, tz)}`,
});

// An instant as the clock on the wall there says.
const wallClock = (at) => at.slice(0, 19).replace("T", " ");

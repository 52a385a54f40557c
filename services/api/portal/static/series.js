// Spend over time as charts take it: in buckets that fit the range, from where spend begins.

import { get } from "./api.js";
import { formatDecimal, momentToMinute, money, sum } from "./format.js";
import { valueLabel } from "./links.js";
import { LARGEST, OTHERS, assignColours } from "./palette.js";
import { DAY_MS, spanParameters } from "./ranges.js";

const PAGE_ROWS = 5000;
const PAGES_MAX = 4; // of one chart: several currencies, each in every minute
const HOUR_MS = 3_600_000;
const FINE_MS = 3 * HOUR_MS;

export function bucketOf([from, to]) {
  const span = to - from;
  if (span <= FINE_MS) return "minute";
  if (span <= 73 * HOUR_MS) return "hour";
  return span <= 120 * DAY_MS ? "day" : "month";
}

const isSpent = (row) => row.effective !== "0";

// Asked with `parameters` for `span`; where spend begins late, once more from there, in finer buckets.
// Resolves to {spend, rows, span}: rows of the answer's own currency.
export async function readSeries(span, parameters) {
  const bucket = bucketOf(span);
  const asked = { ...parameters, ...spanParameters(span), usage: false, bucket, limit: PAGE_ROWS };
  const spend = await get("/v1/spend", asked);
  const series = [...spend.series];
  for (let pages = 1, page = spend; page.next_cursor && pages < PAGES_MAX; pages += 1) {
    page = await get("/v1/spend", { ...asked, cursor: page.next_cursor });
    series.push(...page.series);
  }
  const rows = series.filter(({ currency }) => currency === spend.currency);
  const first = Date.parse(rows.find(isSpent)?.bucket_start);
  if (first > span[0] && bucketOf([first, span[1]]) !== bucket)
    return readSeries([first, span[1]], parameters);
  return { spend, rows, span: first > span[0] ? [first, span[1]] : span, asked };
}

// The layers of a chart by dimension `name`: the largest by name, all others together, and what each bucket
// holds.
export function layersOf({ spend, rows, span }, name) {
  const own = spend.totals.filter(({ currency, others }) => currency === spend.currency && !others);
  const largest = own.slice(0, LARGEST).map((row) => row[name]);
  const colourOf = assignColours(largest);
  const buckets = bucketsOf(rows, span);
  const places = new Map(buckets.map(({ at }, index) => [at, index]));
  const names = [...largest, OTHERS];
  const found = new Map(names.map((each) => [each, buckets.map(() => [])]));
  for (const row of rows) {
    const place = places.get(row.bucket_start);
    if (place === undefined || !isSpent(row)) continue;
    found.get(!row.others && largest.includes(row[name]) ? row[name] : OTHERS)[place].push(row.effective);
  }
  const layers = names.map((each, index) => {
    const texts = found.get(each).map((amounts) => formatDecimal(sum(amounts)));
    const others = index === largest.length;
    const label = others ? "others" : valueLabel(each);
    return {
      name: others ? null : each,
      label,
      colour: colourOf(others ? null : each),
      texts,
      amounts: texts.map(Number),
    };
  });
  return { buckets, layers: layers.filter(({ texts }) => texts.some((text) => text !== "0")) };
}

function bucketsOf(rows, span) {
  const ends = new Map(rows.map((row) => [row.bucket_start, row.bucket_end]));
  return [...ends]
    .map(([at, end]) => ({ at, start: Math.max(Date.parse(at), 0), end: Date.parse(end) }))
    .filter(({ end }) => end > span[0])
    .sort((a, b) => a.start - b.start);
}

// What was spent by bucket in the period before, as texts; null = nothing is compared.
export async function readBefore(span, filters, bucket) {
  if (!span) return null;
  const asked = { ...spanParameters(span), ...filters, usage: false, bucket, limit: PAGE_ROWS };
  const { series, currency } = await get("/v1/spend", asked);
  return series.filter((row) => row.currency === currency).map(({ effective }) => effective);
}

// How many buckets of what was asked lie before spend begins.
export function bucketsBefore({ rows, span }) {
  const before = rows.filter(({ bucket_end: end }) => Date.parse(end) <= span[0]);
  return new Set(before.map((row) => row.bucket_start)).size;
}

// Of that, what lies beside these buckets; null = nothing was spent in them.
export function besideBuckets(before, buckets) {
  const texts = before?.slice(0, buckets.length) ?? [];
  return texts.some((text) => text !== "0") ? texts : null;
}

export const totalOf = (layers, index) => sum(layers.map(({ texts }) => texts[index]));

export const bucketInWords = ({ start, end }, tz) =>
  end - start >= DAY_MS - 2 * HOUR_MS ? momentToMinute(start, tz).slice(0, -6) : momentToMinute(start, tz);

// What a pointer is told of a bucket: [heading, lines], for `tipLines`.
export function bucketTip({ layers, buckets, before }, index, { tz, currency }) {
  const lines = layers
    .filter(({ texts }) => texts[index] !== "0")
    .reverse()
    .map(({ colour, label, texts }) => ({ colour, label, text: money(texts[index], currency) }));
  if (lines.length > 1) lines.push({ label: "together", text: money(totalOf(layers, index), currency) });
  if (before?.[index]) lines.push({ label: "the period before", text: money(before[index], currency) });
  return [bucketInWords(buckets[index], tz), lines];
}

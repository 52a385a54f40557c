// Spend over time by one dimension, against the period before, with what happened marked; and the same in
// figures.

import { session } from "./api.js";
import { barChart, tipLines } from "./chart-bars.js";
import { chartTable } from "./chart-table.js";
import { el } from "./dom.js";
import { dayOf, iso, momentToMinute } from "./format.js";
import { dimensionLabel, filterParameters, link } from "./links.js";
import { KINDS, marksFrom, readMarks } from "./marks.js";
import { spanBefore } from "./ranges.js";
import { slowly } from "./refresh.js";
import {
  besideBuckets,
  bucketOf,
  bucketTip,
  bucketsBefore,
  layersOf,
  readBefore,
  readSeries,
} from "./series.js";
import { tableTools } from "./tools.js";

const ROWS_AT_ONCE = 5000; // of a file

// `ask({query, span, name, filters})` resolves to what `show` draws; `clear()` takes it away.
export function spendChart() {
  const chart = barChart("Spend over time");
  const legend = el("ul", { className: "legend" });
  const marked = el("p", { className: "marks", hidden: true });
  let asked = {};
  const tools = tableTools(() => ({ path: "/v1/spend", parameters: asked }), {
    name: "spend-over-time",
    rows: ROWS_AT_ONCE,
    parquet: true,
  });
  const figures = chartTable(tools);
  const element = el("div", { className: "spend-chart" }, chart.element, legend, marked, figures.element);
  const slow = slowly();
  const finer = slowly();

  // What stands beside the layers is asked for at the same time, of the whole span: of that, what lies before
  // spend begins is left out. Only where buckets turn out to be finer is the period before asked for again.
  async function ask({ query, span, name, filters, top }) {
    const parameters = { ...filterParameters(filters), group_by: name, top };
    const whole = spanBefore(query, session.tz, span);
    const plain = filterParameters(filters);
    const usual = bucketOf(span);
    const question = JSON.stringify([usual, whole?.[0], span[0], filters]);
    const [read, [wide, marks]] = await Promise.all([
      readSeries(span, parameters),
      slow(question, () => Promise.all([readBefore(whole, plain, usual), readMarks(span, filters)])),
    ]);
    const { bucket } = read.asked;
    const cut = whole && [whole[0] + (read.span[0] - span[0]), whole[1]];
    const texts =
      bucket === usual
        ? wide?.slice(bucketsBefore(read))
        : await finer(JSON.stringify([question, bucket, cut]), () => readBefore(cut, plain, bucket));
    const { buckets, layers } = layersOf(read, name);
    const before = besideBuckets(texts, buckets);
    return { ...read, buckets, layers, name, filters, before, marks: marksFrom(read.span[0], marks) };
  }

  function show({ spend, span, buckets, layers, before, marks, name, filters, asked: question }) {
    const { tz, currency } = spend;
    const all = { layers, buckets, before, tz, currency };
    asked = question;
    element.hidden = !layers.length;
    if (!layers.length) return;
    const told = before ? ", against the period before as a dashed line" : "";
    chart.element.setAttribute(
      "aria-label",
      `Spend over time by ${dimensionLabel(name)}${told}; the figures are below`,
    );
    const describe = (index) => tipLines(...bucketTip(all, index, all));
    const drawn = { ...all, before: before?.map(Number), marks, span, describe };
    chart.show({
      ...drawn,
      pick: (value, index) => openEvents(buckets[index], span, { name, value, filters }),
    });
    legend.replaceChildren(
      ...layers.map(legendItem),
      ...(before ? [BEFORE.cloneNode(true)] : []),
      ...markItems(marks),
    );
    showMarks(marked, marks, tz);
    figures.show(all);
  }

  const clear = () => (element.hidden = true);
  return { element, ask, show, clear };
}

const legendItem = ({ label, colour }) =>
  el("li", el("i", { className: "dot", style: { background: colour } }), label);
const BEFORE = el("li", el("i", { className: "dash" }), "the period before");

// What a mark of each kind that is there says.
const markItems = (marks) =>
  Object.entries(KINDS)
    .filter(([kind]) => marks.some((each) => each.kind === kind))
    .map(([kind, words]) => el("li", { className: `of-${kind}` }, el("b", "▾ "), words));

function openEvents({ start, end }, [from, to], { name, value, filters }) {
  const within = { from: iso(Math.max(start, from)), to: iso(Math.min(end, to)) };
  const narrowed = value === null ? filters : { ...filters, [name]: [value] };
  location.hash = link("events", { ...within, filters: narrowed });
}

function showMarks(place, marks, tz) {
  place.hidden = !marks.length;
  const items = marks.map(({ at, kind, text, href, wholeDay }) => {
    const when = wholeDay ? dayOf(at, "UTC") : momentToMinute(at, tz);
    return el("a", { href, className: `of-${kind}` }, el("b", "▾ "), `${when} ${text}`);
  });
  place.replaceChildren(...items.flatMap((item) => [item, " "]));
}

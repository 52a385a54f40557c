// The same as a chart in figures, folded away: for who does not see the chart, and for who wants the numbers.

import { el } from "./dom.js";
import { formatDecimal, moneyColumn } from "./format.js";
import { scrolls, table } from "./pieces.js";
import { bucketInWords, totalOf } from "./series.js";

// `tools`: what goes with the table. Filled while it is open.
export function chartTable(tools) {
  const place = scrolls("Figures of the chart");
  const element = el(
    "details",
    { className: "chart-figures", on: { toggle: () => element.open && fill() } },
    el("summary", "The chart in figures"),
    place,
    tools,
  );
  let shown = null;

  function show(chart) {
    shown = chart;
    if (element.open) fill();
  }

  function fill() {
    if (shown) place.replaceChildren(figures(shown));
  }
  return { element, show };
}

function figures({ layers, buckets, before, tz, currency }) {
  const columns = layers.map(({ label, texts }) => ({ label, texts, say: moneyColumn(texts, currency) }));
  const totals = buckets.map((_, index) => totalOf(layers, index));
  const heads = [["from"], ...columns.map(({ label }) => [label, "figure"])];
  heads.push(["all", "figure"], ...(before ? [["before", "figure"]] : []));
  const sayTotal = moneyColumn([...totals.map(formatDecimal), ...(before ?? [])], currency);
  const rows = buckets.map((bucket, index) =>
    el(
      "tr",
      el("th", { scope: "row", className: "nowrap" }, bucketInWords(bucket, tz)),
      columns.map(({ texts, say }) => el("td", { className: "figure" }, say(texts[index]))),
      el("td", { className: "figure" }, sayTotal(totals[index])),
      before &&
        el("td", { className: "figure" }, before[index] === undefined ? "—" : sayTotal(before[index])),
    ),
  );
  return table(heads, el("tbody", rows));
}

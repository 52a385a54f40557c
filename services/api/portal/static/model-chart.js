// A model's list prices over time, of the unit that is chosen.

import { stepChart } from "./chart-lines.js";
import { el } from "./dom.js";
import { dayOf } from "./format.js";
import { assignColours } from "./palette.js";
import { lastingConditions, scopeWords } from "./price-words.js";
import { currencyOf, describePrice, perOf } from "./prices.js";

const YEAR_MS = 365 * 86_400_000;
const MARGIN = 0.06; // of the range, on either side

export function priceHistory() {
  const chart = stepChart("Prices over time; the tables below say the same");
  const unit = el("select", { on: { change: draw } });
  const legend = el("p", { className: "chips" });
  const element = el(
    "div",
    el("div", { className: "controls" }, el("h2", "List prices over time"), el("label", "of ", unit)),
    chart.element,
    legend,
    el("p", { className: "fine" }, "Solid: believed now. Dotted: withdrawn."),
  );
  let listPrices = [];

  // What is shown of them; it is drawn once it is in the page, where it has a width.
  function show(history) {
    listPrices = history.filter(isListPrice);
    const units = [...new Set(listPrices.map(({ entry }) => entry.unit))];
    const preferred = [unit.value, "input_tokens", ...units].find((name) => units.includes(name));
    const option = (name) => el("option", { value: name, selected: name === preferred }, name);
    unit.replaceChildren(...units.map(option));
    return units.length ? [element] : [];
  }

  function draw() {
    const shown = listPrices.filter(({ entry }) => entry.unit === unit.value);
    if (!shown.length) return;
    const range = rangeOf(shown);
    const lines = linesOf(shown, range);
    const colourOf = assignColours([...new Set(lines.map(({ name }) => name))]);
    legend.replaceChildren(
      ...lines.map(({ name, past }) => {
        const dot = el("i", { className: "dot", style: { background: colourOf(name) } });
        return el("span", dot, past ? `${name} (withdrawn)` : name);
      }),
    );
    const coloured = lines.map((line) => ({ ...line, colour: colourOf(line.name) }));
    chart.show({ lines: coloured, tz: "UTC", currency: currencyOf(shown[0].entry), span: range });
  }

  return { show, draw };
}

const isListPrice = ({ entry }) => entry.price !== undefined && (entry.kind ?? "list") === "list";

// A year back, or as far as their dates reach, with a margin.
function rangeOf(prices) {
  const now = Date.now();
  const dates = prices.flatMap(({ entry: { when } }) => [when?.effective_from, when?.effective_to]);
  const limits = dates.filter(Boolean).map((at) => Date.parse(at));
  const [first, last] = [Math.min(now - YEAR_MS, ...limits), Math.max(now, ...limits)];
  return [first - (last - first) * MARGIN, last + (last - first) * MARGIN];
}

// A line for each set of conditions; those that were withdrawn apart. Prices of different sizes (for one, for
// a million) are drawn for the largest; the words keep their own.
function linesOf(prices, range) {
  const size = Math.max(...prices.map(({ entry }) => perOf(entry)));
  const lines = new Map();
  for (const price of prices) {
    const { entry, conditions, withdrawn_version: withdrawn } = price;
    const [currency, usual] = [currencyOf(entry), currencyOf(prices[0].entry)];
    const words = [lastingConditions(conditions) || "always", ...scopeWords(entry)];
    const name = [...words, ...(currency === usual ? [] : [currency])].join("; ");
    const key = `${name} ${Boolean(withdrawn)}`;
    if (!lines.has(key)) lines.set(key, { name, past: Boolean(withdrawn), spans: [] });
    lines.get(key).spans.push(spanOf(price, range, size));
  }
  return [...lines.values()];
}

function spanOf({ entry, says, withdrawn_version: withdrawn }, range, size) {
  const { effective_from: from, effective_to: to } = entry.when ?? {};
  const when = `${from ? `from ${dayAndYear(from)}` : "since ever"}${to ? ` until ${dayAndYear(to)}` : ""}`;
  return {
    from: from ? Date.parse(from) : range[0],
    to: to ? Date.parse(to) : range[1],
    y: (Number(entry.price) / perOf(entry)) * size,
    text: [
      `${describePrice(entry)}, ${when}`,
      says,
      withdrawn ? `withdrawn in publication ${withdrawn}` : "",
    ],
  };
}

const dayAndYear = (at) => `${dayOf(at, "UTC")} ${at.slice(0, 4)}`;

// The runs of a workflow that cost most, each with its receipt.

import { el } from "./dom.js";
import { count, moneyColumn } from "./format.js";
import { link } from "./links.js";
import { scrolls, table } from "./pieces.js";

const SHOWN = 20;
const COLUMNS = [
  ["Run"],
  ["Version"],
  ["Team"],
  ["Last day"],
  ["Calls", "figure"],
  ["AI", "figure"],
  ["People", "figure"],
  ["The rest", "figure"],
  ["Cost", "figure"],
];

// Of all versions and days, those that are too young to be judged too; a table for each currency.
export function dearestRuns(versions) {
  const runs = versions.flatMap(({ version, dearest }) => dearest.map((run) => ({ ...run, version })));
  if (!runs.length) return [];
  const currencies = [...new Set(runs.map(({ currency }) => currency))];
  return [
    el("h2", "The dearest runs"),
    ...currencies.map((currency) => runsTable(runs, currency)),
    el("p", { className: "fine" }, WORDS),
  ];
}

const WORDS =
  "Of each version at most ten, of all days above, young ones too. A run opens its receipt: what was " +
  "called, what it achieved, and what is not in it.";

function runsTable(runs, currency) {
  const own = runs.filter((run) => run.currency === currency);
  own.sort((a, b) => Number(b.cost) - Number(a.cost));
  const shown = own.slice(0, SHOWN);
  const say = moneyColumn(
    shown.flatMap(({ ai, human, adjacent, cost }) => [ai, human, adjacent, cost]),
    currency,
  );
  const rows = shown.map(({ run, version, team, day, calls, ai, human, adjacent, cost }) =>
    el(
      "tr",
      el("th", { scope: "row" }, el("a", { href: link("run", { run }) }, run)),
      [version || "(none)", team || "(none)", day].map((text) => el("td", text)),
      [count(calls), ...[ai, human, adjacent, cost].map(say)].map((text) =>
        el("td", { className: "figure" }, text),
      ),
    ),
  );
  return scrolls(`The dearest runs, ${currency}`, table(COLUMNS, el("tbody", rows)));
}

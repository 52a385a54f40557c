// Versions of a workflow side by side: figures, what became of outcomes, and what they cost.

import { el } from "./dom.js";
import { eventsOf, money } from "./format.js";
import { LABELS, intervalOf, writerOf } from "./outcome-words.js";
import { table } from "./pieces.js";

const COUNTS = {
  runs: "runs",
  young_runs: "runs too young to be judged, on neither side",
  calls: "calls",
  failed_calls: "calls that failed",
  outcomes: "outcomes",
  accepted: "accepted",
  refused: "refused",
  reversed: "reversed in time",
  open: "open: nobody has said anything",
  reversed_later: "reversed later, which changes nothing here",
  accepted_later: "accepted later, which changes nothing here",
};
const PARTS = {
  ai: "AI",
  human: "people",
  adjacent: "the rest",
  total: "in all",
  without_run: "of it without a run",
};

// `shared`: what is said once, above them (`sharedLack`).
export function versionsTable({ versions, declared }, shared) {
  const heads = versions.map(({ version, kind }) => [
    `${version || "(none)"}${kind ? `, ${kind}` : ""}`,
    "figure",
  ]);
  const row = (label, cellOf) =>
    el(
      "tr",
      el("th", { scope: "row" }, label),
      versions.map((version) => el("td", { className: "figure" }, cellOf(version))),
    );
  const figures = Object.entries(LABELS).map(([name, label]) =>
    row(label, (version) => cell(version, name, currencyOf(version, declared), shared)),
  );
  const counts = Object.entries(COUNTS).map(([name, label]) =>
    row(label, (version) => (version.entered ? "as entered" : version[name])),
  );
  const costs = Object.entries(PARTS).map(([name, label]) =>
    row(`cost, ${label}`, ({ entered, costs: each }) => (entered ? "as entered" : costLines(each, name))),
  );
  return table(
    [["Figure"], ...heads],
    el("tbody", figures, counts, costs, row("cost, what it lacks", lacks)),
  );
}

// In the API's own words: what half of the figures of every version lack.
export function sharedLack(versions) {
  const measured = versions.filter(({ entered }) => !entered);
  const lacking = ({ figures }, each) => figures.filter(({ missing }) => missing.includes(each)).length;
  const said = measured.flatMap(({ figures }) => figures.flatMap(({ missing }) => missing));
  const widely = (each) => measured.every((version) => lacking(version, each) * 2 >= version.figures.length);
  return [...new Set(said)].filter(widely);
}

// Two currencies are never added: each has a line.
const costLines = (costs, name) =>
  costs.length
    ? costs.map((cost) => el("span", { className: "line" }, money(cost[name], cost.currency)))
    : "—";

function lacks({ costs }) {
  const said = costs.flatMap(({ currency, of_which_provisional: provisional, unpriced_events: events }) => [
    Number(provisional) ? `${money(provisional, currency)} provisional` : "",
    events ? `${eventsOf(events)} without a price` : "",
  ]);
  return said.filter(Boolean).join("; ") || "—";
}

// Two currencies are never added: then no cost is said, and so no currency is needed.
function currencyOf({ version, costs }, declared) {
  if (costs.length === 1) return costs[0].currency;
  return declared.find((each) => each.version === version)?.baseline?.currency ?? null;
}

function cell({ figures, top_runs: top }, name, currency, shared) {
  const figure = figures.find((each) => each.name === name);
  if (!figure) return "—";
  const { value, missing, lower_bound: atLeast, upper_bound: atMost, without_top: without } = figure;
  const own = missing.filter((each) => !shared.includes(each));
  if (value === null) return el("small", own.join("; ") || "not known");
  const say = writerOf(name, currency);
  const small = [
    intervalOf(figure, say),
    without !== null && without !== value ? `${say(without)} without the ${top} dearest runs` : "",
    own.join("; "),
  ].filter(Boolean);
  return [
    atLeast ? "at least " : atMost ? "at most " : "",
    say(value),
    small.map((text) => el("small", { className: "line" }, text)),
  ].flat();
}

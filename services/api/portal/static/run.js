// One answer: what a run cost, all in, as a receipt over all cost classes; what it achieved, and what is
// not in it.

import { get } from "./api.js";
import { el } from "./dom.js";
import { count, eventsOf, money, moneyColumn } from "./format.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { scrolls, statusBadge, table, zonedMoment } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const SECTIONS = {
  by_class: "By cost class",
  by_model: "By model",
  by_agent: "By agent",
  by_workflow: "By workflow",
};

export function runPage(query) {
  const run = query.get("run") ?? "";
  const name = el("input", {
    type: "search",
    value: run,
    "aria-label": "Run",
    placeholder: "A run, as its events name it",
  });
  const content = run
    ? lookup({ ask: () => get("/v1/runs", { run }), draw, beats: RARE_BEATS, waits: true })
    : null;

  function submit(event) {
    event.preventDefault();
    location.hash = link("run", { run: name.value.trim() });
  }

  const element = el(
    "section",
    { className: "card receipt" },
    el("h1", "What one answer cost, all in"),
    el("form", { className: "controls", on: { submit } }, name, el("button", "Show")),
    content?.element ??
      el("p", { className: "empty" }, "Name a run: its model, database, tools and people on one receipt."),
    run &&
      tableTools(() => ({ path: "/v1/runs", parameters: { run } }), {
        name: "run",
        shown: () => content.element,
      }),
  );
  return { element, refresh: content?.refresh ?? (async () => null), timeless: true };
}

const draw = (run) => [
  el(
    "p",
    { className: "verdict" },
    run.costs.map(({ effective, currency }) => el("strong", `${money(effective, currency)} `)),
  ),
  el("p", { className: "soft" }, run.summary),
  ...(run.first_at
    ? [el("p", { className: "fine" }, `${zonedMoment(run.first_at)} to ${zonedMoment(run.last_at)}`)]
    : []),
  ...run.not_in_it.map((text) => el("p", { className: "bad" }, text)),
  ...Object.entries(SECTIONS).flatMap(([key, title]) => costTable(title, run[key], run.beyond[key])),
  ...outcomesOf(run.outcomes),
  ...callsOf(run.calls),
  ...eventsPart(run.events),
];

function costTable(title, rows, beyond) {
  if (!rows.length) return [];
  const say = new Map(
    rows.map(({ currency }) => [
      currency,
      moneyColumn(
        rows.map(({ effective }) => effective),
        currency,
      ),
    ]),
  );
  const body = rows.map((row) =>
    el(
      "tr",
      el("th", { scope: "row" }, nameOf(row)),
      el("td", { className: "figure" }, count(row.events)),
      el("td", { className: "figure" }, say.get(row.currency)(row.effective), unpriced(row)),
    ),
  );
  const more = beyond ? [el("p", { className: "fine" }, `and ${count(beyond)} more`)] : [];
  return [
    el("h2", title),
    table([["Of"], ["Events", "figure"], ["Cost", "figure"]], el("tbody", body)),
    ...more,
  ];
}

const nameOf = ({ provider, sku, agent, workflow, workflow_version: version, cost_class: kind }) => {
  if (sku !== undefined) return `${provider}/${sku}`;
  if (agent !== undefined) return agent || "(none)";
  if (workflow !== undefined) return [workflow, version].filter(Boolean).join(" ") || "(none)";
  return kind;
};

const unpriced = ({ unpriced_events: events }) =>
  events ? el("small", { className: "bad line" }, `${eventsOf(events)} without a price`) : null;

function outcomesOf(outcomes) {
  if (!outcomes.length) return [];
  const rows = outcomes.map(
    ({ name, accepted, refused, open, reversed, cost_per_accepted: each, cost_currency: currency }) =>
      el(
        "tr",
        el("th", { scope: "row" }, name),
        ...[accepted, refused, open, reversed].map((number) =>
          el("td", { className: "figure" }, count(number)),
        ),
        el("td", { className: "figure" }, each === null ? "—" : money(each, currency)),
      ),
  );
  const heads = ["Accepted", "Refused", "Open", "Reversed", "Each accepted"].map((head) => [head, "figure"]);
  return [
    el("h2", "What it achieved"),
    scrolls("Its figures", table([["Outcome"], ...heads], el("tbody", rows))),
  ];
}

function callsOf({ attempts, statuses, latency_ms_mean: mean, latency_ms_max: most }) {
  if (!attempts) return [];
  const told = statuses.map(({ status, events }) => `${status || "not said"} ${count(events)}`).join(" · ");
  const slow = mean === null ? "" : ` · ${Math.round(Number(mean))} ms on average, ${count(most)} ms at most`;
  return [el("h2", "How its calls went"), el("p", `${count(attempts)} attempts: ${told}${slow}`)];
}

function eventsPart(events) {
  if (!events.length) return [];
  const rows = events.map(({ source, id, time, status, effective, currency, dimensions }) =>
    el(
      "tr",
      el("td", { className: "nowrap" }, zonedMoment(time)),
      el(
        "td",
        el("a", { href: link("event", { source, id }) }, id),
        el("small", ` ${dimensions.provider}/${dimensions.sku}`),
      ),
      el("td", statusBadge(status)),
      el("td", { className: "figure" }, `${effective} ${currency}`),
    ),
  );
  const columns = [["Time"], ["Event"], ["Status"], ["Amount", "figure"]];
  return [el("h2", "Its newest events"), scrolls("Its figures", table(columns, el("tbody", rows)))];
}

// What does a solved case cost? The versions of a workflow side by side, each figure with its interval;
// where there is too little to judge by, that is said instead.

import { get } from "./api.js";
import { el } from "./dom.js";
import { count, money, percent } from "./format.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { badge, scrolls, table, trail } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const COSTS = {
  cost_per_accepted: "an accepted outcome costs",
  ai_per_accepted: "of it AI",
  human_per_accepted: "of it people",
  adjacent_per_accepted: "of it the rest",
  cost_per_outcome: "an outcome costs",
  cost_per_run: "a run costs",
};
const OTHERS = {
  attempts_per_success: ["attempts for a success", number],
  human_minutes_per_accepted: ["minutes of people for an accepted outcome", number],
  cycle_hours: ["hours from begin to end", number],
  success_share: ["share that is accepted and stays so", (text) => percent(Number(text))],
  value_per_accepted: ["an accepted outcome is worth", number],
  roi_multiple: ["worth for each unit of cost", number],
};
const LABELS = {
  ...COSTS,
  ...Object.fromEntries(Object.entries(OTHERS).map(([name, [label]]) => [name, label])),
};

export function outcomesPage(query) {
  return query.get("workflow") ? workflowPage(query.get("workflow")) : listPage();
}

function listPage() {
  const content = lookup({ ask: () => get("/v1/workflows"), draw: drawList, beats: RARE_BEATS });
  const element = el(
    "section",
    { className: "card outcome" },
    el("h1", "What does a solved case cost?"),
    content.element,
    tableTools(() => ({ path: "/v1/workflows" }), { csv: false }),
  );
  return { element, refresh: content.refresh, timeless: true };
}

function drawList({ workflows }) {
  if (!workflows.length) return [el("p", { className: "empty" }, NONE)];
  const rows = workflows.map(({ workflow, versions }) =>
    el(
      "tr",
      el("th", { scope: "row" }, el("a", { href: link("outcomes", { workflow }) }, workflow)),
      el("td", versions.map(versionLine)),
    ),
  );
  return [scrolls("Workflows", table([["Workflow"], ["Versions"]], el("tbody", rows)))];
}

const NONE = "No workflow did anything in the last 90 days: events name theirs by the label workflow.";

const versionLine = ({ version, kind, runs, first_day: first, last_day: last }) =>
  el(
    "span",
    { className: "line" },
    version || "(none)",
    " ",
    kind ? badge(kind, "") : null,
    el("small", first ? ` ${count(runs)} runs from ${first} to ${last}` : " no runs: as it was entered"),
  );

function workflowPage(workflow) {
  const path = "/v1/workflows/comparison";
  const content = lookup({ ask: () => get(path, { workflow }), draw: drawComparison, beats: RARE_BEATS });
  const element = el(
    "section",
    { className: "card outcome" },
    trail(el("a", { href: link("outcomes") }, "Outcomes"), workflow),
    el("h1", workflow),
    content.element,
    tableTools(() => ({ path, parameters: { workflow } }), { csv: false }),
  );
  return { element, refresh: content.refresh, timeless: true };
}

function drawComparison(answer) {
  const { versions, first_day: first, until, mature_until: mature, outcome, settings } = answer;
  const days = `Outcomes named ${outcome || "(none)"} from ${first} until before ${until}`;
  const lasting = `those that began before ${mature} are old enough to be judged`;
  return [
    el("p", { className: "soft" }, `${days}; ${lasting}.`),
    scrolls("Versions side by side", versionsTable(answer)),
    ...answer.differences.map((difference) => differencePart(difference)),
    el(
      "p",
      { className: "fine" },
      `An outcome must last ${settings?.survival_days ?? "—"} days. ${INTERVALS}`,
    ),
    ...(versions.length ? [] : [el("p", { className: "empty" }, "No version has anything to show.")]),
  ];
}

const INTERVALS = "In brackets: the interval of 95 % over its days.";

function versionsTable({ versions, declared }) {
  const heads = versions.map(({ version, kind }) => [
    `${version || "(none)"}${kind ? `, ${kind}` : ""}`,
    "figure",
  ]);
  const rows = Object.entries(LABELS).map(([name, label]) =>
    el(
      "tr",
      el("th", { scope: "row" }, label),
      versions.map((version) =>
        el("td", { className: "figure" }, cell(version, name, currencyOf(version, declared))),
      ),
    ),
  );
  const counts = ["runs", "accepted", "refused", "reversed", "young_runs"].map((name) =>
    el(
      "tr",
      el("th", { scope: "row" }, name.replace("_", " ")),
      versions.map((version) =>
        el("td", { className: "figure" }, version.entered ? "as entered" : String(version[name])),
      ),
    ),
  );
  return table([["Figure"], ...heads], el("tbody", rows, counts));
}

// Two currencies are never added: then no cost is said, and so no currency is needed.
function currencyOf({ version, costs }, declared) {
  if (costs.length === 1) return costs[0].currency;
  return declared.find((each) => each.version === version)?.baseline?.currency ?? null;
}

function cell({ figures }, name, currency) {
  const figure = figures.find((each) => each.name === name);
  if (!figure) return "—";
  const { value, low, high, missing, lower_bound: atLeast } = figure;
  if (value === null) return el("small", missing.join("; ") || "unknown");
  const say =
    Object.hasOwn(COSTS, name) && currency ? (text) => money(text, currency) : (OTHERS[name]?.[1] ?? number);
  const interval =
    low !== null && low !== high ? el("small", { className: "line" }, `[${say(low)} to ${say(high)}]`) : null;
  return [atLeast ? "at least " : "", say(value), interval];
}

// No money, or of no single currency: four digits will do.
function number(text) {
  return String(Number(Number(text).toPrecision(4)));
}

function differencePart({
  version,
  against,
  claim,
  figures,
  monthly_saving: saving,
  payback_months: months,
  currency,
  missing,
}) {
  const lines = figures.map(({ name, value, percent: share, missing: why }) =>
    el(
      "li",
      `${LABELS[name] ?? name}: `,
      value === null ? el("small", why.join("; ")) : changeOf(value, share),
    ),
  );
  const saved = saving && currency ? `${money(saving, currency)} saved a month` : "";
  const paid = months ? `paid back in ${number(months)} months` : "";
  return el(
    "div",
    el("h2", `${version} against ${against}`),
    el("p", el("b", [saved, paid].filter(Boolean).join(", ") || missing.join("; "))),
    el("ul", lines),
    el("p", { className: "fine" }, claim),
  );
}

const changeOf = (value, share) =>
  share === null
    ? number(value)
    : `${Number(share) > 0 ? "+" : "−"}${number(String(Math.abs(Number(share))))} %`;

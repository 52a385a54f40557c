// One incident: where its money is and why, what it came to so far, what people did, and what it is a part
// of.

import { get, session } from "./api.js";
import { describe, figuresOf, subjectLink } from "./card-incidents.js";
import { el, setText } from "./dom.js";
import { iso, momentOf, moneyColumn, percent, ratio, parseDecimal, widthOf } from "./format.js";
import { showActs } from "./incident-acts.js";
import { dimensionLabel, link, scopeFilters, valueLabel } from "./links.js";
import { badge, scrolls, table, trail } from "./pieces.js";
import { SLOW_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { LARGEST } from "./palette.js";
import { spendChart } from "./spend-chart.js";

const HOUR_MS = 3_600_000;
const PARTS = {
  volume: "more calls",
  tokens_per_call: "more tokens a call",
  mix: "other models",
  cache: "less from the cache",
  price: "other prices",
  unsplit: "cannot be split",
};

export function incidentPage(query) {
  const id = query.get("id");
  const heading = el("h1");
  const state = el("span");
  const words = el("p", { className: "fine" });
  const summary = el("p");
  const action = el("p", { className: "soft" });
  const figures = el("dl", { className: "facts" });
  const acts = el("p", { className: "acts" });
  const cause = el("div", { className: "cause" });
  const history = el("ol", { className: "rows history" });
  const parts = el("ul", { className: "rows" });
  const chart = spendChart();
  const card = el(
    "section",
    { className: "card one-incident" },
    trail(el("a", { href: link("incidents") }, "Incidents"), "One incident"),
    el("div", { className: "lead" }, heading, state),
    words,
    summary,
    action,
    acts,
    figures,
    chart.element,
    cause,
    el("h2", "What people did"),
    history,
    parts,
  );
  const due = everyNth(SLOW_BEATS);
  const refreshCard = cardRefresher([card], { ask: () => ask(id, chart), show });

  function show({ incident, done, beneath, charted }) {
    setText(heading, incident.title || incident.rule_name);
    state.replaceChildren(
      badge(incident.state, { open: "open", acknowledged: "warn" }[incident.state] ?? ""),
    );
    setText(words, describe(incident));
    setText(summary, incident.summary);
    setText(action, incident.suggested_action);
    figures.replaceChildren(...figuresOf(incident, Infinity));
    showActs(acts, incident, refreshCard);
    if (charted) chart.show(charted);
    else chart.clear();
    cause.replaceChildren(...causeOf(incident));
    history.replaceChildren(...historyOf(incident, done));
    parts.replaceChildren(...beneath.map(partItem));
  }

  async function refresh() {
    if (!due()) return null;
    const { error } = await refreshCard();
    if (error) throw error;
    return null;
  }
  return { element: card, refresh, timeless: true };
}

async function ask(id, chart) {
  const [incident, { acts: done }, { incidents: beneath }] = await Promise.all([
    get(`/v1/incidents/${id}`),
    get(`/v1/incidents/${id}/acts`),
    get("/v1/incidents", { parent: id, limit: 20 }),
  ]);
  const spendable = incident.kind !== "unbooked" && !["run", "user"].some((name) => name in incident.scope);
  const charted = spendable ? await chart.ask(around(incident)) : null;
  return { incident, done, beneath, charted };
}

// As long before it began as it lasted, an hour at least, so that what is usual is seen beside it.
function around({ began_at: began, resolved_at: resolved, scope }) {
  const [from, to] = [Date.parse(began), Date.parse(resolved ?? new Date())];
  const lead = Math.max(HOUR_MS, to - from);
  const query = new URLSearchParams({ from: iso(from - lead), to: iso(to), compare: "none" });
  return { query, span: [from - lead, to + 60_000], name: "sku", filters: scopeFilters(scope), top: LARGEST };
}

function causeOf(incident) {
  const { details, currency } = incident;
  const { causes = [], contributors = [], split = {} } = details;
  return [
    el("p", el("a", { href: subjectLink(incident) }, "Take its spend apart")),
    ...scopeTable("Where the excess is", causes, currency),
    ...scopeTable("Who holds it", contributors, currency),
    ...splitTable(split, currency),
  ];
}

function scopeTable(title, rows, currency) {
  if (!rows.length) return [];
  const say = moneyColumn(rows.flatMap(({ amount, excess }) => [amount, excess]).filter(Boolean), currency);
  const body = rows.map(({ scope, amount, expected, excess, share }) =>
    el(
      "tr",
      el("th", { scope: "row" }, scopeLinks(scope)),
      ...[amount, expected, excess].map((each) => el("td", { className: "figure" }, each ? say(each) : "—")),
      el("td", { className: "figure" }, share ? percent(Number(share), 0) : "—"),
    ),
  );
  const columns = [
    ["Of"],
    ["Spent", "figure"],
    ["Expected", "figure"],
    ["Excess", "figure"],
    ["Share", "figure"],
  ];
  return [el("h2", title), scrolls(title, table(columns, el("tbody", body)))];
}

const scopeLinks = (scope) =>
  Object.entries(scope)
    .map(([name, value]) => `${dimensionLabel(name)} ${valueLabel(value)}`)
    .join(" · ") || "all of it";

function splitTable({ change, ...parts }, currency) {
  const rows = Object.entries(parts).filter(([, amount]) => parseDecimal(amount) !== 0n);
  if (!change || !rows.length) return [];
  const size = (text) => (parseDecimal(text) < 0n ? -parseDecimal(text) : parseDecimal(text));
  const most = rows.reduce((largest, [, amount]) => (size(amount) > largest ? size(amount) : largest), 1n);
  const say = moneyColumn([...rows.map(([, amount]) => amount), change], currency);
  const body = rows.map(([name, amount]) =>
    el(
      "tr",
      el("th", { scope: "row" }, PARTS[name] ?? name),
      el(
        "td",
        { className: "bar-cell" },
        el("i", { className: "fill", style: { width: widthOf(ratio(size(amount), most)) } }),
      ),
      el("td", { className: "figure" }, say(amount)),
    ),
  );
  const total = el(
    "tr",
    el("th", { scope: "row" }, "together"),
    el("td"),
    el("td", { className: "figure" }, say(change)),
  );
  const bar = el("th", el("span", { className: "unseen" }, "As a bar"));
  return [
    el("h2", "Why it costs more"),
    table([["Part"], bar, ["Money", "figure"]], el("tbody", body, total)),
  ];
}

function historyOf({ opened_at: opened, resolved_at: resolved, resolution }, acts) {
  const says = ({ says: word }) => (word === "false_alarm" ? "a false alarm" : word);
  const lines = [
    [opened, "opened"],
    ...acts.map((each) => [
      each.at,
      `${each.act}${each.says ? `: ${says(each)}` : ""} by ${each.by}${each.note ? `: ${each.note}` : ""}`,
    ]),
    ...(resolved ? [[resolved, `resolved${resolution ? `: ${resolution}` : ""}`]] : []),
  ].sort(([a], [b]) => Date.parse(a) - Date.parse(b));
  return lines.map(([at, text]) =>
    el("li", el("span", { className: "soft nowrap" }, momentOf(at, session.tz)), ` ${text}`),
  );
}

const partItem = ({ id, title, rule_name: rule, state }) =>
  el(
    "li",
    badge(state, state === "open" ? "open" : ""),
    " ",
    el("a", { href: link("incident", { id }) }, title || rule),
    " is a part of it",
  );

// Incidents: what is wrong, in figures and words, and whether somebody has taken it on.

import { get, mayRespond, session } from "./api.js";
import { card, tile } from "./cards.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { ago, count, iso, momentOf, wholeMinute } from "./format.js";
import { actsInWords, showActs } from "./incident-acts.js";
import { dimensionLabel, link, scopeFilters, unbookedLink, valueLabel } from "./links.js";
import { logInToChange } from "./pieces.js";
import { cardRefresher } from "./refresh.js";

const ASKED = 20;
const FIGURES = 4;
const NONE = "None. Nothing is over its budget or beyond what it usually spends.";

const ask = () => get("/v1/incidents", { limit: ASKED });

// Those that are not over.
export function incidentCards() {
  const alarm = tile("Incidents", "alarm");
  const rows = el("ul", { className: "rows" });
  const incidents = card("Incidents", "incidents", rows);

  function show({ incidents: list }) {
    const live = byThread(list.filter(({ state }) => state !== "resolved"));
    const again = async () => show(await ask());
    updateChildren(
      rows,
      live,
      ({ id }) => id,
      makeIncident,
      (item, incident) => showIncident(item, incident, again),
    );
    const needsKey = live.some(({ state }) => state === "open") && !mayRespond();
    const key = needsKey ? `${logInToChange("To acknowledge")} ` : "";
    setText(part(incidents, "fine"), live.length ? key : NONE);
    showCount(alarm, live);
  }

  return { tile: alarm, card: incidents, refresh: cardRefresher([incidents, alarm], { ask, show }) };
}

// Each, and behind it what is told with it, marked. What something is told with may be over, or be told with
// it in its turn: nothing is left out for that.
function byThread(live) {
  const ids = new Set(live.map(({ id }) => id));
  const shown = new Map();
  const show = (one, isPart) => {
    if (shown.has(one.id)) return;
    shown.set(one.id, { ...one, isPart });
    for (const each of live) if (each.parent === one.id) show(each, true);
  };
  for (const one of live) if (!ids.has(one.parent)) show(one, false);
  for (const one of live) show(one, false);
  return [...shown.values()];
}

const makeIncident = () =>
  el(
    "li",
    el(
      "div",
      { className: "incident" },
      el("span", { className: "badge", "data-part": "state" }),
      el("a", { className: "name", "data-part": "name" }),
      el("dl", { className: "figures", "data-part": "figures" }),
      el(
        "details",
        el("summary", "What happened, and what to do"),
        el("p", { "data-part": "summary" }),
        el("p", { "data-part": "action" }),
      ),
      el("small", { "data-part": "words" }),
      el("span", { "data-part": "act" }),
    ),
  );

function showIncident(item, incident, again) {
  item.className = incident.isPart ? "of-another" : "";
  item.firstChild.dataset.state = incident.state;
  setText(part(item, "state"), incident.state);
  setText(part(item, "name"), incident.title || incident.rule_name);
  part(item, "name").href = link("incident", { id: incident.id });
  setText(part(item, "summary"), incident.summary);
  setText(part(item, "action"), incident.suggested_action);
  part(item, "figures").replaceChildren(...figuresOf(incident));
  setText(part(item, "words"), describe(incident));
  showActs(part(item, "act"), incident, again);
}

export const figuresOf = ({ figures }, most = FIGURES) =>
  figures
    .slice(0, most)
    .flatMap(({ label, amount, unit, text }) => [
      el("dt", label),
      el("dd", { title: `${amount} ${unit}` }, text),
    ]);

export function describe(incident) {
  const opened = `opened ${momentOf(incident.opened_at, session.tz)} (${ago(incident.opened_at)})`;
  return [...scopeOf(incident), incident.rule_name, incident.kind, opened, ...actsInWords(incident)].join(
    " · ",
  );
}

const scopeOf = ({ scope, key_names: names }) =>
  Object.entries(scope).map(([name, value]) => {
    const label = valueLabel(names[value] ? `${names[value]} (${value})` : value);
    return `${dimensionLabel(name)} ${label}`;
  });

// What an incident is about: its spend, or what was not booked.
export const subjectLink = (incident) =>
  incident.kind === "unbooked" ? unbookedLink({ key: incident.scope.key_id }) : spendLink(incident);

const spendLink = ({ began_at: began, resolved_at: resolved, scope }) =>
  link("explore", {
    from: iso(wholeMinute(new Date(began))),
    to: iso(wholeMinute(new Date(resolved ?? Date.now())) + 60_000),
    by: "sku",
    filters: scopeFilters(scope),
  });

function showCount(alarm, live) {
  const whole = live.filter(({ told, isPart }) => told && !isPart);
  const open = whole.filter(({ state }) => state === "open").length;
  const withheld = live.filter(({ told }) => !told).length;
  const inHand = `${whole.length} acknowledged${withheld ? `, ${withheld} not told` : ""}`;
  const rest = live.length ? inHand : "all quiet";
  setText(part(alarm, "figure"), count(open));
  setText(part(alarm, "note"), open ? "open, nobody has acknowledged" : rest);
  setText(part(alarm, "fine"), (whole[0] ?? live[0])?.title ?? "");
  alarm.dataset.state = open ? "over" : "";
  alarm.href = link("incidents");
}

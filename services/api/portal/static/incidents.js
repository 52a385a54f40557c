// Incidents: what is wrong, where, since when; and how it went with those that are over.

import { el } from "./dom.js";
import { incidentCards } from "./card-incidents.js";
import { link } from "./links.js";
import { session } from "./api.js";
import { momentOf, momentToMinute, money } from "./format.js";
import { pagedTable } from "./paging.js";
import { badge } from "./pieces.js";
import { SLOW_BEATS, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const COLUMNS = [["Began"], ["What"], ["State"], ["Over", "wide"], ["Money", "figure"]];
const STATES = { open: "open", acknowledged: "warn" };

export function incidentsPage() {
  const live = incidentCards();
  const note = el("p", { className: "fine" });
  const question = () => ({ path: "/v1/incidents", parameters: {} });
  const list = pagedTable({
    columns: COLUMNS,
    question,
    rowsOf: ({ incidents }) => incidents.map(incidentRow),
    label: "Older",
    show: (_, rows) => note.replaceChildren(rows ? `newest first, times in ${session.tz}` : "None so far."),
  });
  const due = everyNth(SLOW_BEATS);
  const all = el(
    "section",
    { className: "card list", "aria-label": "All incidents" },
    el("h2", "All of them"),
    ...list.nodes,
    note,
    tableTools(question, { name: "incidents" }),
  );
  const element = el("div", { className: "stacked" }, el("h1", "Incidents"), live.card, all);

  async function refresh() {
    if (!due()) return null;
    const [{ error }] = await Promise.all([live.refresh(), list.refresh()]);
    if (error) throw error;
    return null;
  }
  return { element, refresh, timeless: true };
}

function incidentRow({
  id,
  title,
  state,
  began_at: began,
  resolved_at: resolved,
  amount,
  currency,
  rule_name: rule,
}) {
  return el(
    "tr",
    el("td", { className: "nowrap" }, momentToMinute(began, session.tz)),
    el(
      "td",
      el("a", { href: link("incident", { id }) }, title || rule),
      title ? el("small", ` ${rule}`) : null,
    ),
    el("td", badge(state, STATES[state] ?? "")),
    el("td", { className: "wide nowrap" }, resolved ? momentOf(resolved, session.tz) : "—"),
    el("td", { className: "figure" }, money(amount, currency)),
  );
}

// The events that a figure is made of.

import { seesAll, session } from "./api.js";
import { el } from "./dom.js";
import { eventSearch } from "./event-search.js";
import { momentOf } from "./format.js";
import { filterParameters, filtersOf, link, valueLabel } from "./links.js";
import { listPage } from "./paging.js";
import { filterChips, statusBadge, trail } from "./pieces.js";
import { rangeName, rangeOf, spanOf, spanParameters } from "./ranges.js";

const COLUMNS = [["Time"], ["Event"], ["Of"], ["Status", "wide"], ["Amount", "figure"]];

export function eventsPage(query) {
  const filters = filtersOf(query);
  const range = rangeOf(query);
  const spend = el(
    "a",
    { href: link("explore", { ...range, filters }) },
    `Spend, ${rangeName(query, session.tz)}`,
  );
  const chips = filterChips(filters, (kept) => link("events", { ...range, filters: kept }));

  return listPage({
    heading: el("div", trail(spend, "Events"), el("h1", "Events"), eventSearch({ range, filters })),
    words: el("p", { className: "chips" }, chips),
    columns: COLUMNS,
    question: () => ({
      path: "/v1/events",
      parameters: { ...spanParameters(spanOf(query, session.tz)), ...filterParameters(filters) },
    }),
    rowsOf: ({ events }) => events.map(eventRow),
    none: "No booked event of this range passes the filter.",
  });
}

function eventRow(event) {
  const { team, workflow, agent, provider, sku } = event.dimensions;
  const href = seesAll() ? link("event", { source: event.source, id: event.id }) : undefined;
  return el(
    "tr",
    el("td", { className: "nowrap" }, momentOf(event.time, session.tz)),
    el("td", href ? el("a", { href }, event.id) : event.id, el("small", ` ${event.source}`)),
    el(
      "td",
      [team, workflow, agent].filter(Boolean).join(" · ") || valueLabel(""),
      el("small", ` ${provider}/${sku}`),
    ),
    el("td", { className: "wide" }, statusBadge(event.status), event.seq ? " corrected" : ""),
    el("td", { className: "figure" }, event.effective, el("small", ` ${event.currency}`)),
  );
}

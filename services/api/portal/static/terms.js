// What is agreed with a tenant: its currency, its zone and its contracts, through time.

import { get } from "./api.js";
import { el } from "./dom.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { badge, scrolls, table, zonedMoment } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/catalog/terms";
const ASKED = { history: true };

const COLUMNS = [["Agreed"], ["Currency"], ["Time zone"], ["Contracts", "wide"], ["From"]];

export function termsPage() {
  const content = lookup({
    ask: () => get(PATH, ASKED),
    draw: ({ terms }) =>
      terms.length
        ? [scrolls("Terms", table(COLUMNS, el("tbody", terms.map(termsRow))))]
        : [el("p", { className: "empty" }, "Nothing is agreed: amounts are in USD, days those of UTC.")],
    beats: RARE_BEATS,
  });
  const element = el(
    "section",
    { className: "card" },
    el("h1", "Terms"),
    el("p", { className: "soft" }, "Terms change by a price file that is approved, as prices do."),
    content.element,
    tableTools(() => ({ path: PATH, parameters: ASKED }), { name: "terms" }),
    el("p", { className: "fine" }, el("a", { href: link("inbox") }, "Propose a price file")),
  );
  return { element, refresh: content.refresh, timeless: true };
}

const termsRow = ({
  state,
  tenant,
  currency,
  time_zone: zone,
  contracts = [],
  effective_from: from,
  source,
  recorded_at: at,
}) =>
  el(
    "tr",
    el(
      "td",
      badge(state ?? "now"),
      ` ${tenant}`,
      el("small", { className: "line" }, `${source}, ${zonedMoment(at)}`),
    ),
    el("td", currency || "USD, as nothing else is agreed"),
    el("td", zone),
    el("td", { className: "wide" }, contracts.join(", ") || "—"),
    el("td", { className: "nowrap" }, from ? zonedMoment(from) : "the beginning"),
  );

// What changed in the catalog between two days, or two publications.

import { get } from "./api.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";

import { changesTable, tenantOf, whoseChoice, whoseOf } from "./prices.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const SHOWN = 500;
const MONTH_MS = 30 * 86_400_000;
const HINT = "a day, an instant or a publication's number; up to nothing = now";

export function changesPage(query) {
  const from = query.get("from") ?? new Date(Date.now() - MONTH_MS).toISOString().slice(0, 10);
  const to = query.get("to") ?? "";
  const since = el("input", { name: "from", value: from, size: 12, placeholder: "" });
  const until = el("input", { name: "to", value: to, size: 12, placeholder: "now" });
  const parameters = { from: instantOf(from), to: to ? instantOf(to) : undefined };
  const content = lookup({
    ask: () => get("/v1/catalog/changes", parameters, tenantOf(query)),
    draw: ({ since: first, until: last, changes, changes_total: total }) => [
      el("p", { className: "soft" }, `After publication ${first}, up to ${last}: ${count(total)} changes.`),
      ...changesTable(changes.slice(0, SHOWN), total, query),
    ],
    beats: RARE_BEATS,
    shownRefusals: [422],
    refusalClass: "bad",
    waiting: "Comparing…",
  });

  function submit(event) {
    event.preventDefault();
    location.hash = link("changes", { from: since.value, to: until.value, ...whoseOf(query) });
  }

  const element = el(
    "section",
    { className: "card receipt catalog" },
    el("div", { className: "controls" }, el("h1", "Price changes"), whoseChoice("changes", query)),
    el(
      "form",
      { className: "controls", on: { submit } },
      el("label", "after ", since),
      el("label", "up to ", until),
      el("button", "Compare"),
      el("span", { className: "fine" }, HINT),
    ),
    content.element,
    tableTools(() => ({ path: "/v1/catalog/changes", parameters }), {
      name: "price-changes",
      shown: () => content.element,
    }),
  );
  return { element, refresh: content.refresh, timeless: true };
}

// A day begins at midnight of UTC, as prices do.
const instantOf = (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);

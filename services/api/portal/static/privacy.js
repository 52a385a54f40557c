// What is stored of a tenant, where and for how long; whom it forgot.

import { get, mayChange } from "./api.js";
import { el } from "./dom.js";
import { erasureForm } from "./erasure-form.js";
import { count } from "./format.js";
import { lookup } from "./lookup.js";
import { logInToChange, scrolls, table, zonedMoment } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const KEPT = [["What"], ["For how long"], ["About people"], ["Where", "wide"]];

export function privacyPage() {
  const content = lookup({ ask: () => get("/v1/privacy"), draw, beats: RARE_BEATS });
  const read = async () => content.show(await get("/v1/privacy"));
  const kept = el(
    "section",
    { className: "card whole-words" },
    el("h1", "Privacy"),
    content.element,
    tableTools(() => ({ path: "/v1/privacy" }), { name: "privacy" }),
  );
  const form = mayChange()
    ? erasureForm(read)
    : el("p", { className: "fine" }, logInToChange("To forget somebody"));
  const forgetting = el("section", { className: "card" }, el("h2", "Forget a person"), form);
  const element = el("div", { className: "stacked" }, kept, forgetting);
  return { element, refresh: content.refresh, timeless: true };
}

const draw = ({ region, never, kept, retention, people, erasures }) => [
  el(
    "p",
    { className: "soft" },
    `Region: ${region || "not stated"}. Pseudonyms are kept for ${retention.pseudonyms_months} months.`,
  ),
  el("h2", "Never stored"),
  el(
    "ul",
    never.map((each) => el("li", each)),
  ),
  el("h2", "Stored"),
  el("div", { className: "kept" }, scrolls("Stored", table(KEPT, el("tbody", kept.map(keptRow))))),
  el("h2", "People who have a pseudonym"),
  el(
    "p",
    people.map(({ month, people: number }) => `${month.slice(0, 7)}: ${count(number)}`).join(" · ") ||
      "nobody",
  ),
  el("h2", "Erasures"),
  erasures.length ? el("ul", erasures.map(erasureItem)) : el("p", "none so far"),
];

const keptRow = ({ what, how_long: long, personal, topics, tables }) =>
  el(
    "tr",
    el("td", what),
    el("td", { "data-label": "for how long" }, long),
    el("td", { "data-label": "about people" }, personal || "—"),
    el("td", { className: "wide" }, [...topics, ...tables].join(", ")),
  );

const erasureItem = ({ number, pseudonyms, by, reason, at }) =>
  el("li", `${number}: ${count(pseudonyms)} pseudonyms, ${zonedMoment(at)} by ${by}: ${reason}`);

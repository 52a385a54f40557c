// What was accepted and not booked, by its outcome.

import { session } from "./api.js";
import { el } from "./dom.js";
import { count, momentOf } from "./format.js";
import { link, valueLabel } from "./links.js";
import { listPage } from "./paging.js";
import { overviewLink, trail } from "./pieces.js";

const COLUMNS = [["Seen"], ["Event"], ["Why"], ["Bytes", "figure wide"]];
const MEANINGS = {
  duplicate: "The same event was booked before: it counts once.",
  conflict: "Another event with the same source and id was booked before; that one stays.",
  rejected: "These could not be read as events, or break a rule. A fix is a new event.",
};

export function unbookedPage(query) {
  const outcome = query.get("outcome") ?? "rejected";
  return listPage({
    heading: el("div", trail(overviewLink(), "Not booked"), el("h1", `Not booked: ${outcome}`)),
    words: el("p", { className: "soft" }, MEANINGS[outcome]),
    columns: COLUMNS,
    question: () => ({ path: "/v1/unbooked", parameters: { outcome } }),
    rowsOf: ({ unbooked }) => unbooked.map(unbookedRow),
    none: `None in the last day. (${outcome})`,
  });
}

function unbookedRow({ recorded_at: at, source, id, reason, size }) {
  const name = id ? el("a", { href: link("event", { source, id }) }, id) : valueLabel("");
  return el(
    "tr",
    el("td", { className: "nowrap" }, momentOf(at, session.tz)),
    el("td", name, el("small", ` ${source}`)),
    el("td", reason),
    el("td", { className: "figure wide" }, count(size)),
  );
}

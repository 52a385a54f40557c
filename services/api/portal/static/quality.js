// Data quality: can I trust the number? What became of everything that was accepted, what has no price or
// one that may change, and what was not booked.

import { accountingCard } from "./card-accounting.js";
import { unbookedCard } from "./card-unbooked.js";
import { session } from "./api.js";
import { el } from "./dom.js";
import { count, eventsOf, money } from "./format.js";
import { link, unbookedLink } from "./links.js";
import { badge, scrolls, table } from "./pieces.js";
import { SLOW_BEATS, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const MEANS = {
  priced: "at a price that holds",
  free: "at a price of 0 that somebody stated",
  reported: "at the amount that came with them",
  provisional: "at a bound, until their price is known",
  unpriced: "counted, without an amount",
  duplicate: "sent again, booked once",
  conflict: "another event had the same id",
  rejected: "not usable; each says why",
};
const STATES = { provisional: "warn", unpriced: "over", rejected: "over", conflict: "warn" };

export function qualityPage() {
  const rows = el("tbody");
  const accounting = accountingCard(show);
  const unbooked = unbookedCard();
  const due = everyNth(SLOW_BEATS);
  const outcomes = el(
    "section",
    { className: "card", "aria-label": "What became of it" },
    el("h2", "What became of everything that was accepted"),
    accounting.card,
    unbooked.card,
    scrolls("What became of it", table([["Outcome"], ["Events", "figure"], ["What it means", "wide"]], rows)),
    tableTools(() => ({ path: "/v1/accounting" }), { name: "accounting" }),
  );
  const element = el("div", { className: "stacked" }, el("h1", "Data quality"), outcomes);

  function show({ total, remarks }) {
    const counted = Object.keys(MEANS).map((name) => outcomeRow(name, total[name]));
    rows.replaceChildren(...counted, ...remarks.map(remarkRow));
  }

  async function refresh() {
    if (!due()) return null;
    const [{ answer, error }] = await Promise.all([accounting.refresh(), unbooked.refresh()]);
    if (error) throw error;
    return answer
      ? { ...answer, in_flight: answer.total.in_flight, in_flight_age_s: answer.total.in_flight_age_s }
      : null;
  }
  return { element, refresh };
}

const placeOf = (name) => {
  if (["duplicate", "conflict", "rejected"].includes(name)) return unbookedLink({ outcome: name });
  return ["provisional", "unpriced"].includes(name)
    ? link("inbox", ofTenant())
    : link("events", { range: "30d" });
};
const ofTenant = () => ({ whose: session.operator ? "tenant" : undefined });

const outcomeRow = (name, events) =>
  el(
    "tr",
    el("th", { scope: "row" }, badge(name, events ? (STATES[name] ?? "") : "")),
    el("td", { className: "figure" }, el("a", { href: placeOf(name) }, count(events))),
    el("td", { className: "wide" }, MEANS[name]),
  );

const remarkRow = ({ currency, events, effective }) =>
  el(
    "tr",
    el("th", { scope: "row" }, badge("under remarks", "warn")),
    el("td", { className: "figure" }, money(effective, currency)),
    el("td", { className: "wide" }, `${eventsOf(events)} at prices that do not say how they were served`),
  );

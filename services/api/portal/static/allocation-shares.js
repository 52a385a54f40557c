// How shared cost came to whom it did: one cost centre's parts, and what each pool took, handed on and left.

import { el } from "./dom.js";
import { eventsOf, money } from "./format.js";
import { link } from "./links.js";
import { scrolls, table } from "./pieces.js";

const daysOf = ({ first_day: from, until }) => `${from} until before ${until}`;

// `weight` of `of` parts: as they were measured or agreed.
const partOf = ({ weight, of }) => `${weight} of ${of}`;

export function sharesPart({ shares }, centre, chosen) {
  const statement = el(
    "a",
    { href: link("statement", { ...chosen, centre }) },
    `Its statement, line by line`,
  );
  const heading = el("h2", `How ${centre} came to its part of shared cost`);
  if (!shares.length) return [heading, el("p", "It has no part of any pool. ", statement)];
  const body = shares.map((share) =>
    el(
      "tr",
      el(
        "th",
        { scope: "row" },
        share.pool,
        share.source !== share.pool && share.source
          ? el("small", { className: "line" }, `cost of ${share.source}`)
          : null,
      ),
      el("td", { className: "wide" }, share.rule, share.driver && el("small", ` by ${share.driver}`)),
      el("td", partOf(share)),
      el("td", { className: "wide" }, daysOf(share)),
      el("td", { className: "figure" }, money(share.amount, share.currency)),
    ),
  );
  const heads = [["Pool"], ["Rule", "wide"], ["Its part"], ["Days", "wide"], ["Amount", "figure"]];
  return [heading, scrolls("Its parts", table(heads, el("tbody", body))), el("p", statement)];
}

export function poolsPart({ pools }) {
  if (!pools.length) return [];
  const body = pools.map((pool) =>
    el(
      "tr",
      el(
        "th",
        { scope: "row" },
        pool.pool,
        el("small", { className: "line" }, `${pool.rule}${pool.driver ? ` by ${pool.driver}` : ""}`),
      ),
      el("td", { className: "wide" }, daysOf(pool)),
      ["taken", "fed", "residual"].map((name) =>
        el("td", { className: name === "fed" ? "figure wide" : "figure" }, money(pool[name], pool.currency)),
      ),
      el("td", remarksOf(pool)),
    ),
  );
  const heads = [
    ["Pool"],
    ["Days", "wide"],
    ["Took", "figure"],
    ["Was fed", "figure wide"],
    ["Residual", "figure"],
    ["Why"],
  ];
  return [el("h2", "Pools"), scrolls("Pools", table(heads, el("tbody", body)))];
}

function remarksOf({ because, below_zero: below, unpriced_events: events }) {
  const said = [
    because,
    below.length ? `less than nothing was measured of ${below.join(", ")}` : "",
    events ? `${eventsOf(events)} without a price lie in it` : "",
  ].filter(Boolean);
  return said.length ? said.join("; ") : "—";
}

// One proposal: what it changes, what looks wrong, what it means in money, and the decision.

import { Refused, get } from "./api.js";
import { decisionForm } from "./decision.js";
import { el } from "./dom.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { badge, trail, zonedMoment } from "./pieces.js";
import { tenantOf, whoseOf } from "./prices.js";
import { describeReview } from "./proposal-review.js";
import { SLOW_BEATS } from "./refresh.js";
import { offerList } from "./rerate-offer.js";

export function proposalPage(query) {
  const id = query.get("id") ?? "";
  const path = `/v1/catalog/proposals/${encodeURIComponent(id)}`;
  const content = lookup({
    ask: async () => {
      if (!/^\d+$/.test(id)) throw new Refused(404, { detail: "A proposal has a number." });
      return get(path, {}, tenantOf(query));
    },
    draw: (proposal) => [
      ...describeState(proposal),
      ...(proposal.rerates?.length ? [offerList(proposal.rerates)] : []),
      ...describeReview(proposal.review, query),
      ...(proposal.state === "open" ? [decisionForm(proposal.review, path, query, content.show)] : []),
    ],
    beats: SLOW_BEATS,
    keyOf: ({ state }) => state, // an open form keeps what was typed into it
  });
  const inbox = el("a", { href: link("inbox", whoseOf(query)) }, "Inbox");
  const element = el(
    "section",
    { className: "card receipt catalog" },
    trail(inbox, "Proposal"),
    el("h1", `Proposal ${id}`),
    content.element,
  );
  return { element, refresh: content.refresh, timeless: true };
}

const STATES = { open: "warn", rejected: "over" };

function describeState(proposal) {
  const { state, name, note, version, review } = proposal;
  const effect = review.effect ? `: ${review.effect.says}` : "";
  return [
    el(
      "p",
      badge(state, STATES[state] ?? ""),
      ` ${name} ${note}`,
      el("small", { className: "line" }, describeHistory(proposal)),
    ),
    ...(version ? [el("p", el("b", `In force as publication ${version}${effect}.`))] : []),
  ];
}

function describeHistory({ state, reason, ...proposal }) {
  const { proposed_at: at, proposed_by: by, decided_at: decidedAt, decided_by: decidedBy } = proposal;
  const proposed = `proposed ${zonedMoment(at)} by ${by}`;
  if (!decidedBy) return proposed;
  return `${proposed}, ${state} ${zonedMoment(decidedAt)} by ${decidedBy}${reason ? `: ${reason}` : ""}`;
}

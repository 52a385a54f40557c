// What a proposal's review says: changes, terms, doubts, effect, and money.

import { el } from "./dom.js";
import { count } from "./format.js";
import { badge, zonedMoment } from "./pieces.js";
import { changesTable } from "./prices.js";

const MODELS_SHOWN = 3;
const USUAL_EFFECT = "It prices usage from now on; what is booked keeps its price.";

export const describeReview = (review, query) => [
  el("h2", `What it changes in publication ${review.base}`),
  ...changesTable(review.changes, review.changes_total, query),
  ...(review.names ?? []).map((name) => el("p", { className: "line" }, name)),
  ...(review.terms ?? []).flatMap(describeTerms),
  el("h2", "What looks wrong"),
  describeFindings(review),
  ...describeLeftOut(review.not_taken ?? []),
  el("h2", "What approving does"),
  el("p", review.effect ? `${review.effect.says}.` : USUAL_EFFECT),
  el("h2", "Were the last 30 days priced again, which they are not"),
  describeImpact(review.impact),
];

// In what a tenant counts from an instant on, and what becomes of its budgets.
function describeTerms({ tenant, says, budgets }) {
  const rows = budgets.map(({ name, says: what, becomes }) =>
    el("li", el("b", name), ` ${what}`, becomes ? el("b", ` → ${becomes}`) : null),
  );
  return [
    el("h2", `Terms of ${tenant}`),
    ...says.map((sentence) => el("p", sentence)),
    el("ul", { className: "rows" }, rows),
  ];
}

function describeFindings({ findings, findings_total: total }) {
  if (!total) return el("p", { className: "soft" }, "Nothing.");
  const rows = findings.map(({ severity, message }) =>
    el("li", badge(severity, severity === "warning" ? "warn" : "over"), ` ${message}`),
  );
  const all = total > findings.length ? el("li", { className: "fine" }, `${count(total)} in all`) : null;
  return el("ul", { className: "rows" }, rows, all);
}

// What another vendor's file says and the catalog does not take over.
function describeLeftOut(fields) {
  if (!fields.length) return [];
  const rows = fields.map(({ field, models, of }) => {
    const more = models > MODELS_SHOWN ? ` and ${count(models - MODELS_SHOWN)} more` : "";
    return el("li", el("b", field), ` of ${of.slice(0, MODELS_SHOWN).join(", ")}${more}`);
  });
  return [el("h2", "Not taken over from the file"), el("ul", { className: "rows" }, rows)];
}

function describeImpact(impact) {
  if (!impact) return el("p", { className: "soft" }, "Not worked out.");
  return el(
    "div",
    impact.amounts.map(({ currency, before, after, difference }) => {
      const sign = difference.startsWith("-") ? "" : "+";
      return el("p", `${before} → ${after} ${currency} `, el("b", `(${sign}${difference})`));
    }),
    el("p", { className: "fine" }, describeBasis(impact)),
  );
}

// Of which events, and how they were and would be priced.
function describeBasis(impact) {
  const { events, repriced, since, reached, statuses_before: before, statuses_after: after } = impact;
  const all = events === null ? "an unknown number of" : count(events);
  const back = events === repriced ? "" : `, back to ${zonedMoment(reached)}`;
  const priced = `${count(repriced)} of ${all} events since ${zonedMoment(since)}, priced by both books`;
  const statuses = `${describeStatuses(before)} → ${describeStatuses(after)}`;
  return `${priced}, the newest first${back}. By status: ${statuses}.`;
}

const describeStatuses = (counts) =>
  Object.entries(counts)
    .map(([status, events]) => `${count(events)} ${status}`)
    .join(", ") || "none";

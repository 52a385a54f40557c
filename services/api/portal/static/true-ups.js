// Steps, allowances and commitments of whole periods: how each stands, what of it is used, and what true-ups
// booked of it. Every figure opens the arithmetic that makes it.

import { el } from "./dom.js";
import { count, money } from "./format.js";
import { link } from "./links.js";
import { listPage } from "./paging.js";
import { badge } from "./pieces.js";

const COLUMNS = [
  ["Period"],
  ["Term"],
  ["Used", "figure"],
  ["Not used", "figure"],
  ["Booked", "figure wide"],
  ["Due", "figure"],
  ["Trued up"],
];
const EFFECTS = {
  graduated: "steps, each for its part",
  volume: "steps, the last for all",
  allowance: "a free quantity",
  commitment: "a committed quantity",
  spend_commitment: "committed money",
};

export function trueUpsPage() {
  const list = listPage({
    heading: el("h1", "Terms of whole periods"),
    words: el(
      "p",
      { className: "soft" },
      "Events are booked at their contracted price; what a period changes of that is booked beside it, as ",
      "true-ups. Days that are over are counted. What is booked stays: what comes late makes a revision.",
    ),
    columns: COLUMNS,
    question: () => ({ path: "/v1/true-ups", parameters: {} }),
    rowsOf: ({ periods }) => periods.map(periodRow),
    none: "No term of a whole period is agreed, or nothing of one is over yet.",
  });
  return { ...list, timeless: true };
}

function periodRow(period) {
  const { currency, effect, provider, units, used, unused, booked, due } = period;
  const say = (amount) => (amount === null ? "–" : money(amount, currency));
  return el(
    "tr",
    el("td", { className: "nowrap" }, `${period.period_start} – ${period.period_end}`, standing(period)),
    el("td", EFFECTS[effect], el("small", ` ${provider}${units.length ? `: ${units.join(" + ")}` : ""}`)),
    el("td", { className: "figure" }, say(used)),
    el("td", { className: "figure" }, say(unused)),
    el("td", { className: "figure wide" }, say(booked)),
    el("td", { className: "figure" }, period.refused ? "–" : explained(say(due), period)),
    el("td", period.true_ups.length ? el("ul", { className: "rows" }, period.true_ups.map(revision)) : "–"),
  );
}

function standing({ ended, covered_to: until, provisional, refused }) {
  if (refused) return el("small", " ", badge("not worked out", "over"), ` ${refused}`);
  const words = ended ? " over" : ` counted to before ${until}`;
  return el("small", words, provisional.length ? ` · provisional: ${provisional.join("; ")}` : "");
}

// The figure, and behind it how it comes about: to be redone by hand.
const explained = (text, { explanation, quantity, units }) =>
  el(
    "details",
    el("summary", text),
    el(
      "ul",
      { className: "rows" },
      explanation.map((step) => el("li", step)),
    ),
    quantity === null ? "" : el("small", `${count(Number(quantity))} ${units.join(" + ")} in all`),
  );

const revision = ({ revision: number, source, id, amount, currency, explanation }) =>
  el(
    "li",
    el(
      "a",
      { href: link("event", { source, id }), title: explanation.join("; ") },
      `${number ? `revision ${number}` : "first"}: ${money(amount, currency)}`,
    ),
  );

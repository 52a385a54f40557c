// One version against another one: by how much, how sure that is, and what may be said of it.

import { el } from "./dom.js";
import { money, percent } from "./format.js";
import { LABELS, intervalOf, number, writerOf } from "./outcome-words.js";

export function differencePart(difference) {
  const { version, against, claim, figures, by_team: team, currency } = difference;
  return el(
    "div",
    el("h2", `${version || "(none)"} against ${against || "(none)"}`),
    el("p", el("b", claim)),
    el(
      "ul",
      figures.map((figure) =>
        el("li", `${LABELS[figure.name] ?? figure.name}: `, changeOf(figure, currency)),
      ),
      el("li", "an accepted outcome, each team weighing the same on both sides: ", teamOf(team, currency)),
      el("li", "saving a month at the volume that it has: ", savingOf(difference)),
      el("li", "paid back: ", paybackOf(difference)),
    ),
    difference.missing.length > 0 && el("p", { className: "fine" }, `${difference.missing.join("; ")}.`),
  );
}

const signed = (text, say) => `${Number(text) > 0 ? "+" : ""}${say(text)}`;

function changeOf(figure, currency) {
  const { name, value, percent: share, missing } = figure;
  if (value === null) return el("small", missing.join("; ") || "not known");
  const say = writerOf(name, currency);
  const of = share === null ? "" : ` (${signed(share, (text) => `${number(text)} %`)})`;
  return [
    `${signed(value, say)}${of} ${intervalOf(figure, say)}`,
    missing.length ? el("small", { className: "line" }, missing.join("; ")) : null,
  ];
}

function teamOf(team, currency) {
  const { value, covered, missing } = team;
  const why = missing.join("; ");
  if (value === null) return el("small", why || "not known");
  const say = writerOf("cost_per_accepted", currency);
  const about = `about ${percent(Number(covered), 0)} of accepted outcomes`;
  return [`${signed(value, say)} ${intervalOf(team, say)}, ${about}`, why ? el("small", ` ${why}`) : null];
}

function savingOf({ monthly_saving: value, monthly_saving_low: low, monthly_saving_high: high, currency }) {
  if (value === null) return el("small", "not known");
  const say = currency ? (text) => money(text, currency) : number;
  return `${say(value)} ${intervalOf({ low, high }, say)}`;
}

function paybackOf({ payback_months: value, payback_months_low: low, payback_months_high: high }) {
  if (value === null) return el("small", "not known");
  return `in ${number(value)} months ${intervalOf({ low, high }, number)}`;
}

// What the figures of models lack and assume: each assumption once, with the models that it is about.

import { el } from "./dom.js";
import { count } from "./format.js";

const NAMED = 3;
const FREE =
  "A price list says 0 of these. Such offers are as a rule limited in calls and end without notice: nobody " +
  "knows whether your traffic fits into one, so they are no candidates.";

// A list price of 0 is an offer, not a saving.
export const isFree = ({ name, high, list_high: list }) =>
  name !== "" && Number(high ?? 1) === 0 && Number(list ?? 1) === 0;

export const freeOffers = (models) =>
  models.length > 0 &&
  el(
    "details",
    el("summary", `Free offers, kept apart: ${count(models.length)}`),
    el("p", { className: "fine" }, FREE),
    el("p", models.map(({ name }) => name).join(", ")),
  );

export function notesOf(missing, models) {
  const about = new Map();
  for (const { name, notes } of models)
    for (const note of notes) {
      const text = textOf(note, name);
      about.set(text, (about.get(text) ?? new Set()).add(name || "as it is"));
    }
  const lines = [...about].map(([text, names]) =>
    el("li", text, el("small", { className: "line" }, whose([...names], models.length))),
  );
  return [
    el(
      "ul",
      { className: "fine" },
      missing.map((each) => el("li", each)),
    ),
    lines.length > 0 &&
      el(
        "details",
        { className: "fine" },
        el("summary", `What these figures assume: ${count(lines.length)} things`),
        el("ul", lines),
      ),
  ];
}

// "A to B: so many times the tokens" is said of each A; what it says of B is one thing.
function textOf(note, name) {
  const at = note.indexOf(` to ${name}: `);
  return name && at >= 0 ? `in place of another model: ${note.slice(at + name.length + 6)}` : note;
}

function whose(names, all) {
  if (names.length === all) return "all of them";
  if (names.length <= NAMED) return names.join(", ");
  return `${names.slice(0, NAMED).join(", ")} and ${count(names.length - NAMED)} more`;
}

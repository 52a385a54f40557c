// As it stood: the instant of an address. Pages that can tell of it do, and all others say that they do not.

import { asAt, session } from "./api.js";
import { el } from "./dom.js";
import { momentOf } from "./format.js";

export const TOLD = {
  explore: "Spend",
  changed: "What changed",
  events: "Events",
  allocation: "Who pays",
  statement: "Statements",
};
const banner = document.getElementById("stood");

// The instant that an address names; "" = none, or what is no instant.
export const asOfIn = (query) => {
  const at = query.get("as_of") ?? "";
  return Number.isNaN(Date.parse(at)) ? "" : at;
};

// From here on questions are of what the book was then, where the page can tell of it.
export const askAsOf = (path, query) => asAt(Object.hasOwn(TOLD, path) ? asOfIn(query) : "");

export function asOfChoice(query, choose) {
  const at = asOfIn(query);
  const value = at && new Date(at).toISOString().slice(0, 19);
  const change = ({ target }) => choose(target.value ? `${target.value}Z` : undefined);
  return el(
    "label",
    { className: "against", title: "As the book stood then, in UTC: empty is now" },
    el("span", "as it stood "),
    el("input", {
      id: "as-of",
      "aria-label": "As it stood, in UTC",
      type: "datetime-local",
      step: 1,
      value,
      on: { change },
    }),
  );
}

// Above a page whose address names an instant: that its figures are of it, or why they are not.
export function showStood(path, query, nowHref) {
  const at = asOfIn(query);
  banner.hidden = !at;
  if (!at) return;
  banner.classList.toggle("of-now", !Object.hasOwn(TOLD, path));
  banner.replaceChildren(
    el("span", Object.hasOwn(TOLD, path) ? `As it stood at ${told(at)}.` : OF_NOW),
    " ",
    el("a", { href: nowHref }, "Show it as it stands"),
  );
}

const OF_NOW =
  "What you see here is of now: it is not told as it stood, for it is made of sums that keep no history. " +
  `${Object.values(TOLD).join(", ")} are.`;

// By which moment it was answered, and how far the book is proved.
export function showProved({ as_of: at, proved_until: until }) {
  if (!at || banner.hidden) return;
  const words = `As it stood at ${told(at)} (the book is proved up to ${told(until)}).`;
  if (banner.firstChild.textContent !== words) banner.firstChild.textContent = words;
}

const told = (at) => `${momentOf(at, session.tz)} ${session.tz}`;

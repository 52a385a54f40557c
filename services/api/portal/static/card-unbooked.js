// What was accepted in the last day and is not in the book, by the key that sent it; hidden where nothing is.

import { get } from "./api.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { unbookedLink } from "./links.js";
import { badge } from "./pieces.js";
import { cardRefresher } from "./refresh.js";
import { keyLabel } from "./unbooked.js";

const KEYS_SHOWN = 5;
const OUTCOMES = { rejected: "rejected", conflict: "in conflict" };

export function unbookedCard() {
  const line = el("p", { className: "not-booked" });
  const card = el("section", { "aria-label": "Not booked", hidden: true }, line);
  const show = ({ keys, counted_from: from }) => {
    card.hidden = !keys.length;
    line.replaceChildren(...summary(keys, from), ...keys.slice(0, KEYS_SHOWN).flatMap(ofKey), ...rest(keys));
  };
  return { card, refresh: cardRefresher([card], { ask: () => get("/v1/unbooked/faults"), show }) };
}

function summary(keys, from) {
  const sum = (name) => keys.reduce((total, each) => total + each[name], 0);
  const open = sum("unresolved");
  const events = `${count(sum("events"))}${from ? " or more" : ""}`;
  return [
    el("b", el("a", { href: unbookedLink() }, `not booked in the last day ${events}`)),
    " ",
    badge(open ? `${count(open)} open` : "all resolved", open ? "warn" : ""),
  ];
}

const ofKey = ({ key_id: key, key_name: name, outcome, events }) => [
  " · ",
  el(
    "a",
    { href: unbookedLink({ key, outcome }) },
    `${keyLabel(key, name)}: ${count(events)} ${OUTCOMES[outcome]}`,
  ),
];

const rest = (keys) => (keys.length > KEYS_SHOWN ? [` · and ${count(keys.length - KEYS_SHOWN)} more`] : []);

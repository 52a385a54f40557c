// Keys for those who do not reach for a mouse: `?` says which.

import { el } from "./dom.js";
import { link } from "./links.js";
import { openPlaces } from "./one-team.js";
import { rangeOf } from "./ranges.js";

const KEYS = [
  ["/", "go to the search of the page, or its first choice"],
  ["r", "go to the range"],
  ["c", "go to what it is compared with"],
  ["?", "this list"],
];

// `query()`: of the page that is shown, or null where nobody is logged in.
export function listenForKeys(query) {
  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !query()) return;
    const place = /^[1-9]$/.test(event.key) && openPlaces()[Number(event.key) - 1];
    if (place) location.hash = link(place.path, rangeOf(query()));
    else if (event.key === "?") showKeys();
    else if (!focusOn(event.key)) return;
    event.preventDefault();
  });
}

function focusOn(key) {
  const targets = {
    "/": 'main :is(input[type="search"], #by, input, select)',
    r: "#range",
    c: "#compare",
  };
  const found = Object.hasOwn(targets, key) && document.querySelector(targets[key]);
  found?.focus?.();
  return Boolean(found);
}

function showKeys() {
  const places = openPlaces()
    .slice(0, 9)
    .map(({ label }, index) => [String(index + 1), label]);
  const rows = [...places, ...KEYS].map(([key, words]) => [el("dt", el("kbd", key)), el("dd", words)]);
  const list = el(
    "dialog",
    { className: "card keys", "aria-label": "Keys", on: { close: () => list.remove() } },
    el("h2", "Keys"),
    el("dl", rows.flat()),
    el("form", { method: "dialog" }, el("button", "Close")),
  );
  document.body.append(list);
  list.showModal();
}

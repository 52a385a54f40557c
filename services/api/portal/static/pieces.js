// What pages and cards are put together from.

import { session } from "./api.js";
import { el } from "./dom.js";
import { momentOf } from "./format.js";
import { dimensionLabel, valueLabel } from "./links.js";

// Where a page lies, from the first one down.
export const trail = (...places) =>
  el(
    "p",
    { className: "trail" },
    places.flatMap((each, index) => (index ? [" › ", each] : [each])),
  );

export const badge = (text, state) => el("span", { className: "badge", "data-state": state }, text);

const STATUS_STATES = { unpriced: "over", provisional: "warn", rejected: "over", conflict: "warn" };
export const statusBadge = (name) => badge(name, STATUS_STATES[name] ?? "");

// columns: [[name, className] or a `th` of its own].
export function table(columns, body, properties = {}) {
  const heads = columns.map((column) =>
    column instanceof Node ? column : el("th", { scope: "col", className: column[1] }, column[0]),
  );
  return el("table", properties, el("thead", el("tr", heads)), body);
}

// What may be wider than the page: it scrolls, by keys too.
export const scrolls = (label, ...children) =>
  el("div", { className: "scrolls", tabIndex: 0, role: "region", "aria-label": label }, ...children);

// A chip that is a choice, and goes when it is clicked.
export const removableChip = (href, text) =>
  el("a", { href }, text, el("span", { "aria-label": "remove" }, " ×"));

// `hrefOf(filters)`: the same page with those filters.
export const filterChips = (filters, hrefOf) =>
  Object.entries(filters).flatMap(([name, values]) =>
    values.map((value) => {
      const others = values.filter((each) => each !== value);
      return removableChip(
        hrefOf({ ...filters, [name]: others }),
        `${dimensionLabel(name)}: ${valueLabel(value)}`,
      );
    }),
  );

export const zonedMoment = (at) => `${momentOf(at, session.tz)} ${session.tz}`;

export const logInToChange = (purpose) => `${purpose}, log in with a key that has the scope admin.`;

// `work` runs once: its buttons stay pressed unless it is refused, which `refused(error)` says.
export async function pressOnce(buttons, work, refused) {
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch (error) {
    for (const button of buttons) button.disabled = false;
    refused(error);
  }
}

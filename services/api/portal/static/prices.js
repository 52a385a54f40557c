// What the catalog's pages share: whose catalog it is, prices in words, and a table of what changes.

import { session } from "./api.js";
import { el } from "./dom.js";
import { count, momentOf } from "./format.js";
import { link } from "./links.js";

// Whom an operator acts for: everybody, unless the address says the chosen tenant. Any other key has one tenant.
export const actingOf = (query) =>
  session.operator && query.get("whose") !== "tenant" ? "" : session.tenant;
export const whoseOf = (query) => ({ whose: session.operator ? query.get("whose") : undefined });

export function whoseChoice(path, query) {
  if (!session.operator) return null;
  const acting = actingOf(query);
  const rest = Object.fromEntries([...query].filter(([name]) => name !== "whose"));
  const choice = (whose, label, current) =>
    el("a", { href: link(path, { ...rest, whose }), "aria-current": current ? "true" : undefined }, label);
  return el(
    "div",
    { className: "choices", role: "group", "aria-label": "Whose catalog" },
    choice(undefined, "Everybody's", !acting),
    choice("tenant", `${session.tenant}'s`, acting),
  );
}

// An adjustment is of many skus, which have no page of their own.
export const modelLink = (provider, sku, query) =>
  /[*,]/.test(sku)
    ? el("b", {}, `${provider}/${sku}`)
    : el("a", { href: link("model", { provider, sku, ...whoseOf(query) }) }, `${provider}/${sku}`);

export const moment = (at) => `${momentOf(at, session.tz)} ${session.tz}`;

// The catalog's own JSON leaves out what is usual.
export const perOf = (entry) => entry.per ?? 1;
export const currencyOf = (entry) => entry.currency ?? "USD";

export function amount(entry) {
  if (!entry) return "none";
  if (entry.factor !== undefined) return `× ${entry.factor}`;
  const per = perOf(entry);
  return `${entry.price} ${currencyOf(entry)}${per > 1 ? ` per ${count(per)}` : ""}`;
}

const STATES = { new: "", changed: "warn", withdrawn: "over" };

// A report of price changes; `total` may be more than are listed.
export function changesTable(changes, total, query) {
  if (!changes.length) return [el("p", { className: "empty" }, "No price changes.")];
  const rows = changes.map(({ change, provider, sku, unit, conditions, before, after, ratio }) =>
    el(
      "tr",
      {},
      el(
        "td",
        {},
        modelLink(provider, sku, query),
        el("small", {}, ` ${unit}`),
        conditions ? el("small", { className: "line" }, conditions) : null,
      ),
      el(
        "td",
        { className: "wide" },
        el("span", { className: "badge", "data-state": STATES[change] }, change),
      ),
      el(
        "td",
        { className: "figure" },
        el("span", { className: "was" }, amount(before)),
        " → ",
        amount(after),
        ratio ? el("small", { className: "line" }, `× ${shortened(ratio)}`) : null,
      ),
    ),
  );
  return [
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Price of", "", "Before → after"].map((name, at) =>
            el("th", { scope: "col", className: ["", "wide", "figure"][at] }, name),
          ),
        ),
      ),
      el("tbody", {}, rows),
    ),
    total > changes.length
      ? el(
          "p",
          { className: "fine" },
          `${count(total)} changes; these are the first ${count(changes.length)}`,
        )
      : null,
  ].filter(Boolean);
}

// A ratio is no money: four digits will do.
const shortened = (ratio) => String(Number(Number(ratio).toPrecision(4)));

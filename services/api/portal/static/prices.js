// What the catalog's pages share: whose catalog it is, prices in words, and a table of what changes.

import { session } from "./api.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { link } from "./links.js";
import { badge, table } from "./pieces.js";

// Whom an operator acts for: everybody ("") unless the address says the chosen tenant. Other keys have one
// tenant.
export const tenantOf = (query) =>
  session.operator && query.get("whose") !== "tenant" ? "" : session.tenant;
export const whoseOf = (query) => ({ whose: session.operator ? query.get("whose") : undefined });

export function whoseChoice(path, query) {
  if (!session.operator) return null;
  const rest = Object.fromEntries([...query].filter(([name]) => name !== "whose"));
  const choice = (whose, label, current) =>
    el("a", { href: link(path, { ...rest, whose }), "aria-current": current ? "true" : undefined }, label);
  return el(
    "div",
    { className: "choices", role: "group", "aria-label": "Whose catalog" },
    choice(undefined, "Everybody's", !tenantOf(query)),
    choice("tenant", `${session.tenant}'s`, tenantOf(query)),
  );
}

export const catalogLink = (query) => el("a", { href: link("catalog", whoseOf(query)) }, "Catalog");

// An adjustment is of many skus, which have no page of their own.
export const modelLink = (provider, sku, query) =>
  /[*,]/.test(sku)
    ? el("b", `${provider}/${sku}`)
    : el("a", { href: link("model", { provider, sku, ...whoseOf(query) }) }, `${provider}/${sku}`);

// The catalog's own JSON leaves out what is usual.
export const perOf = (entry) => entry.per ?? 1;
export const currencyOf = (entry) => entry.currency ?? "USD";

export function describePrice(entry) {
  if (!entry) return "none";
  if (entry.factor !== undefined) return `× ${entry.factor}`;
  const per = perOf(entry);
  return `${entry.price} ${currencyOf(entry)}${per > 1 ? ` per ${count(per)}` : ""}`;
}

export const CHANGE_COLUMNS = [
  ["Price of", ""],
  ["", "wide"],
  ["Before → after", "figure"],
];
const STATES = { new: "", changed: "warn", withdrawn: "over" };

// A report of price changes; `total` may be more than are listed.
export function changesTable(changes, total, query) {
  if (!changes.length) return [el("p", { className: "empty" }, "No price changes.")];
  const rows = changes.map((change) => changeRow(change, query));
  const all = `${count(total)} changes; these are the first ${count(changes.length)}`;
  return [
    table(CHANGE_COLUMNS, el("tbody", rows)),
    ...(total > changes.length ? [el("p", { className: "fine" }, all)] : []),
  ];
}

export function changeRow({ change, provider, sku, unit, conditions, before, after, ratio }, query) {
  const line = (text) => el("small", { className: "line" }, text);
  return el(
    "tr",
    el("td", modelLink(provider, sku, query), el("small", ` ${unit}`), conditions ? line(conditions) : null),
    el("td", { className: "wide" }, badge(change, STATES[change])),
    el(
      "td",
      { className: "figure" },
      el("span", { className: "was" }, describePrice(before)),
      " → ",
      describePrice(after),
      ratio ? line(`× ${shortened(ratio)}`) : null,
    ),
  );
}

// A ratio is no money: four digits will do.
const shortened = (ratio) => String(Number(Number(ratio).toPrecision(4)));

// The price catalog: search it, with the prices now in force.

import { el, setText } from "./dom.js";
import { count } from "./format.js";
import { link } from "./links.js";
import { pagedTable } from "./paging.js";
import { badge } from "./pieces.js";
import { byUnit, lastingConditions, scopeWords } from "./price-words.js";
import { describePrice, modelLink, tenantOf, whoseChoice, whoseOf } from "./prices.js";
import { tableTools } from "./tools.js";

const TYPING_MS = 250;
const ALIASES = 3;
const ROWS_AT_ONCE = 200; // of a file
const PLAIN = /^(context (up to|under) [\d,]+ tokens)?$/; // conditions that need no page of their own

export function catalogPage(query) {
  const search = el("input", {
    type: "search",
    value: query.get("q") ?? "",
    placeholder: "A part of a name: sonnet, aurora, seat …",
    "aria-label": "Search the catalog",
    on: { input: searchSoon },
  });
  const whose = el("span", whoseChoice("catalog", query));
  const note = el("p", { className: "fine" });
  const question = () => ({
    path: "/v1/catalog/models",
    parameters: { q: query.get("q") ?? "" },
    tenant: tenantOf(query),
  });
  const list = pagedTable({
    columns: [["Model"], ["Prices now"]],
    question,
    rowsOf: ({ models }) => models.map((model) => modelRow(model, query)),
    label: "More",
    show: (_, rows) => setText(note, describeList(rows)),
  });
  const element = el(
    "section",
    { className: "card list catalog" },
    el("div", { className: "controls" }, el("h1", "Price catalog"), whose),
    search,
    ...list.nodes,
    note,
    tableTools(question, { name: "catalog", rows: ROWS_AT_ONCE }),
  );
  let typing = 0;

  function searchSoon() {
    clearTimeout(typing);
    typing = setTimeout(() => {
      if (element.isConnected) location.replace(link("catalog", { q: search.value, ...whoseOf(query) }));
    }, TYPING_MS);
  }

  function accept(changed) {
    if (tenantOf(changed) !== tenantOf(query)) return false;
    query = changed;
    if (document.activeElement !== search) search.value = query.get("q") ?? "";
    whose.replaceChildren(whoseChoice("catalog", query) ?? "");
    list.restart();
    return true;
  }

  const describeList = (rows) =>
    rows
      ? "Prices of everybody, and those of the tenant alone. A unit without one is unknown, never free."
      : `Nothing in the catalog has “${query.get("q") ?? ""}” in its name.`;

  return { element, refresh: list.refresh, accept, timeless: true };
}

function modelRow({ provider, sku, aliases, retired, prices }, query) {
  const plain = prices.filter(({ conditions }) => PLAIN.test(lastingConditions(conditions))).sort(byUnit);
  const others = prices.length - plain.length;
  const more = aliases.length > ALIASES ? ` and ${aliases.length - ALIASES} more` : "";
  return el(
    "tr",
    el(
      "td",
      modelLink(provider, sku, query),
      retired ? badge("retired") : null,
      aliases.length ? el("small", aliases.slice(0, ALIASES).join(" · ") + more) : null,
    ),
    el(
      "td",
      bySize(plain).map(sizeLine),
      others ? el("small", { className: "line" }, `${count(others)} more under conditions`) : null,
      prices.length ? null : el("small", "none in force"),
    ),
  );
}

const sizeLine = ([size, prices]) =>
  el(
    "span",
    { className: "line" },
    prices.map(({ entry }) => el("span", { className: "price" }, el("small", `${entry.unit} `), entry.price)),
    el("small", size),
  );

// Prices of the same size together: [["USD per 1,000,000", [price]]].
function bySize(prices) {
  const sizes = new Map();
  for (const each of prices) {
    const { entry, conditions } = each;
    const words = [describePrice({ ...entry, price: "" }).trim(), lastingConditions(conditions)];
    const size = [...words, ...scopeWords(entry)].filter(Boolean).join(", ");
    sizes.set(size, [...(sizes.get(size) ?? []), each]);
  }
  return [...sizes];
}

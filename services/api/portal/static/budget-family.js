// Budgets above one and below it: what counts in one below counts in those above it, too.

import { describeRest, forWhat, shareOf, spentOf } from "./card-budgets.js";
import { card } from "./cards.js";
import { el } from "./dom.js";
import { money, percent } from "./format.js";
import { link } from "./links.js";

export function budgetFamily() {
  const list = el("div");
  const element = card("Above and below it", "family", list);

  // `budget`: the one of the page; `all`: every budget, itself among them.
  function show(budget, all) {
    const known = new Map(all.map((each) => [each.id, each]));
    const above = ancestors(budget, known);
    const below = all.filter(({ parents }) => parents.includes(budget.id));
    const children = below.map((child) => familyItem(child, descendants(child, all, new Set([budget.id]))));
    list.replaceChildren(
      ...(above.length
        ? [
            el("h3", "Above it"),
            el(
              "ul",
              above.map((each) => familyItem(each)),
            ),
          ]
        : []),
      ...(children.length ? [el("h3", "Below it"), el("ul", children)] : []),
      ...(above.length || below.length ? [] : [el("p", "It stands alone.")]),
    );
  }
  return { card: element, show };
}

// The nearest first, each once, whichever way leads to it.
function ancestors({ parents }, known, seen = new Set()) {
  const own = parents.filter((id) => known.has(id) && !seen.has(id));
  for (const id of own) seen.add(id);
  return [...own.map((id) => known.get(id)), ...own.flatMap((id) => ancestors(known.get(id), known, seen))];
}

function descendants({ id }, all, seen) {
  const within = new Set([...seen, id]);
  const below = all.filter((each) => each.parents.includes(id) && !within.has(each.id));
  if (!below.length) return null;
  return el(
    "ul",
    below.map((child) => familyItem(child, descendants(child, all, within))),
  );
}

function familyItem(budget, below = null) {
  const share = shareOf(budget);
  const words =
    share === null
      ? `${money(budget.amount, budget.currency)} ${forWhat(budget)}`
      : `${percent(share, 0)}, ${spentOf(budget)}, ${describeRest(budget)}`;
  return el(
    "li",
    el("a", { href: link("budget", { id: budget.id }) }, budget.name),
    el("small", ` ${words}`),
    below,
  );
}

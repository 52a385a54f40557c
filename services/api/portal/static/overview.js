// The first page: today against yesterday, who spends now, budgets, incidents, dimensions, and the explorer.

import { accountingCard } from "./card-accounting.js";
import { budgetCards } from "./card-budgets.js";
import { dimensionsCard } from "./card-dimensions.js";
import { incidentCards } from "./card-incidents.js";
import { rateCards } from "./card-rates.js";
import { todayCard } from "./card-today.js";
import { unbookedCard } from "./card-unbooked.js";
import { el } from "./dom.js";
import { explorerCard } from "./explorer.js";
import { SLOW_BEATS, everyNth } from "./refresh.js";

export function overviewPage(query) {
  const today = todayCard();
  const rates = rateCards();
  const budgets = budgetCards();
  const incidents = incidentCards();
  const accounting = accountingCard();
  const unbooked = unbookedCard();
  const explorer = explorerCard(query);
  const dimensions = dimensionsCard(explorer.offer);
  const element = el(
    "div",
    { className: "overview" },
    el("div", { className: "tiles" }, today.tile, rates.tile, budgets.tile, incidents.tile),
    el(
      "div",
      { className: "columns" },
      explorer.card,
      el("div", { className: "side" }, incidents.card, rates.card, budgets.card, dimensions.card),
    ),
    unbooked.card,
    accounting.card,
  );
  today.tile.addEventListener("click", () => explorer.card.scrollIntoView({ behavior: "smooth" }));
  const due = everyNth(SLOW_BEATS);

  // Each card shows its own answer or its own trouble; only when none was answered is it the page's.
  async function refresh() {
    const slow = due() ? [budgets, incidents, accounting, unbooked, dimensions] : [];
    const results = await Promise.all([today, rates, explorer, ...slow].map((each) => each.refresh()));
    const errors = results.filter(({ error }) => error);
    if (errors.length === results.length) throw errors[0].error;
    const [ofToday, ofRates, ofExplorer] = results.map(({ answer }) => answer?.spend);
    return ofExplorer ?? ofToday ?? ofRates;
  }

  return { element, refresh, accept: explorer.accept };
}

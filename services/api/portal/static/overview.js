// The first page: are we all right? The month against its plan, today, now; what moved; what is wrong; what
// ends soon.

import { seesAll } from "./api.js";
import { budgetCards } from "./card-budgets.js";
import { incidentCards } from "./card-incidents.js";
import { monthCard } from "./card-month.js";
import { moversCard } from "./card-movers.js";
import { rateCards } from "./card-rates.js";
import { spendCard } from "./card-spend.js";
import { todayCard } from "./card-today.js";
import { unbookedCard } from "./card-unbooked.js";
import { el } from "./dom.js";
import { liveTotals } from "./live.js";
import { SLOW_BEATS, everyNth } from "./refresh.js";

export function overviewPage(asked) {
  let query = asked;
  const month = monthCard();
  const today = todayCard();
  const rates = rateCards();
  const budgets = budgetCards({ few: true });
  const incidents = seesAll() ? incidentCards() : null;
  const spend = spendCard(() => query);
  const movers = moversCard(() => query);
  const unbooked = seesAll() ? unbookedCard() : null;
  const element = el(
    "div",
    { className: "overview" },
    el("h1", { className: "unseen" }, "Overview"),
    el("div", { className: "tiles" }, month.tile, today.tile, rates.tile, incidents?.tile),
    unbooked?.card,
    el(
      "div",
      { className: "columns" },
      spend.card,
      el("div", { className: "side" }, movers.card, budgets.card),
    ),
    el("div", { className: "halves" }, incidents?.card, rates.card),
  );
  let due = everyNth(SLOW_BEATS);
  const looked = () => element.isConnected && !document.hidden;
  const openLive = seesAll() ? liveTotals(looked, tell) : () => {};

  // All that was booked by now: a card that asked before is overtaken.
  function tell({ spans, currency, tz }) {
    today.tell({ totals: spans.today.totals, currency, tz });
    month.tell({ totals: spans.month_to_date.totals, currency, tz });
  }

  function accept(changed) {
    query = changed;
    due = everyNth(SLOW_BEATS);
    return true;
  }

  // Each card shows its own answer or its own trouble; only when none was answered is it the page's.
  async function refresh() {
    openLive();
    const slow = due() ? [month, budgets, incidents, unbooked, movers].filter(Boolean) : [];
    const results = await Promise.all([today, rates, spend, ...slow].map((each) => each.refresh()));
    const errors = results.filter(({ error }) => error);
    if (errors.length === results.length) throw errors[0].error;
    const [ofToday, ofRates, ofSpend] = results.map(({ answer }) => answer?.spend);
    return ofSpend ?? ofToday ?? ofRates;
  }

  return { element, refresh, accept };
}

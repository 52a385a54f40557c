// The month so far: against its plan, which is the monthly budget of everything, and what it will have come
// to.

import { get, seesAll, session } from "./api.js";
import { tile } from "./cards.js";
import { changeOf, ownTotal, otherCurrencies } from "./change.js";
import { part, setText } from "./dom.js";
import { dayOf, money, monthBefore, parseDecimal, percent, ratio } from "./format.js";
import { link } from "./links.js";
import { spanOf, spanParameters } from "./ranges.js";
import { cardRefresher } from "./refresh.js";

const MONTH = new URLSearchParams({ range: "month" });

export function monthCard() {
  const month = tile("This month so far", "month");
  const refresh = cardRefresher([month], { ask, show: (answer) => show(month, answer) });
  return { tile: month, refresh, tell: (live) => showTotals(month, live) };
}

async function ask() {
  const span = spanOf(MONTH, session.tz);
  const before = span.map((at) => monthBefore(at, session.tz));
  const [spend, earlier, budgets] = await Promise.all([
    ...[span, before].map((each) => get("/v1/spend", { ...spanParameters(each), usage: false })),
    get("/v1/budgets"),
  ]);
  return { spend, earlier, plan: planOf(budgets, spend.currency) };
}

// The monthly budget of everything that is spent, or of all that the one team spends that is seen; of several
// the largest.
const planOf = ({ budgets }, currency) =>
  budgets
    .filter(({ filter, period, each }) => period === "month" && !each && isOfAll(filter))
    .filter((budget) => budget.currency === currency)
    .sort((a, b) => (parseDecimal(a.amount) < parseDecimal(b.amount) ? 1 : -1))[0];

const isOfAll = (filter) =>
  JSON.stringify(filter) === JSON.stringify(seesAll() ? {} : { team: session.team });

function show(month, { spend, earlier, plan }) {
  const now = ownTotal(spend);
  const { currency } = spend;
  const changed = changeOf(now, ownTotal(earlier), currency, { more: "on the same days last month" });
  showTotals(month, spend);
  part(month, "note").dataset.state = changed.state;
  setText(part(month, "note"), changed.text);
  setText(
    part(month, "fine"),
    plan ? againstPlan(now, plan, currency) : "no budget of the whole month is set",
  );
  month.href = plan ? link("budget", { id: plan.id }) : link("explore", { range: "month", by: "team" });
  month.dataset.state = plan && now > parseDecimal(plan.amount) ? "over" : "";
}

function showTotals(month, spend) {
  const own = money(ownTotal(spend), spend.currency);
  setText(part(month, "figure"), [own, ...otherCurrencies(spend)].join(" + "));
}

function againstPlan(now, { amount, forecast, period_end: end }, currency) {
  const share = `${percent(ratio(now, parseDecimal(amount)), 0)} of ${money(amount, currency)} planned`;
  if (!seesAll()) return share; // forecasts are not shown by team
  if (!forecast?.armed || parseDecimal(forecast.p50) < now) return `${share} · too early to forecast`;
  const { p10, p50, p90 } = forecast;
  const range = `${money(p10, currency)} to ${money(p90, currency)}`;
  const last = dayOf(Date.parse(end) - 1, session.tz);
  return `${share} · ${money(p50, currency)} expected by ${last} (${range})`;
}

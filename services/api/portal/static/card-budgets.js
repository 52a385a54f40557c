// Budgets: what is spent of each, how much of its period is over; those nearest their end first.

import { call, get, mayGovern } from "./api.js";
import { card } from "./cards.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { dayOf, money, parseDecimal, percent, ratio, widthOf } from "./format.js";
import { link } from "./links.js";
import { pressOnce } from "./pieces.js";
import { cardRefresher } from "./refresh.js";

const FEW = 4;
const AHEAD = 1.2; // spent this much faster than the period goes by, a budget is shown in another colour

// `few`: those nearest their end alone, as the overview has them; removal is for the page of budgets.
export function budgetCards({ few = false } = {}) {
  const rows = el("ul", { className: "rows" });
  const outcome = el("p", { className: "fine", role: "status" });
  const budgets = card("Budgets", "budgets", rows, outcome);

  function show({ budgets: list, tz }) {
    const sorted = list.toSorted((a, b) => Number(b.percent ?? -1) - Number(a.percent ?? -1));
    updateChildren(
      rows,
      few ? sorted.slice(0, FEW) : sorted,
      ({ id }) => id,
      (budget) => makeBudget(budget, few ? null : remove),
      (item, budget) => showBudget(item, budget, tz, few),
    );
    setText(part(budgets, "fine"), describeList(list, few));
  }

  const ask = () => get("/v1/budgets");
  const refresh = cardRefresher([budgets], { ask, show });

  async function remove(id) {
    const removed = await call("DELETE", `/v1/budgets/${id}`);
    const { name, amount, currency, incidents } = removed;
    const stay = incidents === 1 ? "1 incident of it stays" : `${incidents} incidents of it stay`;
    setText(outcome, `Removed: ${name}, ${money(amount, currency)} ${forWhat(removed)}; ${stay}.`);
    await refresh();
  }

  return { card: budgets, refresh };
}

function describeList(list, few) {
  if (!list.length) return few ? "None is set." : "None yet.";
  const currencies = [...new Set(list.map(({ currency }) => currency))].join(", ");
  const rest = list.length > FEW ? `the ${FEW} nearest their end of ${list.length}` : "";
  return few ? rest : `amounts in ${currencies}`;
}

const makeBudget = ({ id }, remove) =>
  el(
    "li",
    el(
      "a",
      { className: "budget" },
      el("span", { className: "name", "data-part": "name" }),
      el("b", { "data-part": "percent" }),
      el(
        "span",
        { className: "meter" },
        el("i", { "data-part": "fill" }),
        el("i", { className: "clock", "data-part": "clock" }),
      ),
      el("small", { "data-part": "words" }),
    ),
    remove && mayGovern() && removal(() => remove(id)),
  );

// Folded away: whoever takes a budget out of force opens it first, and presses then.
function removal(remove) {
  const refused = (error) =>
    button.after(el("span", { className: "bad", role: "alert" }, ` ${error.message}`));
  const button = el("button", { on: { click: () => pressOnce([button], remove, refused) } }, "Remove it");
  const words = el("p", { className: "fine" }, "Nobody is told of it any more. Its incidents stay.");
  return el("details", el("summary", "Remove"), words, button);
}

function showBudget(item, budget, tz, few) {
  const [start, end] = [new Date(budget.period_start), new Date(budget.period_end)];
  const gone = goneOf(budget, start, end);
  const share = shareOf(budget);
  const over = overOf(budget, gone, end, tz);
  item.firstChild.href = link("budget", { id: budget.id });
  item.firstChild.dataset.state = stateOf(budget, share, gone);
  setText(part(item, "name"), budget.name);
  setText(
    part(item, "percent"),
    share === null ? `each ${budget.each}` : percent(share, share < 0.1 ? 1 : 0),
  );
  part(item, "fill").style.width = widthOf(share ?? 0);
  part(item, "clock").style.left = widthOf(gone);
  part(item, "clock").title = over;
  const words =
    share === null
      ? [`${money(budget.amount, budget.currency)} ${forWhat(budget)}`]
      : [spentOf(budget), describeRest(budget)];
  words.push(over);
  if (few) return setText(part(item, "words"), words.slice(0, 2).join(" · "));
  if (budget.allocated) words.push(describeAllocated(budget.allocated, budget.currency));
  if (budget.forecast) words.push(describeForecast(budget.forecast, budget));
  return setText(part(item, "words"), words.join(" · "));
}

// Of a budget of each value nothing is said here: null.
export const shareOf = ({ spent, amount }) =>
  spent === null ? null : ratio(parseDecimal(spent), parseDecimal(amount));

// Stated days may be over, or to come; what rolls is always whole.
const goneOf = ({ period }, start, end) =>
  period === "rolling" ? 1 : Math.min(1, Math.max(0, (Date.now() - start) / (end - start)));

function overOf({ period, last_hours: hours }, gone, end, tz) {
  if (period === "rolling") return `the last ${hours} hours`;
  const whole = period === "custom" ? "its days" : `the ${period}`;
  return `${percent(gone, 0)} of ${whole} over, until ${dayOf(end - 1, tz)}`;
}

export function forWhat({ period, starts_on: start, ends_on: end, last_hours: hours, each }) {
  const time = { custom: `from ${start} until before ${end}`, rolling: `in any ${hours} hours` };
  return (time[period] ?? `a ${period}`) + (each ? ` for each ${each}` : "");
}

function describeAllocated({ amount, budgets, overlap }, currency) {
  const below = budgets === 1 ? "1 budget" : `${budgets} budgets`;
  return `${money(amount, currency)} promised to ${below} below it${overlap ? ", which overlap" : ""}`;
}

export const spentOf = ({ spent, amount, currency }) =>
  `${money(spent, currency)} of ${money(amount, currency)}`;

export function describeRest({ remaining, currency }) {
  const left = parseDecimal(remaining);
  return left < 0n ? `${money(-left, currency)} over` : `${money(left, currency)} left`;
}

// Too early to say: only what it would come to at this rate. A forecast is up to an hour old, and what is
// below the spend of now is none any more.
export function describeForecast({ p10, p50, p90, run_rate: rate, armed }, { spent, currency }) {
  const passed = (amount) => parseDecimal(spent) > parseDecimal(amount);
  if (armed && passed(p50)) return `${money(p50, currency)} was expected by its end`;
  if (armed) return `${money(p50, currency)} expected (${money(p10, currency)} to ${money(p90, currency)})`;
  return rate === null || passed(rate)
    ? "too early to forecast"
    : `${money(rate, currency)} at this rate, too early to forecast`;
}

function stateOf(budget, share, gone) {
  if (share === null) return "";
  if (share >= 1) return "over";
  const first = Math.min(...budget.thresholds_percent.map(Number)) / 100;
  return share >= first || (share > 0.5 && share > gone * AHEAD) ? "warn" : "";
}

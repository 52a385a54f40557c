// Budgets: will they last? All of them, requests for more, and the form that sets one.

import { mayGovern, seesAll } from "./api.js";
import { budgetForm } from "./budget-form.js";
import { budgetRequests } from "./budget-requests.js";
import { budgetCards } from "./card-budgets.js";
import { el } from "./dom.js";
import { logInToChange } from "./pieces.js";
import { SLOW_BEATS, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

export function budgetsPage() {
  const budgets = budgetCards();
  const requests = seesAll() ? budgetRequests() : null;
  const due = everyNth(SLOW_BEATS);
  const tools = tableTools(() => ({ path: "/v1/budgets" }), { name: "budgets" });
  const form = el(
    "section",
    { className: "card" },
    el("h2", "Set a budget"),
    mayGovern()
      ? budgetForm(() => budgets.refresh())
      : el("p", { className: "fine" }, logInToChange("To set one")),
  );
  budgets.card.append(tools);
  const side = el("div", { className: "side" }, requests?.card, form);
  const columns = el("div", { className: "columns" }, budgets.card, side);
  const element = el("div", el("h1", "Budgets"), columns);

  async function refresh() {
    if (!due()) return null;
    const [{ answer, error }] = await Promise.all([budgets.refresh(), requests?.refresh()]);
    if (error) throw error;
    return answer ?? null;
  }
  return { element, refresh };
}

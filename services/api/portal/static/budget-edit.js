// The form that changes a budget: its name, amount, period, and when somebody is told.

import { call } from "./api.js";
import { PERIODS } from "./budget-form.js";
import { actForm, amountInput, choice, field, textInput } from "./forms.js";

const percentsOf = (input) =>
  input.value
    .split(",")
    .map((each) => each.trim())
    .filter(Boolean);

// `done(budget)`: with what it has become.
export function budgetEdit(budget, done) {
  const name = textInput({ value: budget.name, maxLength: 200, required: true });
  const amount = amountInput({ value: budget.amount, required: true });
  const period = budget.period in PERIODS ? choice(PERIODS, { chosen: budget.period }) : null;
  const told = textInput({ value: budget.thresholds_percent.join(", ") });
  const expected = textInput({
    value: budget.forecast_thresholds_percent.join(", "),
    placeholder: "of no forecast",
  });

  // What is sent is what differs: a new name alone leaves thresholds as they are.
  function changed() {
    const now = {
      name: name.value.trim(),
      amount: amount.value.trim(),
      period: period?.value ?? budget.period,
      thresholds_percent: percentsOf(told),
      forecast_thresholds_percent: percentsOf(expected),
    };
    return Object.fromEntries(
      Object.entries(now).filter(([member, value]) => String(value) !== String(budget[member])),
    );
  }

  async function work() {
    const asked = changed();
    if (!Object.keys(asked).length) return "Nothing is different.";
    await done(await call("PATCH", `/v1/budgets/${budget.id}`, asked));
    return "";
  }

  return actForm({
    name: "Change the budget",
    words: "Unless its name alone changes, what was told already may be told again. What it counts stays.",
    fields: [
      field("Name", name),
      field(`Amount in ${budget.currency}`, amount),
      period && field("For", period),
      field("Told at, in %", told),
      field("Told once this is expected, in %", expected),
    ].filter(Boolean),
    label: "Change it",
    work,
  });
}

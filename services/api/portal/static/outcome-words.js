// How figures of workflows are called and written; what is missing stands in the API's own words.

import { money, percent } from "./format.js";

export const COSTS = {
  cost_per_accepted: "an accepted outcome costs",
  ai_per_accepted: "of it AI",
  human_per_accepted: "of it people",
  adjacent_per_accepted: "of it the rest",
  cost_per_outcome: "an outcome costs",
  cost_per_run: "a run costs",
};
const OTHERS = {
  attempts_per_success: ["attempts for a success", number],
  human_minutes_per_accepted: ["minutes of people for an accepted outcome", number],
  cycle_hours: ["hours from begin to end", number],
  success_share: ["share of runs with an accepted outcome", (text) => percent(Number(text))],
  value_per_accepted: ["an accepted outcome is worth", number],
  roi_multiple: ["worth for each unit of cost", number],
};
export const LABELS = {
  ...COSTS,
  ...Object.fromEntries(Object.entries(OTHERS).map(([name, [label]]) => [name, label])),
};

// No money, or of no single currency: four digits will do.
export function number(text) {
  return String(Number(Number(text).toPrecision(4)));
}

// How a figure of this name is written; money only where its currency is known.
export const writerOf = (name, currency) =>
  Object.hasOwn(COSTS, name) && currency ? (text) => money(text, currency) : (OTHERS[name]?.[1] ?? number);

// One bound alone is said as such; of equal ones the figure says it.
export function intervalOf({ low, high }, say) {
  if (low === null && high === null) return "";
  if (low === high) return "";
  return `[${low === null ? "…" : say(low)} to ${high === null ? "…" : say(high)}]`;
}

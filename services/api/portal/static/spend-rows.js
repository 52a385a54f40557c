// Rows of spend put together, and what their quantities say: pure.

import { formatDecimal, parseDecimal, percent, ratio } from "./format.js";

const isToken = (unit) => unit.endsWith("_tokens");
const isInput = (unit) => isToken(unit) && /^(input|cache|embedding)_/.test(unit);
const isCached = (unit) => isToken(unit) && unit.startsWith("cache_read_");

// One row a value of `by`, the largest first and all others last: {name, others, amount, list, events,
// unpriced, usage, parts}; `parts` by value of `split`: [{name, amount}], null = what is not named.
export function grouped(rows, by, split) {
  const groups = new Map();
  for (const row of rows) {
    const name = row.others ? null : row[by];
    const group = groups.get(name) ?? {
      name,
      others: 0,
      amount: 0n,
      list: 0n,
      events: 0,
      unpriced: 0,
      usage: {},
      parts: new Map(),
    };
    const amount = parseDecimal(row.effective);
    group.others += row.others;
    group.amount += amount;
    group.list += parseDecimal(row.list);
    group.events += row.events;
    group.unpriced += row.unpriced_events;
    for (const [unit, quantity] of Object.entries(row.usage ?? {}))
      group.usage[unit] = (group.usage[unit] ?? 0n) + parseDecimal(quantity);
    const piece = split && !row.others ? row[split] : null;
    group.parts.set(piece, (group.parts.get(piece) ?? 0n) + amount);
    groups.set(name, group);
  }
  const sized = (a, b) => (a.name === null ? 1 : b.name === null ? -1 : a.amount < b.amount ? 1 : -1);
  return [...groups.values()].sort(sized).map((group) => ({ ...group, parts: partsOf(group) }));
}

const partsOf = ({ parts }) => [...parts].map(([name, amount]) => ({ name, amount }));

// In words, but for what 1,000 tokens cost, a decimal as text; "—" and null where there are no tokens to
// hold against, or some of them have no price.
export function usageOf({ amount, list, usage, unpriced }) {
  const tokens = sumOf(usage, isToken);
  const input = sumOf(usage, isInput);
  const perThousand = tokens && !unpriced ? formatDecimal((amount * 1000n * ONE) / tokens) : null;
  return {
    perThousand,
    cached: input ? percent(ratio(sumOf(usage, isCached), input), 0) : "—",
    belowList: list > 0n && list !== amount ? percent(ratio(list - amount, list)) : "—",
  };
}

const ONE = parseDecimal("1");
const sumOf = (usage, wanted) =>
  Object.entries(usage).reduce((total, [unit, quantity]) => (wanted(unit) ? total + quantity : total), 0n);

// Rows of spend put together, and what they are measured by: pure.

import { parseDecimal, percent, ratio } from "./format.js";

// One row a value of `by`, the largest first and all others last: {name, others, amount, list, events,
// parts}; `parts` by value of `split`: [{name, amount}], null = what is not named.
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
      parts: new Map(),
    };
    const amount = parseDecimal(row.effective);
    group.others += row.others;
    group.amount += amount;
    group.list += parseDecimal(row.list);
    group.events += row.events;
    const piece = split && !row.others ? row[split] : null;
    group.parts.set(piece, (group.parts.get(piece) ?? 0n) + amount);
    groups.set(name, group);
  }
  const sized = (a, b) => (a.name === null ? 1 : b.name === null ? -1 : a.amount < b.amount ? 1 : -1);
  return [...groups.values()].sort(sized).map((group) => ({ ...group, parts: partsOf(group) }));
}

const partsOf = ({ parts }) => [...parts].map(([name, amount]) => ({ name, amount }));

// What a group is measured by, of rows of `/v1/spend` with ratios: in words, but for what 1,000 tokens cost,
// a decimal as text; "—" and null where there is nothing to hold against, or too much of it has no price, and
// of all others, which are not the same in both answers.
export function measuredBy(rows, by) {
  const named = rows.filter(({ others }) => !others).map((row) => [row[by], row.ratios]);
  const ratios = new Map(named);
  return ({ name, others, amount, list }) => {
    const { per_1k_tokens: perThousand = null, cache_hit_rate: cached = null } =
      (!others && ratios.get(name)) || {};
    return {
      perThousand,
      cached: cached === null ? "—" : percent(Number(cached), 0),
      belowList: list > 0n && list !== amount ? percent(ratio(list - amount, list)) : "—",
    };
  };
}

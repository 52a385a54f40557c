// What became more or less since the period before, in words. A figure that is not known is no zero.

import { money, parseDecimal, percent, ratio } from "./format.js";

const PERIOD = { more: "against the period before", none: "in the period before" };

// `now`, `before`: decimals as BigInt; `than`: what it is held against, in words. {text, state}: "up" costs
// more, "down" less, "" the same or nothing to compare.
export function changeOf(now, before, currency, than = PERIOD) {
  if (before === 0n) return { text: `nothing ${than.none ?? than.more}`, state: "" };
  const difference = now - before;
  if (difference === 0n) return { text: `unchanged ${than.more}`, state: "" };
  const sign = difference > 0n ? "+" : "−";
  const size = money(difference > 0n ? difference : -difference, currency);
  const share = before > 0n ? ` (${sign}${percent(Math.abs(ratio(difference, before)))})` : "";
  return { text: `${sign}${size}${share} ${than.more}`, state: difference > 0n ? "up" : "down" };
}

// The rows of two answers by one name, side by side: {name, now, before}, decimals as BigInt; null = not
// known, because it is among those that an answer does not name. `nameOf(row)` tells rows apart.
export function sideBySide(rows, rowsBefore, nameOf) {
  const [current, earlier] = [rows, rowsBefore].map((each) => {
    const named = each.filter(({ others }) => !others);
    return {
      amounts: new Map(named.map((row) => [nameOf(row), parseDecimal(row.effective)])),
      whole: named.length === each.length,
    };
  });
  const names = new Set([...current.amounts.keys(), ...earlier.amounts.keys()]);
  const amountOf = ({ amounts, whole }, name) => amounts.get(name) ?? (whole ? 0n : null);
  return [...names].map((name) => ({ name, now: amountOf(current, name), before: amountOf(earlier, name) }));
}

export const ownRows = ({ totals, currency }) => totals.filter((row) => row.currency === currency);
export const ownTotal = (spend) =>
  ownRows(spend).reduce((total, row) => total + parseDecimal(row.effective), 0n);

// In the tenant's currency; what is spent in others is named beside it, never added.
export function otherCurrencies({ totals, currency }) {
  const sums = new Map();
  for (const row of totals)
    if (row.currency !== currency)
      sums.set(row.currency, (sums.get(row.currency) ?? 0n) + parseDecimal(row.effective));
  return [...sums].map(([other, amount]) => money(amount, other));
}

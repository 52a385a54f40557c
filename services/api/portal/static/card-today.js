// What was spent today, against yesterday by this time.

import { get, session } from "./api.js";
import { basis, tile } from "./cards.js";
import { part, setText } from "./dom.js";
import { count, daysBefore, iso, money, parseDecimal, percent, ratio, wholeMinute } from "./format.js";
import { link } from "./links.js";
import { cardRefresher } from "./refresh.js";

export function todayCard() {
  const today = tile("Today", "today");
  return { tile: today, refresh: cardRefresher([today], { ask, show: (answer) => show(today, answer) }) };
}

async function ask() {
  const now = Date.now();
  const yesterday = {
    from: iso(daysBefore(now, 1, session.tz, true)),
    to: iso(wholeMinute(daysBefore(now, 1, session.tz)) + 60_000),
  };
  const [spend, before] = await Promise.all([
    get("/v1/spend", { usage: false }),
    get("/v1/spend", { usage: false, ...yesterday }),
  ]);
  return { spend, before };
}

function show(today, { spend, before }) {
  Object.assign(session, { tz: spend.tz, currency: spend.currency }); // the tenant's terms may have changed
  const [now, then] = [ownAmount(spend), ownAmount(before)];
  const change = ratio(now - then, then);
  today.href = link("", { range: "today", by: "team" });
  setText(part(today, "figure"), [money(now, spend.currency), ...otherAmounts(spend)].join(" + "));
  part(today, "note").className = then === 0n ? "" : change > 0 ? "up" : "down";
  setText(part(today, "note"), describeChange(change, then, spend.currency));
  setText(part(today, "fine"), [basis(spend), ...doubts(spend)].join(" · "));
}

// In the tenant's currency; spend in others is named, never added.
const ownAmount = ({ totals, currency }) =>
  parseDecimal(totals.find((row) => row.currency === currency)?.effective ?? "0");
const otherAmounts = ({ totals, currency }) =>
  totals.filter((row) => row.currency !== currency).map((row) => money(row.effective, row.currency));

function describeChange(change, before, currency) {
  if (before === 0n) return "nothing yesterday by this time";
  const moved = `${change >= 0 ? "▲" : "▼"} ${percent(Math.abs(change))}`;
  return `${moved} on yesterday by this time (${money(before, currency)})`;
}

const doubts = ({ of_which_provisional: provisional, unpriced_events: unpriced, currency }) => [
  ...(provisional === "0" ? [] : [`${money(provisional, currency)} of it provisional`]),
  ...(unpriced ? [`${count(unpriced)} events without a price`] : []),
];

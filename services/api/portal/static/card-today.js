// What was spent today, against the same weekday a week before by this time.

import { get, session } from "./api.js";
import { tile } from "./cards.js";
import { changeOf, otherCurrencies, ownTotal } from "./change.js";
import { part, setText } from "./dom.js";
import { count, daysBefore, iso, money, wholeMinute } from "./format.js";
import { link } from "./links.js";
import { cardRefresher } from "./refresh.js";

const WEEK = 7;

export function todayCard() {
  const today = tile("Today", "today");
  const refresh = cardRefresher([today], { ask, show: (answer) => show(today, answer) });
  return { tile: today, refresh, tell: (live) => showTotals(today, live) };
}

async function ask() {
  const now = Date.now();
  const earlier = {
    from: iso(daysBefore(now, WEEK, session.tz, true)),
    to: iso(wholeMinute(daysBefore(now, WEEK, session.tz)) + 60_000),
  };
  const [spend, before] = await Promise.all([
    get("/v1/spend", { usage: false }),
    get("/v1/spend", { usage: false, ...earlier }),
  ]);
  return { spend, before };
}

function show(today, { spend, before }) {
  Object.assign(session, { tz: spend.tz, currency: spend.currency }); // the tenant's terms may have changed
  const weekday = new Intl.DateTimeFormat("en", { weekday: "long", timeZone: spend.tz }).format(new Date());
  const than = { more: `on last ${weekday} by this time` };
  const changed = changeOf(ownTotal(spend), ownTotal(before), spend.currency, than);
  today.href = link("explore", { range: "today", by: "team" });
  part(today, "note").dataset.state = changed.state;
  setText(part(today, "note"), changed.text);
  showTotals(today, spend);
}

function showTotals(today, spend) {
  setText(
    part(today, "figure"),
    [money(ownTotal(spend), spend.currency), ...otherCurrencies(spend)].join(" + "),
  );
  const events = spend.totals.reduce((total, row) => total + row.events, 0);
  setText(part(today, "fine"), `${count(events)} events · ${spend.currency}, ${spend.tz}`);
}

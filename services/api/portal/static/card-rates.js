// How fast money is spent now, and by whom.

import { get } from "./api.js";
import { card, tile } from "./cards.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { count, iso, money, parseDecimal, perHour, ratio, sum, wholeMinute, widthOf } from "./format.js";
import { link, valueLabel } from "./links.js";
import { cardRefresher } from "./refresh.js";

const MINUTES = 5;
const ROWS = 6;

export function rateCards() {
  const rate = tile("Now, per hour", "rate");
  const spenders = el("ol", { className: "rows" });
  const who = card("Who is spending now", "who", spenders);

  function show({ spend, seconds }) {
    const rows = spend.totals.filter(({ currency }) => currency === spend.currency);
    showRate(rate, spend, rows, seconds);
    showSpenders(spenders, rows, seconds);
    setText(part(who, "fine"), describeSpenders(rows, seconds));
  }

  return { tile: rate, card: who, refresh: cardRefresher([rate, who], { ask, show }) };
}

async function ask() {
  const now = Date.now();
  const from = wholeMinute(now) - (MINUTES - 1) * 60_000;
  const groups = { group_by: "team,workflow,agent", top: ROWS };
  const spend = await get("/v1/spend", { usage: false, from: iso(from), ...groups });
  return { spend, seconds: (now - from) / 1000 };
}

const ratePerHour = ({ effective, currency }, seconds) =>
  `${money(perHour(parseDecimal(effective), seconds), currency)}/h`;

function showRate(rate, spend, rows, seconds) {
  const all = sum(rows.map((row) => row.effective));
  const events = rows.reduce((total, row) => total + row.events, 0);
  rate.href = link("explore", { range: "1h", by: "team" });
  setText(part(rate, "figure"), money(perHour(all, seconds), spend.currency));
  setText(part(rate, "note"), `${count(events)} events in ${MINUTES} minutes`);
  setText(part(rate, "fine"), `at the pace of the last ${MINUTES} minutes`);
}

function showSpenders(spenders, rows, seconds) {
  const named = rows.filter(({ others }) => !others);
  const keyOf = ({ team, workflow, agent }) => JSON.stringify([team, workflow, agent]);
  updateChildren(spenders, named, keyOf, makeSpender, (item, row) => {
    const { team, workflow, agent } = row;
    const filters = { team: [team], workflow: [workflow], agent: [agent] };
    item.firstChild.href = link("explore", { range: "1h", by: "sku", filters });
    setText(part(item, "name"), [team, workflow, agent].filter(Boolean).join(" · ") || valueLabel(""));
    setText(part(item, "amount"), ratePerHour(row, seconds));
    const share = ratio(parseDecimal(row.effective), parseDecimal(rows[0].effective));
    part(item, "fill").style.width = widthOf(share);
  });
}

const makeSpender = () =>
  el(
    "li",
    el(
      "a",
      { className: "row" },
      el("span", { className: "name", "data-part": "name" }),
      el("b", { "data-part": "amount" }),
      el("i", { className: "fill", "data-part": "fill" }),
    ),
  );

function describeSpenders(rows, seconds) {
  if (!rows.length) return `Nobody, in the last ${MINUTES} minutes.`;
  const rest = rows.find(({ others }) => others);
  const beside = rest ? `and ${count(rest.others)} others at ${ratePerHour(rest, seconds)} · ` : "";
  return `${beside}rates of the last ${MINUTES} minutes`;
}

// Rows of what coding agents cost, with what it is made of.

import { el } from "./dom.js";
import { count, moneyColumn, money, parseDecimal, ratio, sum, widthOf } from "./format.js";
import { link } from "./links.js";
import { scrolls, table } from "./pieces.js";

const PARTS = {
  model: ["calls", "var(--c1)"],
  seats: ["seats", "var(--c2)"],
  labour: ["people", "var(--c3)"],
  other: ["the rest", "var(--c4)"],
};
const HEADS = [
  ["Made of", "wide"],
  ["Cost", "figure"],
  ["Of it calls", "figure"],
  ["Seats", "figure wide"],
  ["People at least", "figure wide"],
  ["Sessions", "figure wide"],
  ["Merged", "figure"],
  ["A merged change", "figure"],
];

// `answer`: whose rows they are, for its days and its tools.
export function agentsTable(title, rows, answer) {
  if (!rows.length) return [];
  const body = rows.map((row) => rowOf(row, rows, answer));
  const heads = [["Whose"], ...HEADS];
  return [el("h2", title), legend(), scrolls(title, table(heads, el("tbody", body)))];
}

const legend = () =>
  el(
    "ul",
    { className: "legend" },
    Object.values(PARTS).map(([label, colour]) =>
      el("li", el("i", { className: "dot", style: { background: colour } }), label),
    ),
  );

function rowOf(row, rows, answer) {
  const { currency, lower_bound: lower } = row;
  const own = rows.filter((each) => each.currency === currency);
  const say = moneyColumn(
    own.map(({ cost }) => cost),
    currency,
  );
  const largest = own
    .map(({ cost }) => parseDecimal(cost))
    .reduce((most, each) => (each > most ? each : most), 0n);
  const calls = callsLink(row, answer);
  const atLeast = lower ? "at least " : "";
  return el(
    "tr",
    el(
      "th",
      { scope: "row" },
      nameOf(row),
      currency === rows[0].currency ? null : el("small", ` ${currency}`),
    ),
    el("td", { className: "wide bar-cell" }, bar(row, largest)),
    el("td", { className: "figure" }, atLeast, say(row.cost), remarks(row)),
    el("td", { className: "figure" }, calls ? el("a", { href: calls }, say(row.model)) : say(row.model)),
    el("td", { className: "figure wide" }, say(row.seats)),
    el("td", { className: "figure wide" }, row.people === null ? "not known" : count(row.people)),
    el("td", { className: "figure wide" }, count(row.sessions)),
    el("td", { className: "figure" }, count(row.merged), takenBack(row)),
    el("td", { className: "figure" }, perMerged(row, atLeast)),
  );
}

const teamOf = ({ team, small_teams: small }) =>
  team === null ? (small ? `${count(small)} small teams` : "") : team || "no team";
const nameOf = (row) => [row.tool, teamOf(row)].filter(Boolean).join(" · ");

// Its calls as spend, on the same days; several teams that stand together have no address.
function callsLink({ tool, team, small_teams: small }, { first_day: from, until, tools }) {
  if (small) return null;
  const agent = tool === null ? [...new Set(tools.map((each) => each.tool))] : [tool];
  const filters = { agent, ...(team === null ? {} : { team: [team] }) };
  return link("explore", { from: `${from}T00:00:00Z`, to: `${until}T00:00:00Z`, by: "sku", filters });
}

function bar(row, largest) {
  const pieces = Object.entries(PARTS).filter(([name]) => parseDecimal(row[name]) > 0n);
  return el(
    "span",
    { className: "bar" },
    pieces.map(([name, [label, background]]) =>
      el("i", {
        className: "fill",
        title: `${label}: ${money(row[name], row.currency)}`,
        style: { width: widthOf(ratio(parseDecimal(row[name]), largest)), background },
      }),
    ),
  );
}

function remarks({ labour, other, of_which_provisional: provisional, unpriced_events: unpriced, currency }) {
  const beside = formatSum([labour, other]);
  const said = [
    beside ? `${money(beside, currency)} people and the rest` : "",
    Number(provisional) ? `${money(provisional, currency)} provisional` : "",
    unpriced ? `${count(unpriced)} events without a price` : "",
  ].filter(Boolean);
  return said.length ? el("small", { className: "line" }, said.join("; ")) : null;
}

const formatSum = (amounts) => sum(amounts) || null;

const takenBack = ({ taken_back: back }) =>
  Number(back) ? el("small", { className: "line" }, `${count(back)} taken back`) : null;

function perMerged({ cost_per_merged: cost, missing, currency }, atLeast) {
  if (cost === null) return el("small", missing.join("; ") || "not known");
  return [
    atLeast,
    money(cost, currency),
    missing.length ? el("small", { className: "line" }, missing.join("; ")) : null,
  ];
}

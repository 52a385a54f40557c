// Who pays? What each cost centre bears of a month, how its part of shared cost came about, and what is left
// with nobody, with the reason.

import { get, session } from "./api.js";
import { el, setText } from "./dom.js";
import { allocationChoices } from "./allocation-choices.js";
import { dayStart, eventsOf, formatDecimal, iso, money, moneyColumn, parseDecimal, sum } from "./format.js";
import { dimensionLabel, link } from "./links.js";
import { firstDay, monthsOn } from "./months.js";
import { scrolls, table } from "./pieces.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { poolsPart, sharesPart } from "./allocation-shares.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/allocations";
// What no cost centre bears, and why that is so.
const NOBODY = {
  residual: "residual: pools leave it, with a reason below",
  unattributed: "unattributed: it names nobody, and no pool takes it",
  folded: "folded: its name was one too many that day",
};

export function allocationPage(query) {
  const choices = allocationChoices("allocation", query);
  const { chosen } = choices;
  const { month, dimension } = chosen;
  const centre = query.get("centre") ?? "";
  const totals = el("div", { className: "soft" });
  const rows = el("div");
  const parts = el("div");
  const fine = el("p", { className: "fine" });
  const tools = tableTools(() => ({ path: PATH, parameters: asked }), {
    name: `allocation-${month}`,
  });
  const asked = {
    from: firstDay(month),
    to: firstDay(monthsOn(month, 1)),
    dimension,
    ...(centre ? { cost_centre: centre } : { shares: false }),
  };
  const card = el(
    "section",
    { className: "card allocation", "aria-label": "Allocation" },
    el("h1", "Who pays?"),
    choices.element,
    totals,
    rows,
    tools,
    parts,
    fine,
  );
  const due = everyNth(RARE_BEATS);
  const answered = cardRefresher([card], { ask: () => get(PATH, asked), show });

  function show(answer) {
    totals.replaceChildren(...answer.totals.map((whole) => el("p", { className: "soft" }, describe(whole))));
    rows.replaceChildren(answer.rows.length ? rowsTable(answer, chosen) : nothing());
    parts.replaceChildren(
      ...(centre ? sharesPart(answer, centre, chosen) : []),
      ...poolsPart(answer),
      el("p", { className: "fine" }, planWords(answer, chosen)),
    );
    setText(fine, `${answer.first_day} until before ${answer.until}, ${answer.tz} · effective cost`);
  }

  async function refresh() {
    if (!due()) return null;
    const { answer, error } = await answered();
    if (error) throw error;
    return answer ? { ...answer, ...remarksOf(answer) } : null;
  }
  return { element: card, refresh };
}

const nothing = () => el("p", { className: "empty" }, "Nothing was booked in this month.");

// What stands above every page, of the rows.
function remarksOf({ rows, currency }) {
  const own = rows.filter((row) => row.currency === currency);
  return {
    of_which_provisional: formatDecimal(sum(own.map((row) => row.of_which_provisional))),
    unpriced_events: rows.reduce((all, row) => all + row.unpriced_events, 0),
  };
}

function describe({ currency, total, unattributed, borne, attributed_percent: named, borne_percent: part }) {
  // Rounded down: what is not quite all is not 100 %.
  const said = (share) =>
    share === null
      ? "no percentage, as credits or events without a price lie in it,"
      : `${Math.floor(Number(share) * 100) / 100} %`;
  return (
    `${money(total, currency)} in all: of it ${said(named)} names somebody, ${said(part)} is borne by ` +
    `somebody (${money(borne, currency)}), and ${money(unattributed, currency)} names nobody`
  );
}

function planWords({ stretches }, { dimension, as_of }) {
  const by = stretches.map(({ first_day: from, until, revision }) =>
    revision === null
      ? `from ${from} until before ${until} by no plan`
      : `from ${from} until before ${until} by revision ${revision}`,
  );
  return [
    `Shared out ${by.join(", ") || "by no plan"}. `,
    el("a", { href: link("plan", { dimension, as_of }) }, "The plan"),
  ];
}

function rowsTable({ rows }, chosen) {
  const say = columnsOf(rows);
  const body = rows.map((row) =>
    el(
      "tr",
      el("th", { scope: "row" }, nameOf(row, chosen)),
      el("td", { className: "figure" }, directOf(row, chosen, say)),
      ["shared", "total", "of_which_provisional"].map((name) =>
        el("td", { className: name === "total" ? "figure" : "figure wide" }, say(row.currency)(row[name])),
      ),
      el("td", { className: "figure wide" }, eventsOf(row.unpriced_events)),
    ),
  );
  const heads = [
    ["direct", "figure"],
    ["shared", "figure wide"],
    ["total", "figure"],
    ["of it provisional", "figure wide"],
    ["without a price", "figure wide"],
  ];
  return scrolls("Who bears what", table([[dimensionLabel(chosen.dimension)], ...heads], el("tbody", body)));
}

// By currency, one column's way of writing.
function columnsOf(rows) {
  const say = new Map();
  for (const currency of new Set(rows.map((row) => row.currency))) {
    const totals = rows.filter((row) => row.currency === currency).map(({ total }) => total);
    say.set(currency, moneyColumn(totals, currency));
  }
  return (currency) => say.get(currency);
}

function nameOf({ kind, cost_centre: centre }, chosen) {
  if (kind !== "cost_centre") return `(${NOBODY[kind] ?? kind})`;
  return [
    el("a", { href: link("allocation", { ...chosen, centre }) }, centre),
    " ",
    el("small", el("a", { href: link("statement", { ...chosen, centre }) }, "statement")),
  ];
}

// What was booked under a name is opened as spend; what pools took of nobody's is not, so that no other
// figure stands behind this one.
function directOf({ kind, cost_centre: centre, direct, currency }, { month, dimension, as_of }, say) {
  const text = say(currency)(direct);
  if (kind !== "cost_centre" || parseDecimal(direct) === 0n) return text;
  const [from, to] = [month, monthsOn(month, 1)].map((each) => iso(dayStart(firstDay(each), session.tz)));
  return el(
    "a",
    { href: link("explore", { from, to, as_of, by: "sku", filters: { [dimension]: [centre] } }) },
    text,
  );
}

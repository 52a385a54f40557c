// One cost centre's month, line by line: what it spent itself, and its part of each pool.

import { get } from "./api.js";
import { allocationChoices } from "./allocation-choices.js";
import { el, setText } from "./dom.js";
import { count, eventsOf, formatDecimal, money, moneyColumn, parseDecimal, sum } from "./format.js";
import { textInput } from "./forms.js";
import { link } from "./links.js";
import { monthName } from "./months.js";
import { periodCard } from "./period.js";
import { scrolls, table, trail, zonedMoment } from "./pieces.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { statementFiles } from "./statement-files.js";
import { tableTools } from "./tools.js";

const NOT_KNOWN = "not known yet";
const NONE = "Name a cost centre, or choose one on the page before: each has a statement of each month.";

export function statementPage(query) {
  const centre = query.get("centre") ?? "";
  const choices = allocationChoices("statement", query, { more: { centre } });
  const { chosen } = choices;
  const { month, dimension, as_of } = chosen;
  const heading = el("h1", centre ? `${centre}, ${monthName(month)}` : "Statements");
  const content = el("div");
  const fine = el("p", { className: "fine" });
  const path = `/v1/statements/${encodeURIComponent(centre)}`;
  const parameters = { month, dimension };
  const card = el(
    "section",
    { className: "card statement", "aria-label": "Statement" },
    trail(el("a", { href: link("allocation", chosen) }, "Who pays"), "Statement"),
    heading,
    nameForm({ centre, chosen }),
    choices.element,
    centre ? content : el("p", { className: "empty" }, NONE),
    centre && tableTools(() => ({ path, parameters }), { name: `statement-${month}` }),
    centre && statementFiles({ centre, ...parameters }),
    fine,
  );
  const due = everyNth(RARE_BEATS);
  const answered = cardRefresher([card], { ask: () => get(path, parameters), show });
  const hrefOf = (other) => link("statement", { ...chosen, centre, month: other });
  // A month is closed and opened as the book stands now.
  const period = as_of ? null : periodCard({ month, hrefOf, changed: () => centre && answered() });

  function show(statement) {
    content.replaceChildren(...draw(statement));
    const until = statement.is_over ? "" : " · so far: the month is not over";
    setText(fine, `${statement.first_day} until before ${statement.until}, ${statement.tz}${until}`);
  }

  async function refresh() {
    const asked = centre && due() ? answered() : {};
    const [{ answer, error }] = await Promise.all([asked, period?.refresh()]);
    if (error) throw error;
    return answer ? { ...answer, ...remarksOf(answer) } : null;
  }
  const element = el("div", { className: "stacked" }, card, period?.element);
  return { element, refresh, timeless: !centre };
}

// What may still change, in the first currency; lines say so of every one.
function remarksOf({ totals }) {
  return {
    currency: totals[0]?.currency,
    of_which_provisional: totals[0]?.of_which_provisional ?? "0",
    unpriced_events: totals.reduce((all, each) => all + each.unpriced_events, 0),
  };
}

function nameForm({ centre, chosen }) {
  const name = textInput({
    type: "search",
    value: centre,
    "aria-label": "Cost centre",
    required: true,
  });
  const submit = (event) => {
    event.preventDefault();
    location.hash = link("statement", { ...chosen, centre: name.value.trim() });
  };
  return el("form", { className: "controls", on: { submit } }, name, el("button", "Show"));
}

const draw = (statement) => [
  ...statement.totals.map((total) =>
    el("p", { className: "verdict" }, el("strong", money(total.total, total.currency))),
  ),
  ...(statement.totals.length ? [] : [el("p", { className: "empty" }, "Nothing is booked of this month.")]),
  el(
    "dl",
    { className: "facts" },
    factsOf(statement).flatMap(([name, text]) => [el("dt", name), el("dd", text)]),
  ),
  ...(statement.lines.length ? [linesTable(statement)] : []),
];

// What is not known has its place, so that nobody takes it for nothing.
function factsOf({ totals, closed_at: closed, invoice_variance: variance }) {
  return [
    ...totals.flatMap(({ currency, direct, shared, list, corrected, of_closed_periods: later }) => [
      [`Direct and shared, ${currency}`, `${money(direct, currency)} + ${money(shared, currency)}`],
      [`At list prices, ${currency}`, money(list, currency)],
      [`Corrected since it was booked, ${currency}`, money(corrected, currency)],
      [`Corrections of earlier months, closed by then, ${currency}`, money(later, currency)],
    ]),
    ["Closed", closed === null ? "no: it may still change" : zonedMoment(closed)],
    ["Invoice against the ledger", variance ?? NOT_KNOWN],
  ];
}

function linesTable({ lines }) {
  const currencies = [...new Set(lines.map(({ currency }) => currency))];
  return el(
    "div",
    currencies.map((currency) => oneCurrency(lines.filter((line) => line.currency === currency))),
  );
}

function oneCurrency(lines) {
  const { currency } = lines[0];
  const say = moneyColumn(
    lines.map(({ effective }) => effective),
    currency,
  );
  const figure = (line, name, className = "figure") => el("td", { className }, say(line[name]));
  const body = lines.map((line) =>
    el(
      "tr",
      el("th", { scope: "row" }, `${line.provider}/${line.sku}`, el("small", ` ${line.cost_class}`)),
      el("td", whence(line)),
      el("td", { className: "figure wide" }, line.events === null ? "—" : count(line.events)),
      figure(line, "list", "figure wide"),
      figure(line, "corrected", "figure wide"),
      figure(line, "effective"),
    ),
  );
  const whole = formatDecimal(sum(lines.map(({ effective }) => effective)));
  const foot = el(
    "tr",
    el("th", { scope: "row" }, "together"),
    el("td"),
    el("td", { className: "wide" }),
    el("td", { className: "wide" }),
    el("td", { className: "wide" }),
    el("td", { className: "figure" }, say(whole)),
  );
  const heads = [
    ["Of"],
    ["Whence"],
    ["Events", "figure wide"],
    ["List", "figure wide"],
    ["Corrected", "figure wide"],
    [`Amount in ${currency}`, "figure"],
  ];
  return scrolls(`Lines in ${currency}`, table(heads, [el("tbody", body), el("tfoot", foot)]));
}

function whence({ kind, pool, source, driver, weight, of, revision, unpriced_events: unpriced, ...line }) {
  const remarks = [
    parseDecimal(line.of_which_provisional) === 0n
      ? ""
      : `${money(line.of_which_provisional, line.currency)} provisional`,
    unpriced ? `${eventsOf(unpriced)} without a price: it is more` : "",
  ].filter(Boolean);
  const small = remarks.length ? el("small", { className: "line" }, remarks.join("; ")) : null;
  if (kind === "direct")
    return [line.corrects ? `of ${line.corrects}, closed by then` : "spent itself", small];
  if (line.corrects) return [`part of ${pool}, for ${line.corrects}, closed by then`, small];
  const how = `${weight} of ${of}${driver ? ` by ${driver}` : ""}, revision ${revision}`;
  const whose = source && source !== pool ? ` (cost of ${source})` : "";
  return [`part of ${pool}${whose}`, el("small", { className: "line" }, how), small];
}

// What do the tools for developers cost? By tool and team, for a merged change, and for seats that nobody
// uses.

import { get, session } from "./api.js";
import { changeOf } from "./change.js";
import { seatsTable } from "./agents-seats.js";
import { agentsTable } from "./agents-table.js";
import { el, setText } from "./dom.js";
import { count, money, parseDecimal, sum } from "./format.js";
import { choice } from "./forms.js";
import { link } from "./links.js";
import { dayIn } from "./months.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { DAY_MS } from "./ranges.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/coding-agents";
const SEATS_PATH = `${PATH}/seats`;
const UTC = "UTC";
const DAYS = { 7: "7 days", 30: "30 days", 90: "90 days" };
const USUAL_DAYS = "30";

export function agentsPage(query) {
  const days = Object.hasOwn(DAYS, query.get("days")) ? query.get("days") : USUAL_DAYS;
  const merged = query.getAll("merged");
  const figure = el("strong", { className: "total" });
  const change = el("span", { className: "change" });
  const facts = el("dl", { className: "facts" });
  const lacks = el("ul", { className: "fine" });
  const content = el("div");
  const names = el("select", { "aria-label": "Which outcome is a merged change", on: { change: goOn } });
  const range = choice(DAYS, { chosen: days, "aria-label": "Days", on: { change: goOn } });
  const fine = el("p", { className: "fine" });
  const tools = tableTools(() => ({ path: PATH, parameters: parameters(0) }), { name: "coding-agents" });
  const seatTools = tableTools(() => ({ path: SEATS_PATH, parameters: daysOf(0) }), { name: "seats" });
  const card = el(
    "section",
    { className: "card agents", "aria-label": "Coding agents" },
    el("div", { className: "lead" }, el("h1", "Coding agents"), figure, change),
    el("p", { className: "controls" }, range, el("label", "a merged change is ", names)),
    lacks,
    facts,
    content,
    fine,
  );
  const due = everyNth(RARE_BEATS);
  const answered = cardRefresher([card], { ask, show });

  function goOn() {
    location.hash = link("agents", { days: range.value, merged: names.value });
  }

  // Whole days of UTC: those up to and with today, or as many before.
  function daysOf(back) {
    const end = Date.now() + DAY_MS - back * Number(days) * DAY_MS;
    return { from: dayIn(end - Number(days) * DAY_MS, UTC), to: dayIn(end, UTC) };
  }

  const parameters = (back) => ({ ...daysOf(back), ...(merged.length ? { merged } : {}) });

  async function ask() {
    const [now, before] = await Promise.all([get(PATH, parameters(0)), get(PATH, parameters(1))]);
    return { now, before };
  }

  function show({ now, before }) {
    const totals = totalsOf(now.tools);
    setText(figure, [...totals].map(([currency, amount]) => money(amount, currency)).join(" + "));
    setText(change, comparison(now, before, days));
    names.replaceChildren(
      ...[...new Set([...now.merged_names, ...now.outcome_names])].map((name) =>
        el("option", { value: name, selected: now.merged_names.includes(name) }, name),
      ),
    );
    lacks.replaceChildren(...now.not_in_it.map((each) => el("li", each)));
    facts.replaceChildren(...factsOf(now).flatMap(([name, text]) => [el("dt", name), el("dd", text)]));
    content.replaceChildren(...draw(now, tools, seatTools));
    setText(fine, footOf(now));
  }

  async function refresh() {
    if (!due()) return null;
    const { answer, error } = await answered();
    if (error) throw error;
    return answer ? answer.now : null;
  }
  return { element: card, refresh };
}

function totalsOf(rows) {
  const totals = new Map();
  for (const { currency, cost } of rows)
    totals.set(currency, (totals.get(currency) ?? 0n) + parseDecimal(cost));
  return totals;
}

// Only where both sides are whole, and of one currency.
function comparison(now, before, days) {
  const [own, earlier] = [now, before].map(({ tools }) => totalsOf(tools));
  const [currency] = own.keys();
  const whole = [...now.tools, ...before.tools].every(({ lower_bound: lower }) => !lower);
  if (own.size !== 1 || earlier.size > 1 || (earlier.size && !earlier.has(currency)) || !whole) return "";
  // Today is among the days, and not over; those before are.
  const past = `the ${days} whole days before`;
  const than = { more: `with today so far, against ${past}`, none: `in ${past}` };
  return changeOf(own.get(currency), earlier.get(currency) ?? 0n, currency, than).text;
}

function factsOf({ tools, seats }) {
  const dearest = tools.reduce(
    (most, row) => (most && Number(most.cost) >= Number(row.cost) ? most : row),
    null,
  );
  const merged =
    dearest &&
    (dearest.cost_per_merged === null
      ? dearest.missing.join("; ") || "not known"
      : `${dearest.lower_bound ? "at least " : ""}${money(dearest.cost_per_merged, dearest.currency)}`);
  return [
    ...(dearest ? [[`A merged change by ${dearest.tool}`, merged]] : []),
    ["Seats that nobody uses, a month", idleWords(seats)],
  ];
}

function idleWords(seats) {
  const known = seats.filter(({ idle_cost_per_month: cost }) => cost !== null);
  const currencies = [...new Set(known.map(({ currency }) => currency))];
  const amounts = currencies.map((currency) =>
    money(
      sum(known.filter((each) => each.currency === currency).map((each) => each.idle_cost_per_month)),
      currency,
    ),
  );
  const unknown = seats.length - known.length;
  const licences = `${count(unknown)} licence${unknown === 1 ? "" : "s"}`;
  if (!seats.length) return "no licence is known: register seats as assets";
  return [amounts.join(" + "), unknown ? `of ${licences} nobody has said how many are used` : ""]
    .filter(Boolean)
    .join("; ");
}

function draw(answer, rowTools, seatTools) {
  const { tools, teams, rows, seats } = answer;
  if (!tools.length && !seats.length) return [el("p", { className: "empty" }, NONE)];
  return [
    ...agentsTable("By tool", tools, answer),
    ...(tools.length > 1 ? agentsTable("By team, over all tools", teams, answer) : []),
    ...agentsTable("By tool and team", rows, answer),
    rowTools,
    ...(seats.length ? [...seatsTable(seats), seatTools] : []),
  ];
}

const NONE =
  "No coding agent reported anything on these days: docs/coding-agents.md says how Claude Code, Codex and " +
  "others do.";

function footOf({ first_day: from, until, people_min: least, all_teams: all }) {
  const teams = all
    ? `You see every team; others see teams of fewer than ${least} people together`
    : `Teams of fewer than ${least} people stand together, so that nobody is watched`;
  return `${from} until before ${until}, whole days of UTC · ${teams} · ${session.currency}`;
}

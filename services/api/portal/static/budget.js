// One budget: what is left of it, when it will be gone, how good that forecast is, and who asks for more.

import { get, mayGovern, seesAll, session } from "./api.js";
import { budgetEdit } from "./budget-edit.js";
import { budgetFamily } from "./budget-family.js";
import { budgetRequests } from "./budget-requests.js";
import { describeForecast, describeRest, forWhat, shareOf, spentOf } from "./card-budgets.js";
import { burnChart } from "./chart-lines.js";
import { el, setText } from "./dom.js";
import { dayOf, formatDecimal, momentToMinute, money, moneyColumn, parseDecimal, percent } from "./format.js";
import { dimensionLabel, filterParameters, link, scopeFilters, valueLabel } from "./links.js";
import { scrolls, table, trail } from "./pieces.js";
import { spanParameters } from "./ranges.js";
import { SLOW_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { bucketInWords, bucketOf } from "./series.js";
import { tableTools } from "./tools.js";

const BEYOND_SPEND = ["run", "user"]; // no dimensions of spend: there is no series of them

export function budgetPage(query) {
  const id = query.get("id");
  const heading = el("h1");
  const figure = el("b", { className: "total" });
  const words = el("p", { className: "soft" });
  const facts = el("dl", { className: "facts" });
  const chart = burnChart("What is left of the budget");
  const figures = scrolls("What is left, in figures");
  let asked = {};
  const tools = tableTools(() => ({ path: "/v1/spend", parameters: asked }), { name: "budget" });
  const details = el(
    "details",
    { className: "chart-figures" },
    el("summary", "The chart in figures"),
    figures,
    tools,
  );
  const none = el("p", { className: "fine" });
  const card = el(
    "section",
    { className: "card burn" },
    trail(el("a", { href: link("budgets") }, "Budgets"), "One budget"),
    el("div", { className: "lead" }, heading, figure),
    words,
    chart.element,
    none,
    details,
    facts,
  );
  const requests = seesAll() ? budgetRequests(id) : null;
  const family = budgetFamily();
  const editing = el("details");
  const told = el("p", { className: "fine", role: "status" });
  const change = el("section", { className: "card", hidden: !mayGovern() }, editing, told);
  const due = everyNth(SLOW_BEATS);
  const element = el("div", { className: "stacked" }, card, family.card, change, requests?.card);
  const refreshCard = cardRefresher([card, family.card], { ask: () => ask(id), show });
  let revision = null; // of what the form was made

  function show({ budget, all, answer, spend, parameters }) {
    asked = parameters;
    family.show(budget, all);
    if (mayGovern() && budget.revision !== revision) offerChange(budget);
    setText(heading, budget.name);
    setText(figure, budget.spent === null ? "" : describeRest(budget));
    setText(words, describe(budget));
    const points = spend ? pointsOf(budget, spend) : [];
    for (const each of [chart.element, details]) each.hidden = points.length < 2;
    setText(none, points.length < 2 ? "There is no series of what this budget counts." : LEGEND);
    if (points.length >= 2) showChart(chart, figures, { budget, points, forecast: answer.forecast });
    facts.replaceChildren(
      ...factsOf(budget, answer).flatMap(([name, text]) => [el("dt", name), el("dd", text)]),
    );
  }

  // Made anew only where the budget is another: whoever is writing is left in peace.
  function offerChange(budget) {
    ({ revision } = budget);
    const form = budgetEdit(budget, changed);
    editing.replaceChildren(el("summary", "Change it"), form);
  }

  async function changed({ name }) {
    revision = null;
    await refreshCard();
    editing.open = false;
    setText(told, `Changed: ${name}.`);
  }

  async function refresh() {
    if (!due()) return null;
    const [{ answer, error }] = await Promise.all([refreshCard(), requests?.refresh()]);
    if (error) throw error;
    return answer?.spend ?? null;
  }
  return { element, refresh };
}

const LEGEND =
  "The line is what is left, the dotted one an even pace; the fan is where eight of ten such periods end, " +
  "its middle the forecast.";

async function ask(id) {
  const [budget, answer, { budgets: all }] = await Promise.all([
    get(`/v1/budgets/${id}`),
    seesAll() ? get(`/v1/budgets/${id}/forecast`) : { forecast: null, accuracy: null },
    get("/v1/budgets"),
  ]);
  const [start, end] = [
    Date.parse(budget.period_start),
    Math.min(Date.parse(budget.period_end), Date.now() + 60_000),
  ];
  const known = budget.spent !== null && !BEYOND_SPEND.some((name) => name in budget.filter) && end > start;
  if (!known) return { budget, all, answer, spend: null, parameters: {} };
  const span = [start, end];
  const filters = filterParameters(scopeFilters(budget.filter));
  const parameters = { ...spanParameters(span), ...filters, usage: false, bucket: bucketOf(span) };
  return { budget, all, answer, spend: await get("/v1/spend", { ...parameters, limit: 5000 }), parameters };
}

// What was left at the end of each bucket that has begun: [{at, left, spent, label}], amounts as BigInt.
function pointsOf({ amount, currency, period_start: start, period_end: end }, spend) {
  let left = parseDecimal(amount);
  const points = [{ at: Date.parse(start), amount: left, spent: 0n, label: "at its start" }];
  for (const row of spend.series.filter((each) => each.currency === currency)) {
    const bucket = { start: Date.parse(row.bucket_start), end: Date.parse(row.bucket_end) };
    const spent = parseDecimal(row.effective);
    left -= spent;
    const at = Math.min(bucket.end, Date.now(), Date.parse(end));
    points.push({ at, amount: left, spent, label: bucketInWords(bucket, spend.tz) });
  }
  return points;
}

function showChart(chart, figures, { budget, points, forecast }) {
  const { currency, period_start: start, period_end: end } = budget;
  const span = [Date.parse(start), Date.parse(end)];
  const whole = parseDecimal(budget.amount);
  const left = (text) => Number(formatDecimal(whole - parseDecimal(text)));
  const last = points.at(-1);
  const ahead = isAhead(forecast, budget) && last.at < span[1];
  const fan = ahead && {
    from: last.at,
    to: span[1],
    p10: left(forecast.p10),
    p50: left(forecast.p50),
    p90: left(forecast.p90),
  };
  const out = ahead && forecast.exhausted_at;
  chart.show({
    points: points.map(({ at, amount }) => ({ at, left: Number(formatDecimal(amount)) })),
    fan: fan || null,
    amount: Number(budget.amount),
    marks: out ? [{ at: Date.parse(out), kind: "incident" }] : [],
    tz: session.tz,
    currency,
    span,
    describe: (index) => [
      el("b", points[index].label),
      el(
        "span",
        { className: "tip-line" },
        el("span", "left"),
        el("span", money(points[index].amount, currency)),
      ),
    ],
  });
  const say = moneyColumn([budget.amount], currency);
  const rows = points.map(({ label, spent, amount }) =>
    el(
      "tr",
      el("th", { scope: "row" }, label),
      el("td", { className: "figure" }, say(spent)),
      el("td", { className: "figure" }, say(amount)),
    ),
  );
  figures.replaceChildren(table([["time"], ["spent", "figure"], ["left", "figure"]], el("tbody", rows)));
}

// A forecast is up to an hour old: one that was passed meanwhile is none any more.
const isAhead = (forecast, { spent }) =>
  forecast?.p50 && parseDecimal(forecast.p50) >= parseDecimal(spent) && parseDecimal(forecast.p10) >= 0n;

function describe(budget) {
  const whose = Object.entries(budget.filter).map(
    ([name, value]) => `${dimensionLabel(name)} ${valueLabel(value)}`,
  );
  const spent = budget.spent === null ? `each ${budget.each}` : `${spentOf(budget)} spent`;
  const until = dayOf(Date.parse(budget.period_end) - 1, session.tz);
  return [
    whose.join(", ") || "everything",
    `${money(budget.amount, budget.currency)} ${forWhat(budget)}`,
    spent,
    `until ${until}`,
  ].join(" · ");
}

function factsOf(budget, { forecast, accuracy }) {
  const { currency, hard, allocated } = budget;
  const share = shareOf(budget);
  return [
    share !== null && ["Spent", percent(share)],
    forecast && ["By its end", describeForecast(forecast, budget)],
    forecast && ["Gone", goneBy(forecast)],
    accuracy && ["Forecasts so far", describeAccuracy(accuracy)],
    hard && ["Reserved", describeHard(hard, currency)],
    allocated && ["Promised below", describeBelow(allocated, currency)],
    ["Told at", `${budget.thresholds_percent.join(" %, ")} %`],
  ].filter(Boolean);
}

function goneBy({ exhausted_at: at, armed }) {
  if (at) return `expected on ${momentToMinute(at, session.tz)}`;
  return armed ? "not in this period, by the middle of the forecast" : "too early to say";
}

const describeHard = ({ held, debt }, currency) =>
  `${money(held, currency)} held by reservations; ${money(debt, currency)} spent that nobody reserved`;

const describeBelow = ({ amount, budgets, overlap }, currency) =>
  `${money(amount, currency)} to ${budgets} budgets${overlap ? ", which overlap" : ""}`;

function describeAccuracy({ coverage, median_error_percent: error, forecasts, periods, why_not: why }) {
  if (why) return why;
  const inside = `${percent(Number(coverage), 0)} of ${forecasts} ended inside the fan (80% is right)`;
  return `${inside}, half within ${error} % of what it came to, in ${periods} periods`;
}

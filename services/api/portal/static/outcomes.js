// What does a solved case cost? The versions of a workflow side by side, each figure with its interval;
// where there is too little to judge by, that is said instead.

import { get, mayGovern } from "./api.js";
import { el } from "./dom.js";
import { count, unitMoney } from "./format.js";
import { field, textInput } from "./forms.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { differencePart } from "./outcome-differences.js";
import { sharedLack, versionsTable } from "./outcome-figures.js";
import { outcomeChart } from "./outcome-chart.js";
import { outcomeForms } from "./outcome-forms.js";
import { dearestRuns } from "./outcome-runs.js";
import { actsPart, settingsWords } from "./outcome-said.js";
import { badge, logInToChange, scrolls, table, trail } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/workflows/comparison";
const ASKED = {
  from: "From this day of UTC on",
  to: "until before",
  team: "Of this team",
  against: "Against the version",
};

export function outcomesPage(query) {
  return query.get("workflow") ? workflowPage(query) : listPage();
}

function listPage() {
  const content = lookup({ ask: () => get("/v1/workflows"), draw: drawList, beats: RARE_BEATS });
  const name = textInput({
    "aria-label": "Another workflow",
    placeholder: "Another workflow",
    required: true,
  });
  const submit = (event) => {
    event.preventDefault();
    location.hash = link("outcomes", { workflow: name.value.trim() });
  };
  const element = el(
    "section",
    { className: "card outcome" },
    el("h1", "What does a solved case cost?"),
    content.element,
    mayGovern() &&
      el("form", { className: "controls", on: { submit } }, name, el("button", "Say what it is")),
    tableTools(() => ({ path: "/v1/workflows" }), { name: "workflows" }),
  );
  return { element, refresh: content.refresh, timeless: true };
}

function drawList({ workflows, pending }) {
  if (!workflows.length) return [el("p", { className: "empty" }, NONE)];
  const rows = workflows.map(({ workflow, versions }) =>
    el(
      "tr",
      el("th", { scope: "row" }, el("a", { href: link("outcomes", { workflow }) }, workflow)),
      el("td", versions.map(versionLine)),
    ),
  );
  const drawn = scrolls("Workflows", table([["Workflow"], ["Versions"]], el("tbody", rows)));
  return pending ? [el("p", { className: "fine" }, PENDING), drawn] : [drawn];
}

const PENDING = "Something changed, and its days are being added up again.";

const NONE = "No workflow did anything in the last 90 days: events name theirs by the label workflow.";

const versionLine = ({ version, kind, runs, first_day: first, last_day: last, ...cost }) =>
  el(
    "span",
    { className: "line" },
    version || "(none)",
    " ",
    kind ? badge(kind, "") : null,
    el(
      "small",
      first
        ? ` ${count(runs)} ${runs === 1 ? "run" : "runs"} ${daysOf(first, last)}`
        : " no runs: as it was entered",
    ),
    el("small", ` · ${costOf(cost)}`),
  );

function costOf({ cost_per_accepted: cost, currency, lower_bound: lower, missing }) {
  if (cost === null) return missing.join("; ");
  return `an accepted outcome costs ${lower ? "at least " : ""}${unitMoney(cost, currency)}`;
}

const daysOf = (first, last) => (first === last ? `on ${first}` : `from ${first} to ${last}`);

function workflowPage(query) {
  const workflow = query.get("workflow");
  const stated = Object.keys(ASKED).map((name) => [name, query.get(name) || undefined]);
  const parameters = { workflow, ...Object.fromEntries(stated) };
  const acts = actsPart(workflow);
  const chart = outcomeChart(workflow);
  const forms = mayGovern() ? outcomeForms(workflow, said) : null;
  const content = lookup({
    ask: () => get(PATH, parameters),
    draw: (answer) => {
      forms?.offer(answer);
      chart.of(answer);
      return drawComparison(answer);
    },
    keyOf,
    beats: RARE_BEATS,
  });

  // Once somebody has said something, figures and acts are others.
  async function said() {
    content.show(await get(PATH, parameters));
    await acts.read();
  }

  const card = el(
    "section",
    { className: "card outcome" },
    trail(el("a", { href: link("outcomes") }, "Outcomes"), workflow),
    el("h1", workflow),
    questionForm(query),
    content.element,
    tableTools(() => ({ path: PATH, parameters }), { name: "workflow" }),
  );
  const saying = el(
    "section",
    { className: "card outcome" },
    el("h2", "What you say of it"),
    forms?.element ?? el("p", { className: "fine" }, logInToChange("To say something")),
    acts.element,
  );
  const element = el("div", { className: "stacked" }, card, chart.card, saying);

  async function refresh() {
    await content.refresh();
    await chart.refresh();
    return null;
  }
  return { element, refresh, timeless: true };
}

// How complete it is moves on by itself; that alone is no reason to draw anew.
const keyOf = ({ complete_through, in_flight, in_flight_age_s, ...rest }) =>
  JSON.stringify([rest, complete_through === null && in_flight === null && in_flight_age_s === null]);

function questionForm(query) {
  const inputs = Object.keys(ASKED).map((name) =>
    textInput({
      name,
      value: query.get(name) ?? "",
      type: ["from", "to"].includes(name) ? "date" : "text",
    }),
  );
  const submit = (event) => {
    event.preventDefault();
    const asked = Object.fromEntries(inputs.map(({ name, value }) => [name, value.trim()]));
    location.hash = link("outcomes", { workflow: query.get("workflow"), ...asked });
  };
  return el(
    "details",
    { open: Object.keys(ASKED).some((name) => query.get(name)) },
    el("summary", "Other days, one team, another version to hold them against"),
    el(
      "form",
      { className: "fields", "aria-label": "What is compared", on: { submit } },
      inputs.map((input) => field(ASKED[input.name], input)),
      el("button", "Compare"),
    ),
  );
}

function drawComparison(answer) {
  const { versions, first_day: first, until, mature_until: mature, team, pending } = answer;
  const of = team === null ? "" : ` of ${team}`;
  const days = `Runs${of} of ${first} until before ${until}, days of UTC`;
  const lack = sharedLack(versions);
  return [
    pending && el("p", { className: "soft" }, PENDING),
    el("p", { className: "soft" }, `${days}; those of ${mature} and later are too young to be judged.`),
    ...settingsWords(answer),
    lack.length > 0 &&
      el("p", { className: "fine" }, `What is not known below lacks, as a rule: ${lack.join("; ")}.`),
    versions.length
      ? scrolls("Versions side by side", versionsTable(answer, lack))
      : el("p", { className: "empty" }, "No version has anything to show."),
    el("p", { className: "fine" }, INTERVALS),
    ...answer.differences.map((difference) => differencePart(difference)),
    ...dearestRuns(versions),
  ].filter(Boolean);
}

const INTERVALS =
  "In brackets: the interval of 95 %, of days that were drawn again. What was entered by hand has none: " +
  "nobody knows how sure it is.";

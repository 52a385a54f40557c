// One rule: how good it is, the form that changes it, what a dry run found, and who changed it.

import { get, mayGovern, session } from "./api.js";
import { card } from "./cards.js";
import { el, part, setText } from "./dom.js";
import { count, momentOf, money, percent } from "./format.js";
import { logInToChange, table, trail } from "./pieces.js";
import { SLOW_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { ruleForm, written } from "./rule-form.js";

const QUALITY = [["Days"], ["Told"], ["A day", "wide"], ["Acknowledged"], ["Expected", "wide"]];
const MORE_QUALITY = [["False alarms"], ["Repeats", "wide"], ["Worth it"], ["Money", "wide"]];

export function rulePage(query) {
  const id = query.get("id") ?? "";
  const path = `/v1/rules/${encodeURIComponent(id)}`;
  const heading = el("div", el("h1", { "data-part": "name" }), el("p", { "data-part": "means" }));
  const records = el("tbody");
  const proposal = el("p", { "data-part": "proposal" });
  const columns = [...QUALITY, ...MORE_QUALITY];
  const ofRecords = table(columns, records, { className: "whole-words" });
  const quality = card("How good it is", "quality", ofRecords, proposal);
  const form = el("div");
  const settings = card("Settings", "settings", form);
  const found = el("div");
  const trials = card("Dry run", "trials", found);
  const acts = el("ul", { className: "rows" });
  const history = card("History", "history", acts);
  const due = everyNth(SLOW_BEATS);
  let revision = null;

  const ask = async () => {
    const [rule, good, past, tried] = await Promise.all(
      ["", "/quality", "/history", "/dry-runs"].map((rest) => get(path + rest)),
    );
    return { rule, good, past, tried };
  };

  function show({ rule, good, past, tried }) {
    setText(part(heading, "name"), rule.name);
    setText(part(heading, "means"), rule.means);
    records.replaceChildren(...good.records.map(recordRow));
    setText(proposal, good.proposal ? proposalWords(good.proposal) : "");
    // What somebody types is left alone.
    if (revision !== rule.revision) form.replaceChildren(...formOf(rule));
    revision = rule.revision;
    found.replaceChildren(...trialOf(tried.dry_runs[0]));
    acts.replaceChildren(...past.acts.map(actItem));
    setText(part(history, "fine"), past.acts.length ? session.tz : "It is as everybody has it.");
  }

  const refresh = cardRefresher([quality, settings, trials, history], { ask, show });
  const formOf = (rule) =>
    mayGovern()
      ? [ruleForm(rule, { changed: refresh, tried: refresh })]
      : [settingsAsTheyAre(rule), el("p", { className: "fine" }, logInToChange("To change it"))];

  const place = trail(el("a", { href: "#/rules" }, "Rules"), id);
  const element = el("div", place, heading, quality, settings, trials, history);
  return {
    element,
    refresh: async () => (due() ? (await refresh()).answer && null : null),
    timeless: true,
  };
}

// For who may read alone: on or off, and what its form would hold.
function settingsAsTheyAre({ enabled, severity, filter, settings }) {
  const scope = Object.entries(filter).map(([name, value]) => `${name} ${value}`);
  return el(
    "ul",
    { className: "rows" },
    el("li", [enabled ? "on" : "off", severity, ...(scope.length ? scope : ["everything"])].join(" · ")),
    Object.entries(settings).map(([name, { value, means }]) =>
      el("li", `${name}: ${written(value)}`, el("small", { className: "line" }, means)),
    ),
  );
}

function recordRow(record) {
  const amounts = Object.entries(record.money).map(([currency, amount]) => money(amount, currency));
  return el(
    "tr",
    [record.days, record.incidents, record.per_day, acknowledged(record), record.expected].map(
      (each, place) => el("td", { className: QUALITY[place][1] }, String(each)),
    ),
    el("td", String(record.false_alarm)),
    el("td", { className: "wide" }, String(record.repeats)),
    el("td", record.precision === null ? "too few to say" : percent(Number(record.precision), 0)),
    el("td", { className: "wide" }, amounts.join(", ")),
  );
}

function acknowledged({ acknowledged: number, acknowledged_after_s: seconds }) {
  return seconds === null ? number : `${number}, after ${Math.max(1, Math.round(seconds / 60))} min`;
}

const proposalWords = ({ setting, now, value, noise, spares, keeps }) =>
  `It is wrong more often than right: ${setting} of ${value} (now ${now}) would spare ` +
  `${spares} of ${noise}; ${keeps} that were worth it cost more. Try it first.`;

function trialOf(run) {
  if (!run) return [el("p", { className: "fine" }, "It was not tried yet.")];
  const asked = `Asked ${momentOf(run.asked_at, session.tz)}: ${settingsOf(run.settings)}.`;
  if (run.state === "failed") return [el("p", asked), el("p", { className: "bad" }, run.error)];
  if (!run.result) return [el("p", asked), el("p", `Under way: ${percent(Number(run.progress), 0)}.`)];
  const { incidents, per_day: perDay, caught, currency, fired, notes } = run.result;
  const words = `${count(incidents)} incidents, ${perDay} a day, ${money(caught, currency)} in them.`;
  const rows = fired.map(({ scope, at, amount }) =>
    el(
      "tr",
      el("td", { className: "nowrap" }, momentOf(at, session.tz)),
      el(
        "td",
        Object.entries(scope)
          .map(([name, value]) => `${name} ${value}`)
          .join(", ") || "everything",
      ),
      el("td", money(amount, currency)),
    ),
  );
  return [
    el("p", asked),
    el("p", { "data-part": "result" }, words),
    rows.length ? table([["When"], ["What"], ["Money"]], el("tbody", rows)) : "",
    el("p", { className: "fine" }, `${notes.join("; ")}.`),
  ];
}

const settingsOf = (settings) =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${written(value)}`)
    .join(", ") || "as everybody has it";

const actItem = ({ at, by, reason, enabled, removed, settings }) =>
  el(
    "li",
    `${removed ? "removed" : enabled ? "on" : "off"}, ${settingsOf(settings)}`,
    el("small", { className: "line" }, `${momentOf(at, session.tz)} by ${by}: ${reason}`),
  );

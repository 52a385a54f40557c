// What people say of a workflow: what holds now, and who said what, when and why.

import { get } from "./api.js";
import { el } from "./dom.js";
import { money } from "./format.js";
import { zonedMoment } from "./pieces.js";

export function settingsWords({ settings, outcome, outcome_names: names }) {
  const {
    survival_days: days,
    silence_accepts: silence,
    value_per_accepted: worth,
    assigned_by_hash: hash,
  } = settings;
  const counts =
    outcome === null
      ? `Outcomes are named ${names.join(", ")}: say which of them count; before, no figure is.`
      : `Outcomes named ${outcome || "(none)"} count, as they stand ${days} days after their run.`;
  const said = [
    silence
      ? "What nobody refused or reversed by then counts as accepted"
      : "Only what somebody accepted counts as accepted",
    worth ? `one is worth ${money(worth.amount, worth.currency)} where its event does not say` : "",
    hash ? "cases went to a version by a hash" : "",
  ].filter(Boolean);
  const who = settings.at ? ` Said by ${settings.by}, ${zonedMoment(settings.at)}: ${settings.reason}` : "";
  return [
    el("p", outcome === null ? { className: "bad" } : {}, counts),
    el("p", { className: "fine" }, `${said.join("; ")}.${who}`),
  ];
}

export function actsPart(workflow) {
  const list = el("ul");
  const trouble = el("p", { className: "bad", role: "alert" });

  async function read() {
    if (!element.open) return;
    try {
      const { acts } = await get("/v1/workflows/acts", { workflow });
      list.replaceChildren(...(acts.length ? acts.map(actItem) : [el("li", "Nobody has said anything.")]));
      trouble.replaceChildren();
    } catch (error) {
      if (!error.status) throw error;
      trouble.replaceChildren(`${error.message}.`);
    }
  }

  const element = el(
    "details",
    { on: { toggle: read } },
    el("summary", "Who said what, when and why"),
    list,
    trouble,
  );
  return { element, read };
}

const actItem = ({ version, version_settings: settings, removed, reason, by, at }) =>
  el(
    "li",
    version === null ? "the workflow" : `version ${version || "(none)"}`,
    removed ? " taken back" : settings ? ` is ${settings.kind}` : "",
    el("small", { className: "line" }, `${zonedMoment(at)} by ${by}: ${reason}`),
  );

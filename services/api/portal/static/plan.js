// The plan by which shared cost is handed on: every version of it, and the form that tries another one on a
// month before it is set.

import { get, mayGovern } from "./api.js";
import { allocationChoices } from "./allocation-choices.js";
import { el } from "./dom.js";
import { lookup } from "./lookup.js";
import { badge, logInToChange, scrolls, table, zonedMoment } from "./pieces.js";
import { planForm } from "./plan-form.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

export function planPage(query) {
  const choices = allocationChoices("plan", query, { monthly: false });
  const { dimension } = choices.chosen;
  const path = `/v1/allocation-plans/${encodeURIComponent(dimension)}`;
  const form = mayGovern() ? planForm(path, (plan) => content.show(plan)) : null;
  const content = lookup({
    ask: () => get(path),
    draw: (plan) => {
      form?.offer(plan);
      return drawVersions(plan);
    },
    beats: RARE_BEATS,
  });
  const element = el(
    "div",
    { className: "stacked" },
    el(
      "section",
      { className: "card plan", "aria-label": "The plan" },
      el("h1", "How shared cost is handed on"),
      choices.element,
      content.element,
      tableTools(() => ({ path }), { name: "plan" }),
    ),
    el(
      "section",
      { className: "card" },
      el("h2", "Another version"),
      form?.element ?? el("p", { className: "fine" }, logInToChange("To try one and to set it")),
    ),
  );
  return { element, refresh: content.refresh, timeless: true };
}

function drawVersions({ versions, unseen }) {
  if (!versions.length)
    return [el("p", { className: "empty" }, "No plan was ever set: everybody bears what names them.")];
  const heads = [["Revision"], ["Holds"], ["Pools"], ["Why", "wide"], ["By", "wide"]];
  return [
    ...(unseen.length ? [el("p", { className: "bad" }, `No event ever named ${unseen.join(", ")}.`)] : []),
    scrolls("Versions", table(heads, el("tbody", versions.map(versionRow)))),
  ];
}

const versionRow = ({ revision, first_day: from, until, holds, pools, reason, by, at }) =>
  el(
    "tr",
    el("th", { scope: "row" }, String(revision), " ", holds ? null : badge("replaced", "")),
    el("td", `from ${from}${until ? ` until before ${until}` : ""}`),
    el("td", pools.length ? pools.map(poolLine) : "nothing is shared out"),
    el("td", { className: "wide" }, reason),
    el("td", { className: "wide" }, `${by}, ${zonedMoment(at)}`),
  );

const written = (pairs) =>
  Object.entries(pairs)
    .map(([name, value]) => `${name} = ${value === "" ? "(none)" : value}`)
    .join(", ");

function poolLine({ name, filter, rule, driver, among, weights, pools, of }) {
  const said = [
    driver && `by ${driver.measure}${written(driver.filter) ? ` where ${written(driver.filter)}` : ""}`,
    among.length && `among ${among.join(", ")}`,
    written(weights) && `to ${written(weights)}`,
    written(pools) && `to pools ${written(pools)}`,
    of && `of ${of}`,
  ].filter(Boolean);
  return el(
    "span",
    { className: "line" },
    el("b", name),
    el("small", ` ${written(filter) || "everything"} · ${rule} ${said.join(", ")}`),
  );
}

// Models side by side: what the same calls would cost on each, how long they take and how often they succeed.

import { el } from "./dom.js";
import { moneyColumn, parseDecimal, percent } from "./format.js";
import { link } from "./links.js";
import { scrolls, table } from "./pieces.js";

const AS_IT_IS = "as it is";
const SAYS = { front: "nothing beats it in cost, time and success", dominated: "beaten" };

// Only what is known of all three: a model that nobody used here yet has no place among times.
export function pointOf({ name, where, per_call_low: low, per_call_high: high, quality }) {
  if (low === null || !quality?.p95_ms) return [];
  const kind = name ? (where === "dominated" ? "dominated" : "front") : "now";
  const cost = (Number(low) + Number(high)) / 2;
  return [{ name: name || AS_IT_IS, cost, seconds: Number(quality.p95_ms) / 1000, kind }];
}

// `groups`: [[heading, models]], of one currency; `scored`: whether an error or a second has a price.
export function modelsTable(groups, scored) {
  const models = groups.flatMap(([, each]) => each);
  const { currency } = models[0];
  const amounts = (prefix) =>
    models.flatMap((model) => [model[`${prefix}low`], model[`${prefix}high`]]).filter(Boolean);
  const say = Object.fromEntries(PREFIXES.map((prefix) => [prefix, moneyColumn(amounts(prefix), currency)]));
  const heads = [
    ["Model"],
    ["Whole", "figure"],
    ["Saving", "figure"],
    ["A call", "figure"],
    ["A success", "figure"],
  ];
  heads.push(["p95", "figure"], ["Success", "figure"], ...(scored ? [["Weighed", "figure"]] : []));
  const scores = moneyColumn(
    models.flatMap(({ score }) => [score.low, score.high]).filter(Boolean),
    currency,
  );
  const rowOf = (model) =>
    el(
      "tr",
      el("th", { scope: "row" }, model.name ? modelLink(model.name) : AS_IT_IS, whereOf(model)),
      PREFIXES.map((prefix) => el("td", { className: "figure" }, between(model, prefix, say[prefix]))),
      el("td", { className: "figure" }, seconds(model.quality)),
      el("td", { className: "figure" }, successOf(model.quality)),
      scored && el("td", { className: "figure" }, between(model.score, "", scores)),
    );
  const bodies = groups.map(([heading, each]) =>
    el(
      "tbody",
      heading &&
        el("tr", { className: "group" }, el("th", { scope: "rowgroup", colSpan: heads.length }, heading)),
      each.map(rowOf),
    ),
  );
  return scrolls("Models", table(heads, bodies));
}

const PREFIXES = ["", "saving_", "per_call_", "per_success_"]; // of what is stated at least and at most

const modelLink = (name) => {
  const [provider, ...sku] = name.split("/");
  return el("a", { href: link("model", { provider, sku: sku.join("/") }) }, name);
};

// At least and at most; one figure where they are equal.
function between(row, prefix, say) {
  const [low, high] = [row[`${prefix}low`], row[`${prefix}high`]];
  if (low === null || low === undefined) return "—";
  return parseDecimal(low) === parseDecimal(high) ? say(low) : `${say(low)} to ${say(high)}`;
}

const successOf = (quality) => (quality?.success ? percent(Number(quality.success)) : "—");
const seconds = (quality) => (quality?.p95_ms ? `${(Number(quality.p95_ms) / 1000).toFixed(1)} s` : "—");

function whereOf({ name, where, missing, dominated_by: by }) {
  if (!name || where === "unknown") return missing.length ? said(missing.join("; ")) : null;
  return said(
    by.length ? `beaten by ${by[0]}${by.length > 1 ? ` and ${by.length - 1} more` : ""}` : SAYS[where],
  );
}

const said = (words) => el("small", { className: "line" }, words);

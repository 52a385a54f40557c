// What happened in a time, to be marked on its axis: incidents that began, and prices that changed of what
// was used.

import { get } from "./api.js";
import { iso } from "./format.js";
import { filterParameters, link } from "./links.js";
import { DAY_MS, spanParameters } from "./ranges.js";

const INCIDENTS = 50;
const SHOWN = 6;
const MODELS = 100;
const SHORT_MS = 2 * 3_600_000; // within so little, the catalog is not looked at

// [{at, kind, text, href}] in ms, the oldest first.
export async function readMarks(span, filters) {
  const [incidents, prices] = await Promise.all([
    incidentsWithin(span, filters),
    span[1] - span[0] > SHORT_MS ? pricesWithin(span, filters) : [],
  ]);
  return [...incidents, ...prices].sort((a, b) => a.at - b.at).slice(-SHOWN);
}

// Those whose scope does not lie beside what is shown.
async function incidentsWithin([from, to], filters) {
  const { incidents } = await get("/v1/incidents", { limit: INCIDENTS });
  const beside = ({ scope }) =>
    Object.entries(scope).some(([name, value]) => filters[name] && !filters[name].includes(value));
  return incidents
    .filter((each) => each.told && !beside(each))
    .map(({ id, title, rule_name: rule, began_at: began }) => ({
      at: Date.parse(began),
      kind: "incident",
      text: title || rule,
      href: link("incident", { id }),
    }))
    .filter(({ at }) => at >= from && at < to);
}

// A model is marked once a day, however many of its prices changed.
async function pricesWithin([from, to], filters) {
  const [spend, report] = await Promise.all([
    get("/v1/spend", {
      ...spanParameters([from, to]),
      ...filterParameters(filters),
      usage: false,
      group_by: "provider,sku",
      top: MODELS,
    }),
    get("/v1/catalog/changes", { from: iso(from) }),
  ]);
  const used = new Set(spend.totals.map(({ provider, sku }) => `${provider}/${sku}`));
  const marks = new Map();
  for (const { provider, sku, after, change } of report.changes) {
    const model = `${provider}/${sku}`;
    const at = Date.parse(after?.when?.effective_from ?? "");
    if (!used.has(model) || !(at >= from && at < to)) continue;
    const key = `${model} ${Math.floor(at / DAY_MS)}`;
    const words = change === "new" ? "has a price" : "price changes";
    if (!marks.has(key))
      marks.set(key, {
        at,
        kind: "price",
        text: `${model} ${words}`,
        href: link("model", { provider, sku }),
      });
  }
  return [...marks.values()];
}

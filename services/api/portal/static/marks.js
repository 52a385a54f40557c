// What happened in a time, to be marked on its axis: incidents that began, and prices that changed of what
// was used.

import { get, seesAll, session } from "./api.js";
import { filterParameters, link } from "./links.js";
import { DAY_MS, spanParameters } from "./ranges.js";

const INCIDENTS = 50;
const SHOWN = 6;
const MODELS = 5;
const KEPT_MS = 10 * 60_000;
const SHORT_MS = 2 * 3_600_000; // within so little, prices are not looked at

// [{at, kind, text, href}] in ms, the oldest first.
export async function readMarks(span, filters) {
  if (!seesAll()) return []; // each of them is of all teams
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

// Of the models that cost most, a mark for each day on which a price of theirs begins.
async function pricesWithin([from, to], filters) {
  const spend = await get("/v1/spend", {
    ...spanParameters([from, to]),
    ...filterParameters(filters),
    usage: false,
    group_by: "provider,sku",
    top: MODELS,
  });
  const named = spend.totals.filter(({ others, sku }) => !others && sku);
  const marks = new Map();
  for (const { provider, sku, begins } of await Promise.all(named.map(readBegins))) {
    for (const at of begins.filter((each) => each >= from && each < to)) {
      const text = `${provider}/${sku} has another price`;
      marks.set(`${text} ${Math.floor(at / DAY_MS)}`, {
        at,
        kind: "price",
        text,
        href: link("model", { provider, sku }),
      });
    }
  }
  return [...marks.values()];
}

const known = new Map();

// When prices of a model begin that were not there from the first: read again after some minutes.
async function readBegins({ provider, sku }) {
  const key = `${session.tenant} ${provider}/${sku}`;
  const kept = known.get(key);
  if (kept && Date.now() - kept.read < KEPT_MS) return kept;
  const { prices } = await get("/v1/catalog/model", { provider, sku }).catch((error) => {
    if (error.status === 404) return { prices: [] }; // used, and in no catalog: the inbox says so
    throw error;
  });
  const dates = prices.map(({ entry }) => entry.when?.effective_from).filter(Boolean);
  known.set(key, { provider, sku, begins: dates.map((at) => Date.parse(at)), read: Date.now() });
  return known.get(key);
}

// What happened in a time, to be marked on its axis: incidents that began, prices that changed of what was
// used, and versions of workflows that came.

import { get, seesAll, session } from "./api.js";
import { filterParameters, link } from "./links.js";
import { dayIn } from "./months.js";
import { DAY_MS, spanParameters } from "./ranges.js";

const INCIDENTS = 50;
const SHOWN = 4; // of a kind, the newest
const MODELS = 5;
const KEPT_MS = 10 * 60_000;
const SHORT_MS = 2 * 3_600_000; // within so little, prices and releases are not looked at
const RELEASES_DAYS = 100; // of no more are they told
const NAMED = 2;

export const KINDS = {
  incident: "an incident began",
  price: "a price began",
  release: "a version of a workflow came",
};

// [{at, kind, text, href, wholeDay}] in ms, the oldest first; `wholeDay`: at what time of it is not known.
export async function readMarks(span, filters) {
  if (!seesAll()) return []; // each of them is of all teams
  const long = span[1] - span[0] > SHORT_MS;
  const found = await Promise.all([
    incidentsWithin(span, filters),
    long ? pricesWithin(span, filters) : [],
    long ? releasesWithin(span, filters) : [],
  ]);
  const oldestFirst = (marks) => marks.toSorted((a, b) => a.at - b.at);
  return oldestFirst(found.flatMap((marks) => oldestFirst(marks).slice(-SHOWN)));
}

// Those that are not before `from`: as if they had been read from there.
export function marksFrom(from, marks) {
  const dayEnd = (at) => (Math.floor(at / DAY_MS) + 1) * DAY_MS;
  return marks
    .filter(({ at, wholeDay }) => (wholeDay ? dayEnd(at) > from : at >= from))
    .map((mark) => ({ ...mark, at: Math.max(mark.at, from) }));
}

// Those whose scope does not lie beside what is shown.
async function incidentsWithin([from, to], filters) {
  const { incidents } = await get("/v1/incidents", { limit: INCIDENTS });
  const beside = ({ scope }) =>
    Object.entries(scope).some(([name, value]) => filters[name] && !filters[name].includes(value));
  return incidents
    .filter((each) => each.told && !beside(each))
    .map(({ id, title, rule_name: rule, kind, began_at: began, opened_at: opened }) => ({
      // A budget's began with its period: what happened is that it was passed.
      at: Date.parse(kind === "budget" ? opened : began),
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

// One mark a day: where a book begins, everything in it is new.
async function releasesWithin([from, to], filters) {
  const first = Math.max(from, to - (RELEASES_DAYS - 1) * DAY_MS);
  const asked = { from: dayIn(first, "UTC"), to: dayIn(to - 1 + DAY_MS, "UTC"), top: 1 };
  const { releases } = await get("/v1/unit-economics", { ...asked, ...filterParameters(filters) });
  const days = [...new Set(releases.map(({ day }) => day))];
  return days.map((day) =>
    releaseMark(
      day,
      from,
      releases.filter((each) => each.day === day),
    ),
  );
}

function releaseMark(day, from, versions) {
  return {
    at: Math.max(Date.parse(day), from),
    kind: "release",
    text: releasesInWords(versions),
    href: link("outcomes", versions.length === 1 ? { workflow: versions[0].workflow } : {}),
    wholeDay: true,
  };
}

function releasesInWords(versions) {
  const named = versions.slice(0, NAMED).map(({ workflow, version }) => `${workflow} ${version}`);
  const more = versions.length - named.length;
  return `${named.join(", ")}${more ? ` and ${more} more` : ""} came`;
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

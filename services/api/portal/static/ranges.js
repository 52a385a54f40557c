// The one range of a page, and what it is held against: both in the address, of the whole page.

import { whenAsked } from "./api.js";
import { daysBefore, iso, momentToMinute, monthBefore, wholeMinute } from "./format.js";

export const RANGES = {
  "1h": "Last hour",
  today: "Today",
  "24h": "24 hours",
  "7d": "7 days",
  "30d": "30 days",
  month: "This month",
};
export const USUAL_RANGE = "7d";
export const COMPARISONS = {
  previous: "the period before",
  month: "the same days last month",
  none: "nothing",
};
const DAYS = { today: 1, "24h": 1, "7d": 7, "30d": 30 };
const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

const nameOf = (query) =>
  Object.hasOwn(RANGES, query.get("range") ?? "") ? query.get("range") : USUAL_RANGE;
export const comparisonOf = (query) =>
  Object.hasOwn(COMPARISONS, query.get("compare") ?? "") ? query.get("compare") : "previous";

// [from, to) in ms of an address's range, as of now or of when it is told as it stood.
export function spanOf(query, tz, now = whenAsked()) {
  if (query.get("from") && query.get("to"))
    return [Date.parse(query.get("from")), Date.parse(query.get("to"))];
  const end = wholeMinute(now) + 60_000;
  const name = nameOf(query);
  if (name === "1h") return [end - HOUR_MS, end];
  if (name === "24h") return [end - DAY_MS, end];
  if (name === "month") return [firstOfMonth(now, tz), end];
  return [daysBefore(now, DAYS[name] - 1, tz, true), end];
}

function firstOfMonth(now, tz) {
  const day = Number(new Intl.DateTimeFormat("en", { timeZone: tz, day: "numeric" }).format(now));
  return daysBefore(now, day - 1, tz, true);
}

// What a range is held against, as the same times on the wall; null = nothing, or that month lacks its days.
// What is to come of it is held against nothing, as the API has it: half a week is no less than a whole one.
export function spanBefore(query, tz, [from, to]) {
  const comparison = comparisonOf(query);
  if (comparison === "none") return null;
  const now = wholeMinute(whenAsked()) + 60_000;
  const until = from < now ? Math.min(to, now) : to;
  const name = query.get("from") ? "" : nameOf(query);
  if (comparison === "month" || name === "month") {
    const before = [from, until].map((at) => monthBefore(at, tz));
    return before[0] < before[1] ? before : null;
  }
  if (name === "1h") return [from - HOUR_MS, from];
  const days = DAYS[name] ?? daysOf(from, until, tz);
  return days ? [from, until].map((at) => daysBefore(at, days, tz)) : [2 * from - until, from];
}

// How many days a span is of, begun ones too, where it begins with one; 0 = it is of other times.
function daysOf(from, to, tz) {
  const midnight = (at) => daysBefore(at, 0, tz, true);
  const days = Math.round((to - from) / DAY_MS);
  if (midnight(from) === from) return Math.round((midnight(to - 1) - from) / DAY_MS) + 1;
  return days > 0 && Math.abs(to - from - days * DAY_MS) <= 2 * HOUR_MS ? days : 0;
}

// What is wrong with the range of an address that somebody wrote; "" = nothing.
export function rangeProblem(query) {
  if (!query.get("from") && !query.get("to")) return "";
  const wrong = ["from", "to"].find((name) => Number.isNaN(Date.parse(query.get(name) ?? "")));
  if (wrong) return `${wrong} must be an instant, as 2026-11-25T10:00:00Z`;
  return Date.parse(query.get("from")) < Date.parse(query.get("to")) ? "" : "from must be before to";
}

export const rangeName = (query, tz) =>
  query.get("from") ? spanInWords(spanOf(query, tz), tz) : RANGES[nameOf(query)];

export const spanInWords = ([from, to], tz) => `${momentToMinute(from, tz)} – ${momentToMinute(to, tz)}`;

// What every address of a page with a range hands on.
export function rangeOf(query) {
  const kept = { compare: query.get("compare") ?? undefined, as_of: query.get("as_of") ?? undefined };
  return query.get("from")
    ? { from: query.get("from"), to: query.get("to"), ...kept }
    : { range: query.get("range") ?? undefined, ...kept };
}

export const spanParameters = ([from, to]) => ({ from: iso(from), to: iso(to) });

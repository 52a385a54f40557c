// Months as people choose them, as 2026-11: of a zone, the newest first.

import { whenAsked } from "./api.js";
import { el } from "./dom.js";

const SHOWN = 14;

export function dayIn(at, tz) {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: tz,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  const part = (type) => format.formatToParts(at).find((each) => each.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")}`;
}

export const monthIn = (at, tz) => dayIn(at, tz).slice(0, 7);

export function monthsOn(month, by) {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7);
}

export const firstDay = (month) => `${month}-01`;

export const monthName = (month) =>
  new Intl.DateTimeFormat("en", { timeZone: "UTC", month: "long", year: "numeric" }).format(
    Date.parse(`${month}-01T00:00:00Z`),
  );

// What an address says, where it is a month; else the one that runs, or ran then.
export const monthOf = (query, tz) =>
  /^\d{4}-(0[1-9]|1[0-2])$/.test(query.get("month") ?? "") ? query.get("month") : monthIn(whenAsked(), tz);

// `chosen` has its place among them also where it is older.
export function monthChoice({ tz, chosen, change = () => {}, last = monthIn(Date.now(), tz) }) {
  const months = Array.from({ length: SHOWN }, (_, back) => monthsOn(last, -back));
  if (chosen && !months.includes(chosen)) months.push(chosen);
  return el(
    "select",
    { "aria-label": "Month", on: { change: ({ target }) => change(target.value) } },
    months.map((month) => el("option", { value: month, selected: month === chosen }, monthName(month))),
  );
}

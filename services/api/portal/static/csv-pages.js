// A table of the API as a file: all of its pages, one after the other.

import { Refused } from "./api.js";

const PAGES_MAX = 100;
const NEXT = /<([^>]+)>; *rel="?next"?/;
export const PARQUET = "application/vnd.apache.parquet";

// Resolves to {file, cut}: `cut`: there is more than was read.
export async function readCsv(address, headers) {
  const pages = [];
  let next = address;
  while (next && pages.length < PAGES_MAX) {
    const response = await answered(next, headers);
    pages.push(await response.text());
    next = nextOf(response);
  }
  return { file: new Blob([joined(pages)], { type: "text/csv" }), cut: Boolean(next) };
}

// One answer as it is: files of Parquet are not put together here.
export async function readOne(address, headers) {
  const response = await answered(address, headers);
  return { file: await response.blob(), cut: Boolean(nextOf(response)) };
}

// Raises Refused, and TypeError where the server is not reached.
export async function answered(address, headers) {
  const response = await fetch(address, { headers, credentials: "same-origin" });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response;
}

const nextOf = (response) => NEXT.exec(response.headers.get("Link") ?? "")?.[1] ?? null;

// A page has the columns that its rows have: those of all pages, each where it first stood.
export function joined(pages) {
  if (pages.length === 1) return pages[0];
  const tables = pages.map(recordsOf);
  const columns = [...new Set(tables.flatMap(([head]) => head))];
  const rows = tables.flatMap(([head, ...records]) => {
    const places = columns.map((name) => head.indexOf(name));
    return records.map((record) => places.map((place) => record[place] ?? ""));
  });
  return [columns, ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}

const FIELD = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/gy;

// RFC 4180, each field as it is written: quotes stay.
function recordsOf(text) {
  const records = [];
  let record = [];
  for (const [, field, end] of text.matchAll(FIELD)) {
    if (!end && !field && !record.length) break;
    record.push(field);
    if (end === ",") continue;
    records.push(record);
    record = [];
    if (!end) break;
  }
  return records;
}

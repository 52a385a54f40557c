// Every change of what people set: by whom, of what, and what it was and became.

import { mayChange, session } from "./api.js";
import { el } from "./dom.js";
import { momentOf } from "./format.js";
import { listPage } from "./paging.js";
import { logInToChange } from "./pieces.js";

const COLUMNS = [["When"], ["What"], ["Was and became"], ["By", "wide"]];
const LETTERS = 120;
const PATH = "/v1/audit";

export function auditPage() {
  if (!mayChange()) return readersPage();
  const list = listPage({
    heading: el("h1", "Changes of settings"),
    words: null,
    columns: COLUMNS,
    question: () => ({ path: PATH, parameters: {} }),
    rowsOf: ({ changes }) => changes.map(changeRow),
    none: "Nothing was changed so far.",
  });
  return { element: list.element, refresh: list.refresh, timeless: true };
}

function readersPage() {
  const words = el("p", { className: "fine" }, logInToChange("To see who changed what"));
  const element = el("section", { className: "card" }, el("h1", "Changes of settings"), words);
  return { element, refresh: async () => null, timeless: true };
}

function changeRow({ at, by, by_name: name, object, object_id: id, act, differences, withheld }) {
  return el(
    "tr",
    el("td", { className: "nowrap" }, momentOf(at, session.tz)),
    el("td", `${object.replaceAll("_", " ")} ${act}`, el("small", ` ${id}`)),
    el(
      "td",
      act === "made"
        ? differences.filter(({ became }) => !EMPTY.includes(written(became))).map(madeLine)
        : differences.map(differenceLine),
      withheld.length ? el("small", ` and ${withheld.join(", ")}`) : null,
    ),
    el("td", { className: "wide" }, name ? `${name} (${by})` : by),
  );
}

// What something began with says more without what it was before, and without what is empty.
const EMPTY = ["nothing", "", "{}", "[]"];
const madeLine = ({ field, became }) => el("span", { className: "line" }, `${field}: ${written(became)}`);

const differenceLine = ({ field, was, became }) =>
  el("span", { className: "line" }, `${field}: ${written(was)} → ${written(became)}`);

function written(value) {
  if (value === null || value === undefined) return "nothing";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LETTERS ? `${text.slice(0, LETTERS)}…` : text;
}

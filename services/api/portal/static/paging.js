// A table that is read page by page. Whoever reads on is left in peace: it is no longer refreshed.

import { get, session } from "./api.js";
import { el, setText } from "./dom.js";
import { table } from "./pieces.js";
import { RARE_BEATS, everyNth, turns } from "./refresh.js";
import { tableTools } from "./tools.js";

const PAGE_ROWS = 50;

// `question()`: {path, parameters, tenant}, asked anew for each first page, whose later pages belong to it.
// `rowsOf(answer)`: its `tr`s. `label`: of the button that reads on. `show(answer, rows)`: what else a first
// page tells, and how many rows it has.
export function pagedTable({ columns, question, rowsOf, label, show }) {
  const body = el("tbody");
  const more = el("button", { hidden: true, on: { click: readOn } }, label);
  const begin = turns();
  let due = everyNth(RARE_BEATS);
  let reading = false;
  let asked = null;
  let cursor = null;

  async function read(from) {
    const overtaken = begin();
    const { path, parameters, tenant } = asked;
    const page = { limit: PAGE_ROWS, cursor: from ?? undefined };
    const answer = await get(path, { ...parameters, ...page }, tenant);
    if (overtaken()) return null;
    cursor = answer.next_cursor;
    more.hidden = !cursor;
    return answer;
  }

  async function readOn() {
    reading = true;
    const answer = await read(cursor);
    if (answer) body.append(...rowsOf(answer));
  }

  async function refresh() {
    if (reading || !due()) return null;
    asked = question();
    const answer = await read(null);
    if (!answer) return null;
    const rows = rowsOf(answer);
    body.replaceChildren(...rows);
    show(answer, rows.length);
    return answer;
  }

  function restart() {
    reading = false;
    due = everyNth(RARE_BEATS);
  }
  return { nodes: [table(columns, body), more], refresh, restart };
}

// A page that is a list, newest first. `none`: what it says when it is empty.
export function listPage({ heading, words, columns, question, rowsOf, none }) {
  const note = el("p", { className: "fine" });

  function show(_, rows) {
    setText(note, rows ? `newest first, times in ${session.tz}` : none);
  }

  const list = pagedTable({ columns, question, rowsOf, label: "Older", show });
  const element = el(
    "section",
    { className: "card list" },
    heading,
    words,
    ...list.nodes,
    note,
    tableTools(question),
  );
  return { element, refresh: list.refresh };
}

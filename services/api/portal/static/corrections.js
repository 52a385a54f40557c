// What was corrected, voided and priced anew, by whom and why, the newest first.

import { get, session } from "./api.js";
import { el } from "./dom.js";
import { momentOf } from "./format.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { listPage } from "./paging.js";
import { badge } from "./pieces.js";
import { SLOW_BEATS } from "./refresh.js";
import { JOB_STATES } from "./rerate.js";
import { tableTools } from "./tools.js";

const JOBS = { path: "/v1/rerates", parameters: { limit: 20 } };
const COLUMNS = [["Asked for"], ["Event"], ["What and why"], ["By", "wide"]];
const STATES = { waiting: "warn", superseded: "warn", refused: "over", unknown: "over" };

export function correctionsPage() {
  const jobs = lookup({
    ask: () => get(JOBS.path, JOBS.parameters),
    draw: ({ rerates }) => [
      el("h2", "Re-rates: booked events priced anew"),
      rerates.length
        ? el("ul", { className: "rows" }, rerates.map(job))
        : el("p", { className: "fine" }, "Nothing was priced anew."),
      tableTools(() => JOBS, { name: "rerates" }),
      el("h2", "Events that somebody amended or voided"),
    ],
    beats: SLOW_BEATS,
  });
  const list = listPage({
    heading: el(
      "div",
      el("h1", "Corrections and re-rates"),
      el(
        "p",
        { className: "soft" },
        "What is booked stays as it is: a correction adds entries that set it right.",
      ),
    ),
    words: el("div", { className: "jobs" }, jobs.element),
    columns: COLUMNS,
    question: () => ({ path: "/v1/corrections", parameters: {} }),
    rowsOf: ({ corrections }) => corrections.map(correction),
    none: "Nobody amended or voided an event.",
  });
  return {
    element: list.element,
    refresh: async () => (await Promise.all([list.refresh(), jobs.refresh()]))[0],
    timeless: true,
  };
}

const job = ({ rerate_id: id, state, summary, reason, author, requested_at: at }) =>
  el(
    "li",
    badge(state, JOB_STATES[state] ?? ""),
    " ",
    el("a", { href: link("rerate", { id }) }, reason),
    ` ${summary}`,
    el("small", { className: "line" }, `${momentOf(at, session.tz)} by ${author}`),
  );

function correction({ kind, state, source, id, reason, why, author, requested_at: at }) {
  return el(
    "tr",
    el("td", { className: "nowrap" }, momentOf(at, session.tz)),
    el("td", el("a", { href: link("event", { source, id }) }, id), el("small", ` ${source}`)),
    el("td", badge(state, STATES[state] ?? ""), ` ${kind}: ${reason}`, why && el("small", ` ${why}`)),
    el("td", { className: "wide" }, author),
  );
}

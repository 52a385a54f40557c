// What changed in the catalog between two days, or two publications.

import { el, setText } from "./dom.js";
import { count } from "./format.js";
import { link } from "./links.js";
import { pagedTable } from "./paging.js";
import { CHANGE_COLUMNS, changeRow, tenantOf, whoseChoice, whoseOf } from "./prices.js";
import { tableTools } from "./tools.js";

const ROWS_AT_ONCE = 10_000; // of a file
const MONTH_MS = 30 * 86_400_000;
const HINT = "a day, an instant or a publication's number; up to nothing = now";

export function changesPage(query) {
  const from = query.get("from") ?? new Date(Date.now() - MONTH_MS).toISOString().slice(0, 10);
  const to = query.get("to") ?? "";
  const since = el("input", { name: "from", value: from, size: 12, placeholder: "" });
  const until = el("input", { name: "to", value: to, size: 12, placeholder: "now" });
  const parameters = { from: instantOf(from), to: to ? instantOf(to) : undefined };
  const words = el("p", { className: "soft" }, "Comparing…");
  const refusal = el("p", { className: "bad", role: "alert" });
  const tenant = tenantOf(query);
  const question = () => ({ path: "/v1/catalog/changes", parameters, tenant });
  const list = pagedTable({
    columns: CHANGE_COLUMNS,
    question,
    rowsOf: ({ changes }) => changes.map((change) => changeRow(change, query)),
    label: "More",
    show,
  });

  function show({ since: first, until: last, changes_total: total }) {
    const order = total > 1 ? ", what begins last first" : "";
    setText(words, `After publication ${first}, up to ${last}: ${changesOf(total)}${order}.`);
    setText(refusal, "");
  }

  async function refresh() {
    try {
      await list.refresh();
    } catch (error) {
      if (error.status !== 422) throw error;
      setText(words, "");
      setText(refusal, `${error.message}.`);
    }
    return null;
  }

  function submit(event) {
    event.preventDefault();
    location.hash = link("changes", { from: since.value, to: until.value, ...whoseOf(query) });
  }

  const element = el(
    "section",
    { className: "card receipt catalog" },
    el("div", { className: "controls" }, el("h1", "Price changes"), whoseChoice("changes", query)),
    el(
      "form",
      { className: "controls", on: { submit } },
      el("label", "after ", since),
      el("label", "up to ", until),
      el("button", "Compare"),
      el("span", { className: "fine" }, HINT),
    ),
    refusal,
    words,
    ...list.nodes,
    tableTools(question, { name: "price-changes", rows: ROWS_AT_ONCE }),
  );
  return { element, refresh, timeless: true };
}

// A day begins at midnight of UTC, as prices do.
const instantOf = (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);

const changesOf = (total) => (total === 1 ? "1 change" : `${total ? count(total) : "no"} changes`);

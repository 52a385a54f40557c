// The book of a month in FOCUS, as a file: whole days of UTC that are over.

import { withParameters } from "./api.js";
import { el, setText } from "./dom.js";
import { money } from "./format.js";
import { actForm, choice, field } from "./forms.js";
import { dayIn, firstDay, monthChoice, monthIn, monthsOn } from "./months.js";
import { zonedMoment } from "./pieces.js";
import { copyButton, curlOf, download, readFile } from "./tools.js";

const PATH = "/v1/exports/focus";
const VERSIONS = { 1.4: "FOCUS 1.4", 1.2: "FOCUS 1.2" };
const FORMS = { csv: "CSV", parquet: "Parquet" };
const UTC = "UTC";

export function exportPage() {
  const newest = monthIn(Date.now(), UTC);
  const today = dayIn(Date.now(), UTC);
  const last = today === firstDay(newest) ? monthsOn(newest, -1) : newest; // no day of it is over yet
  const month = monthChoice({ tz: UTC, chosen: last, last });
  const version = choice(VERSIONS, { chosen: "1.4" });
  const form = choice(FORMS, { chosen: "csv" });
  const totals = el("ul", { className: "rows" });
  const parameters = () => {
    const until = firstDay(monthsOn(month.value, 1));
    const to = until < today ? until : today;
    return { version: version.value, format: form.value, from: firstDay(month.value), to };
  };
  const address = () => withParameters(PATH, parameters());

  async function work() {
    totals.replaceChildren();
    setText(state, "It is being written: of a large book that takes minutes.");
    try {
      const { blob, name, headers } = await readFile(address());
      download(blob, name);
      const sums = JSON.parse(headers.get("X-Export-Totals") ?? "[]");
      const through = headers.get("X-Complete-Through");
      totals.replaceChildren(...(sums.length ? sums.map(totalItem) : [el("li", NO_ROW)]));
      const proven = through && `All that was accepted up to ${zonedMoment(through)} is in it.`;
      return `Written: ${name}. ${proven || UNPROVEN}`;
    } finally {
      setText(state, "");
    }
  }

  const state = el("p", { className: "fine", role: "status" });
  const element = el(
    "section",
    { className: "card export" },
    el("h1", "Export in FOCUS"),
    el(
      "p",
      { className: "soft" },
      "Its rows add up to what was spent on the same days of UTC: of the month that runs, those that are ",
      "over. To bring yours up to date, replace the whole billing period.",
    ),
    actForm({
      name: "Export in FOCUS",
      fields: [field("Month", month), field("Version", version), field("As", form)],
      label: "Download",
      work,
    }),
    state,
    totals,
    el(
      "p",
      { className: "tools" },
      copyButton("Copy as curl", () => curlOf(address())),
    ),
  );
  return { element, refresh: async () => null, timeless: true };
}

const NO_ROW = "It has no row: nothing is booked on these days.";
const UNPROVEN = "Nobody can say yet up to when it is complete.";

const totalItem = ({ currency, list, effective }) =>
  el("li", `${money(effective, currency)} effective, ${money(list, currency)} at list prices (${currency})`);

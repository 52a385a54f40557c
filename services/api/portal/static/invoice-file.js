// A provider's bill goes in: chosen, or dropped where the form stands.

import { call, session, withParameters } from "./api.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { Mistyped, actForm, field, textInput } from "./forms.js";

const WORDS =
  "What the provider's API answered, or a bill in FOCUS or AWS' cost and usage report, as CSV or Parquet: " +
  "drop it here, or choose it. Nothing of it is booked; of each day the newest file counts.";

export const mayImport = () => session.scopes.includes("import");

// `imported()` is called when it is in.
export function invoiceFile({ provider, imported }) {
  const file = el("input", { type: "file", required: true, accept: ".json,.csv,.parquet,.gz,.zip" });
  const account = textInput({ maxLength: 128 });
  const form = actForm({
    name: "Import a bill",
    words: WORDS,
    fields: el("div", { className: "controls" }, field("File", file), field("Account, if several", account)),
    label: "Import",
    work,
  });

  async function work() {
    const [chosen] = file.files;
    if (!chosen) throw new Mistyped("Choose a file first");
    const parameters = { provider, account: account.value.trim(), file: chosen.name.slice(0, 200) };
    const answer = await call("POST", withParameters("/v1/invoices", parameters), chosen);
    await imported();
    const { first_day: first, last_day: last, rows, notes } = answer;
    return [`${first} to ${last} is in: ${count(rows)} ${rows === 1 ? "line" : "lines"}`, ...notes].join(
      " · ",
    );
  }

  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  });
  return form;
}

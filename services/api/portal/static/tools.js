// What every table offers: its question as a command, and its rows as a file. And what copies anything.

import { headersOf, withParameters } from "./api.js";
import { PARQUET, answered, readCsv, readOne } from "./csv-pages.js";
import { el, setText } from "./dom.js";
import { shownCsv } from "./shown-csv.js";

const SAID_MS = 1500;

// `textOf()`: what is copied, as of the click.
export function copyButton(label, textOf) {
  const button = el("button", { className: "quiet", type: "button", on: { click: copy } }, label);

  async function copy() {
    const done = await copied(textOf());
    setText(button, done ? "Copied" : "Cannot be copied here");
    setTimeout(() => setText(button, label), SAID_MS);
  }
  return button;
}

// The clipboard is there for secure pages alone; elsewhere what is selected can be copied.
async function copied(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const field = el("textarea", { value: text, className: "unseen", "aria-hidden": "true" });
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

// `question()`: {path, parameters, tenant} of what a table shows, as it is asked now. A file has all of its
// rows, read `rows` at once. `top`: where each answer is the whole, so many groups by name and all others in
// a row: the next one has the same money again. `shown()`: an element whose tables are written as they stand,
// where an answer is no table; `parquet`: where the API has that, too.
export function tableTools(question, { shown = null, name = "spendmeter", rows, top, parquet = false } = {}) {
  const curl = copyButton("Copy as curl", () => {
    const { path, parameters, tenant } = question();
    return curlOf(withParameters(path, parameters), tenant);
  });
  const csvAsShown = () => ({ file: new Blob([shownCsv(shown())], { type: "text/csv" }), cut: false });
  const csv = () => asked(top ? readOne : readCsv, "text/csv");
  const asParquet = () => asked(readOne, PARQUET);
  const forms = { CSV: shown ? csvAsShown : csv, ...(parquet ? { Parquet: asParquet } : {}) };
  const buttons = Object.entries(forms).map(([form, read]) => {
    const click = () => save(read, `${name}.${form.toLowerCase()}`);
    return el("button", { className: "quiet", type: "button", on: { click } }, form);
  });
  const tools = el("p", { className: "tools" }, buttons, curl);

  function asked(read, accept) {
    const { path, parameters, tenant } = question();
    const most = { ...(rows ? { limit: rows } : {}), ...(top ? { top } : {}) };
    return read(withParameters(path, { ...parameters, ...most }), headersOf(accept, tenant));
  }

  async function save(read, as) {
    for (const each of buttons) each.disabled = true;
    tools.querySelector(".bad")?.remove();
    try {
      const { file, cut } = await read();
      download(file, as);
      if (cut) tell("There is more than this file holds: choose less.");
    } catch (error) {
      tell(`${error.message}.`);
    }
    for (const each of buttons) each.disabled = false;
  }

  const tell = (text) => tools.append(el("span", { className: "bad", role: "alert" }, text));
  return tools;
}

// A file that the API names. One that breaks off is none: then reading it fails. Raises Refused, and
// TypeError.
export async function readFile(address) {
  const response = await answered(address, headersOf("*/*"));
  const { headers } = response;
  const name = /filename="([^"]+)"/.exec(headers.get("Content-Disposition") ?? "")?.[1] ?? "focus";
  return { blob: await response.blob(), name, headers };
}

export function download(blob, name) {
  const href = URL.createObjectURL(blob);
  el("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), SAID_MS);
}

// The key stays out of it: whoever runs it has one of their own.
export function curlOf(address, tenant) {
  const headers = Object.entries({
    Authorization: "Bearer $SPENDMETER_KEY",
    ...headersOf("application/json", tenant),
  });
  const options = headers.map(([header, value]) => `-H "${header}: ${value.replace(/["\\`]/g, "\\$&")}"`);
  return `curl ${options.join(" ")} '${location.origin}${address.replace(/'/g, "%27")}'`;
}

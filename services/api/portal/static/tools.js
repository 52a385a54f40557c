// What every table offers: its question as a command, and its rows as a file. And what copies anything.

import { Refused, headersOf, withParameters } from "./api.js";
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

// `question()`: {path, parameters} of what a table shows, as it is asked now. `shown()`: an element whose
// tables are written as they stand, where the API has no CSV of it.
export function tableTools(question, { shown = null, name = "spendmeter" } = {}) {
  const address = () => withParameters(question().path, question().parameters);
  const curl = copyButton("Copy as curl", () => curlOf(address()));
  const button = el("button", { className: "quiet", type: "button", on: { click: save } }, "CSV");
  const tools = el("p", { className: "tools" }, button, curl);

  async function save() {
    button.disabled = true;
    tools.querySelector(".bad")?.remove();
    try {
      const file = shown ? new Blob([shownCsv(shown())], { type: "text/csv" }) : await readCsv(address());
      download(file, `${name}.csv`);
    } catch (error) {
      tools.append(el("span", { className: "bad", role: "alert" }, `${error.message}.`));
    }
    button.disabled = false;
  }
  return tools;
}

const readCsv = async (address) => (await fetched(address, "text/csv")).blob();

// A file that the API names. One that breaks off is none: then reading it fails. Raises Refused, and TypeError.
export async function readFile(address) {
  const response = await fetched(address, "*/*");
  const { headers } = response;
  const name = /filename="([^"]+)"/.exec(headers.get("Content-Disposition") ?? "")?.[1] ?? "focus";
  return { blob: await response.blob(), name, headers };
}

async function fetched(address, accept) {
  const response = await fetch(address, { headers: headersOf(accept), credentials: "same-origin" });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response;
}

export function download(blob, name) {
  const href = URL.createObjectURL(blob);
  el("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), SAID_MS);
}

// The key stays out of it: whoever runs it has one of their own.
export function curlOf(address) {
  const headers = Object.entries({
    Authorization: "Bearer $SPENDMETER_KEY",
    ...headersOf("application/json"),
  });
  const options = headers.map(([header, value]) => `-H "${header}: ${value.replace(/["\\`]/g, "\\$&")}"`);
  return `curl ${options.join(" ")} '${location.origin}${address.replace(/'/g, "%27")}'`;
}

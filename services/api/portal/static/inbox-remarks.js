// What was priced without regard to how it was served: one row a provider, kind of remark and value.

import { el, part, setText, updateChildren } from "./dom.js";
import { ago, eventsOf, money } from "./format.js";

const ROWS_MAX = 200; // as many as the API gives
const WORDS =
  "The vendor charges by how a request is served, and no price says what this way costs: " +
  "the price is one for any. An event with several remarks is under each.";

// `kind`: the one that an address asks for, or null for all.
export function remarkRows(kind) {
  const heading = el("h2", { hidden: true }, "Priced without regard to how it was served");
  const note = el("p", { className: "fine", hidden: true }, WORDS);
  const list = el("ul", { className: "rows remarks" });
  const keyOf = ({ kind: of, provider, value }) => JSON.stringify([of, provider, value]);
  const line = (name) => el("small", { className: "line", "data-part": name });
  const make = () =>
    el(
      "li",
      el("b", { "data-part": "says" }),
      " ",
      el("span", { "data-part": "money" }),
      line("age"),
      line("way"),
    );

  function show(remarks) {
    const shown = kind ? remarks.filter((each) => each.kind === kind) : remarks;
    heading.hidden = note.hidden = !shown.length;
    setText(note, remarks.length === ROWS_MAX ? `${WORDS} These are the ${ROWS_MAX} of most money.` : WORDS);
    updateChildren(list, shown, keyOf, make, updateRow);
  }
  return { nodes: [heading, note, list], show };
}

function updateRow(item, found) {
  const { kind, provider, value, says, events, tenants, since, last_seen: last } = found;
  const sums = found.money.map((each) => `${money(each.effective, each.currency)} ${each.currency}`);
  const words = {
    says: provider ? `${provider}, ${kind === "batch" ? "in a batch" : `${kind} ${value}`}:` : `${says}:`,
    money: `${sums.join(" + ")} of ${eventsOf(events)}`,
    age: `since ${ago(since)}, last ${ago(last)} · of ${tenants.join(", ")}`,
    way: found.kept || found.advice,
  };
  for (const [name, text] of Object.entries(words)) setText(part(item, name), text);
}

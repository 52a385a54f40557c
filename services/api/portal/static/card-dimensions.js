// The tenant's own dimensions: which labels of its senders are kept beside everybody's; declared and retired.

import { call, get, mayChange } from "./api.js";
import { card } from "./cards.js";
import { el, part, setText } from "./dom.js";
import { link } from "./links.js";
import { badge, logInToChange, pressOnce, zonedMoment } from "./pieces.js";
import { cardRefresher } from "./refresh.js";

const PATH = "/v1/dimensions";
const WORDS =
  "Labels of these names are kept from then on, within seconds; what was sent before stays as it was.";

export function dimensionsCard() {
  const rows = el("ul", { className: "rows" });
  const refusal = el("p", { className: "bad", role: "alert" });
  const form = mayChange()
    ? declarationForm(change)
    : el("p", { className: "fine" }, logInToChange("To declare"));
  const dimensions = card("Own dimensions", "dimensions", rows, form, refusal);
  let shown = "";

  // An answer that says the same leaves what was typed beside a row.
  function show({ own }) {
    if (JSON.stringify(own) === shown) return;
    shown = JSON.stringify(own);
    rows.replaceChildren(...own.map((each) => dimensionRow(each, change)));
    setText(part(dimensions, "fine"), own.length ? WORDS : `None yet. ${WORDS}`);
  }

  const refresh = cardRefresher([dimensions], { ask: () => get(PATH), show });

  function change(button, path, body, done = () => {}) {
    refusal.replaceChildren();
    pressOnce(
      [button],
      async () => {
        await call("POST", `${PATH}${path}`, body);
        done();
        await refresh();
        button.disabled = false;
      },
      (error) => refusal.replaceChildren(error.message),
    );
  }

  return { card: dimensions, refresh };
}

function declarationForm(change) {
  const name = el("input", { size: 20, maxLength: 32, "aria-label": "Name", placeholder: "cost_centre" });
  const reason = reasonInput("Why it is declared");
  const button = el("button", "Declare");
  const clear = () => [name, reason].forEach((each) => (each.value = ""));

  function submit(event) {
    event.preventDefault();
    change(button, "", { name: name.value.trim(), reason: reason.value.trim() }, clear);
  }

  return folded(
    "Declare a dimension",
    el("form", { className: "controls", on: { submit } }, name, reason, button),
  );
}

function dimensionRow({ name, active, reason, by, at }, change) {
  return el(
    "li",
    el("a", { href: link("explore", { by: name }) }, el("b", name)),
    " ",
    badge(active ? "kept" : "retired", active ? "" : "warn"),
    el("small", { className: "line" }, `${zonedMoment(at)} by ${by}: ${reason}`),
    mayChange() && changeForm(name, active, change),
  );
}

// A retired one can be declared again: it then goes on.
function changeForm(name, active, change) {
  const verb = active ? "Retire" : "Declare again";
  const reason = reasonInput(`Why: ${verb} ${name}`);
  const button = el("button", verb);
  const path = active ? `/${encodeURIComponent(name)}/retire` : "";

  function submit(event) {
    event.preventDefault();
    change(button, path, { ...(active ? {} : { name }), reason: reason.value.trim() });
  }

  return folded(verb, el("form", { className: "controls", on: { submit } }, reason, button));
}

const folded = (title, form) => el("details", el("summary", title), form);

const reasonInput = (label) =>
  el("input", { size: 30, maxLength: 500, "aria-label": label, placeholder: "Why" });

// The tenant's keys: what each may do and when it was last used; one is made, or revoked for good.

import { call, get, mayChange, session } from "./api.js";
import { assistantKey } from "./assistant-key.js";
import { card } from "./cards.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { ago, momentToMinute } from "./format.js";
import { badge, logInToChange, pressOnce } from "./pieces.js";
import { SLOW_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const STATES = { revoked: "over", expired: "warn" };
const OFFERED = 200;

export function keysPage() {
  if (!mayChange()) return readersPage();
  const rows = el("ul", { className: "rows" });
  const outcome = el("p", { className: "fine", role: "status" });
  const keys = card("Keys", "keys-card", rows, outcome);
  const due = everyNth(SLOW_BEATS);

  function show({ keys: list }) {
    updateChildren(
      rows,
      list,
      ({ key_id: id, state }) => `${id} ${state}`,
      (key) => makeKey(key, revoke),
      (item, key) => setText(part(item, "words"), wordsOf(key)),
    );
    setText(part(keys, "fine"), `newest first, times in ${session.tz}`);
  }

  async function revoke({ key_id: id, name }) {
    await call("DELETE", `/v1/keys/${encodeURIComponent(id)}`);
    setText(outcome, `Revoked: ${name || id}. It stops working everywhere within 10 s.`);
    await refreshCard();
  }

  async function made({ name, key }) {
    setText(outcome, `Made: ${name}. It is ${key}, which is not shown again.`);
    await refreshCard();
  }

  const ask = () => get("/v1/keys", { limit: OFFERED });
  const refreshCard = cardRefresher([keys], { ask, show });
  keys.append(tableTools(() => ({ path: "/v1/keys", parameters: { limit: OFFERED } }), { name: "keys" }));
  const form = el("section", { className: "card" }, el("h2", "Make a key"), keyForm(made));
  const assistant = el(
    "section",
    { className: "card" },
    el("h2", "A key for an assistant"),
    assistantKey(refreshCard),
  );
  const element = el("div", { className: "stacked" }, el("h1", "Keys"), keys, assistant, form);

  async function refresh() {
    if (!due()) return null;
    const { error } = await refreshCard();
    if (error) throw error;
    return null;
  }
  return { element, refresh, timeless: true };
}

function readersPage() {
  const words = el("p", { className: "fine" }, logInToChange("To see keys"));
  const element = el("section", { className: "card" }, el("h1", "Keys"), words);
  return { element, refresh: async () => null, timeless: true };
}

const makeKey = (key, revoke) =>
  el(
    "li",
    { className: "request" },
    badge(key.state, STATES[key.state] ?? ""),
    " ",
    el("b", key.name || "(no name)"),
    ` ${key.key_id}`,
    el("small", { className: "line", "data-part": "words" }),
    key.state === "live" && removal(key, revoke),
  );

function wordsOf({ scopes, created_at: made, expires_at: ends, last_used_at: used, revoked_at: revoked }) {
  return [
    `may ${scopes.join(", ")}`,
    used ? `last used ${ago(used)}` : "never used",
    `made ${momentToMinute(made, session.tz)}`,
    ends && `ends ${momentToMinute(ends, session.tz)}`,
    revoked && `revoked ${momentToMinute(revoked, session.tz)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

// Folded away: whoever revokes a key opens it first, and presses then.
function removal(key, revoke) {
  const refusal = el("span", { className: "bad", role: "alert" });
  const refused = (error) => refusal.replaceChildren(` ${error.message}`);
  const click = () => pressOnce([button], () => revoke(key), refused);
  const button = el("button", { on: { click } }, "Revoke it");
  const words = el(
    "p",
    { className: "fine" },
    "For good: whatever uses it is refused, and so are its sessions.",
  );
  return el("details", el("summary", "Revoke"), words, button, refusal);
}

function keyForm(made) {
  const name = el("input", { required: true, maxLength: 100 });
  const days = el("input", { inputMode: "numeric", placeholder: "for ever" });
  const boxes = ["ingest", "read", "respond", "govern", "correct", "import", "reserve", "admin"].map(
    (scope) => el("input", { type: "checkbox", value: scope, checked: scope === "read" }),
  );
  const button = el("button", { className: "primary" }, "Make it");
  const refusal = el("p", { className: "bad", role: "alert" });

  async function make() {
    const body = {
      name: name.value.trim(),
      scopes: boxes.filter(({ checked }) => checked).map(({ value }) => value),
      expires_days: days.value.trim() ? Number(days.value) : null,
    };
    const key = await call("POST", "/v1/keys", body);
    name.value = days.value = "";
    button.disabled = false;
    await made(key);
  }

  function submit(event) {
    event.preventDefault();
    refusal.replaceChildren();
    pressOnce([button], make, (error) => refusal.replaceChildren(`${error.message}.`));
  }

  return el(
    "form",
    { className: "fields", "aria-label": "Make a key", on: { submit } },
    el("label", el("span", "What it is for"), name),
    el("label", el("span", "Days that it lasts"), days),
    el(
      "fieldset",
      el("legend", "It may"),
      boxes.map((box) => el("label", box, ` ${box.value}`)),
    ),
    button,
    refusal,
  );
}

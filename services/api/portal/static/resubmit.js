// An event in place of one that is not booked, or is retracted: what is known of it, and the form that sends.

import { call, get, session } from "./api.js";
import { el } from "./dom.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { pressOnce, trail } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";

const NOT_KEPT =
  "What was sent is not kept. Put in the event as its sender has it, with what the reason names put right.";
const AS_BOOKED =
  "This is the event as it was booked, but for its user, a pseudonym there. Put right what was wrong.";
const STAMPED = ["user", "folded"]; // labels of which ingest made something else

export function resubmitPage(query) {
  const [source, id, at] = ["source", "id", "at"].map((name) => query.get(name) ?? "");
  const form = resubmitForm({ source, id, at });
  const known = lookup({
    ask: () => get("/v1/events", { source, id }),
    draw: (receipt) => {
      form.propose(receipt);
      return [el("p", receipt.summary)];
    },
    beats: RARE_BEATS,
    waits: true,
  });
  const places = el("a", { href: "#/unbooked" }, "Not booked");
  const receipt = el("a", { href: link("event", { source, id }) }, id);
  const element = el(
    "section",
    { className: "card receipt" },
    trail(places, "Send it again"),
    el("h1", "Send ", receipt, " again"),
    el("p", { className: "soft" }, `sent by ${source}`),
    known.element,
    form.element,
    el("details", el("summary", "By hand"), byHand(source, id)),
  );
  return { element, refresh: known.refresh, timeless: true };
}

function resubmitForm({ source, id, at }) {
  const advice = el("p", { className: "fine" }, NOT_KEPT);
  const event = el("textarea", { rows: 16, spellcheck: false, "aria-label": "The event, as JSON" });
  const newId = el("input", { value: `${id}-again`, size: 30, maxLength: 256, required: true });
  const key = el("input", { type: "password", size: 30, required: true, autocomplete: "off" });
  const button = el("button", { className: "primary" }, "Send");
  const outcome = el("div", { role: "alert" });
  const skeleton = asText(emptyEvent(source, at));
  event.value = skeleton;

  // What is known of the earlier one: of what was retracted, the whole event.
  function propose({ entries, event: booked }) {
    const retracted = entries.length > 0 && !entries.some((entry) => entry.in_force);
    if (!retracted || event.value !== skeleton) return;
    event.value = asText(asSent(booked));
    advice.replaceChildren(AS_BOOKED);
  }

  function submit(submitted) {
    submitted.preventDefault();
    const asked = { key: key.value, event: event.value, id: newId.value, supersedes: id, source };
    pressOnce(
      [button],
      async () => taken(await call("POST", "/v1/unbooked/resubmit", asked)),
      (error) => outcome.replaceChildren(el("p", { className: "bad" }, error.message)),
    );
  }

  function taken({ dropped, ...sent }) {
    key.value = "";
    const lost =
      dropped &&
      el("p", { className: "bad" }, `Nobody knows these fields, and they were not kept: ${dropped}`);
    const receipt = el("a", { href: link("event", sent) }, `${sent.source}/${sent.id}`);
    outcome.replaceChildren(el("p", "Taken: its receipt is ", receipt, "."), ...(lost ? [lost] : []));
  }

  const element = el(
    "form",
    { className: "decision", on: { submit } },
    advice,
    event,
    el("label", "New id ", newId),
    el("label", `Key of ${session.tenant} that may ingest `, key),
    el("p", { className: "fine" }, "The key is not kept. Ingest decides, as for every sender."),
    button,
    outcome,
  );
  return { element, propose };
}

const asText = (value) => JSON.stringify(value, null, 2);

// What is booked, without what ingest put in. No quantity has more digits than a number here.
function asSent({ specversion, type, source, subject, time, data }) {
  const labels = Object.entries(data.labels ?? {}).filter(([name]) => !STAMPED.includes(name));
  return { specversion, type, source, subject, time, data: { ...data, labels: Object.fromEntries(labels) } };
}

const emptyEvent = (source, at) => ({
  specversion: "1.0",
  type: "spendmeter.usage.v1",
  source,
  subject: source,
  time: at,
  data: { provider: "", sku: "", usage: {}, labels: {} },
});

function byHand(source, id) {
  const names = `--source ${quoted(source)} --id NEW --supersedes ${quoted(id)}`;
  const field = `"supersedes": ${JSON.stringify(id)}`;
  return [
    el("p", "In the sender: ", el("code", field), ". Or:"),
    el("code", `spendmeter send --file fixed.json ${names}`),
  ];
}

// As a shell takes it, whatever a sender has put in.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

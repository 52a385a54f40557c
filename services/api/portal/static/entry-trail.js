// The entries of an event that corrects: what each is, who asked for it and why; and the form that voids one.

import { call, mayCorrect, session } from "./api.js";
import { el } from "./dom.js";
import { momentOf } from "./format.js";
import { link } from "./links.js";
import { badge, pressOnce, zonedMoment } from "./pieces.js";

// What stands above an entry's lines.
export function entryHeading(entry, several) {
  const counts =
    several && badge(entry.in_force ? "counts" : "counts no longer", entry.in_force ? "" : "over");
  if (!entry.seq) return [el("h2", "How the amount came about ", counts)];
  const at = momentOf(entry.recorded_at, session.tz);
  const what = entry.sign < 0 ? `Reversal of entry ${entry.reverses}, ${at} ` : `Replacement, ${at} `;
  return [
    el("h2", what, counts),
    ...(entry.cause ? [causeOf(entry.cause)] : []),
    ...entry.difference.map(differenceOf),
  ];
}

const differenceOf = ({ cause, currency, before, after, difference }) =>
  el("p", { className: "fine" }, `because of ${cause}: ${before} -> ${after} ${currency} (${difference})`);

function causeOf({ kind, id, author, reason, requested_at: at }) {
  const name = kind === "rerate" ? el("a", { href: link("rerate", { id }) }, "re-rate") : kind;
  return el("p", { className: "fine" }, name, ` asked for ${zonedMoment(at)} by ${author}: ${reason}`);
}

// `done()`: called once it is asked for. Nothing where the event counts no longer, or for who may not.
export function voidForm({ source, id, entries }, done) {
  if (!mayCorrect() || !entries.some((entry) => entry.in_force)) return null;
  const reason = el("input", {
    size: 40,
    maxLength: 500,
    "aria-label": "Why it is void",
    placeholder: "Why",
  });
  const sure = el("input", { type: "checkbox" });
  const button = el("button", { on: { click: press } }, "Void this event");
  const refusal = el("p", { className: "bad", role: "alert" });
  const correction = { kind: "retract", source, id, correction_id: crypto.randomUUID?.() };

  function press() {
    if (!reason.value.trim() || !sure.checked) {
      refusal.replaceChildren("Say why, and that it is meant.");
      return;
    }
    pressOnce(
      [button],
      async () => {
        const { state, summary } = await call("POST", "/v1/corrections", {
          ...correction,
          reason: reason.value,
        });
        refusal.replaceChildren(state === "applied" ? "" : summary);
        done();
      },
      (error) => refusal.replaceChildren(error.message),
    );
  }

  const meant = el(
    "label",
    sure,
    " It should never have been booked; it cannot be brought back under its id.",
  );
  const controls = el("div", { className: "decision" }, reason, meant, button, refusal);
  return el("details", { className: "void" }, el("summary", "Void this event"), controls);
}

// What a person may do about an incident, as buttons; and what somebody did, in words.

import { call, mayRespond, session } from "./api.js";
import { el } from "./dom.js";
import { iso, momentToMinute } from "./format.js";
import { pressOnce } from "./pieces.js";

const SNOOZED_HOURS = 4;
const SAYS = { expected: "expected", false_alarm: "a false alarm" };

// Which acts make sense as it stands: [words, path, body].
function actsOf({ state, snoozed_until: snoozed, feedback }) {
  const until = () => iso(Date.now() + SNOOZED_HOURS * 3_600_000);
  const says = (word) => feedback?.says !== word;
  return [
    state === "open" && ["Acknowledge", "acknowledge", () => ({})],
    state !== "resolved" && !snoozed && [`Snooze ${SNOOZED_HOURS} h`, "snooze", () => ({ until: until() })],
    snoozed && ["Wake", "unsnooze", () => ({})],
    says("expected") && ["Expected", "feedback", () => ({ says: "expected" })],
    says("false_alarm") && ["False alarm", "feedback", () => ({ says: "false_alarm" })],
  ].filter(Boolean);
}

// Made anew only where other acts make sense than before: a button that is pressed stays.
export function showActs(place, incident, refresh) {
  const acts = mayRespond() ? actsOf(incident) : [];
  const named = acts.map(([words]) => words).join();
  if (place.dataset.acts === named) return;
  place.dataset.acts = named;
  const refused = el("span", { className: "bad", role: "alert" });
  const buttons = acts.map(([words, path, body]) => {
    const act = async () => {
      await call("POST", `/v1/incidents/${incident.id}/${path}`, body());
      await refresh();
    };
    const click = () => pressOnce(buttons, act, (error) => refused.replaceChildren(` ${error.message}`));
    return el("button", { on: { click } }, words);
  });
  place.replaceChildren(...buttons.flatMap((button) => [button, " "]), refused);
}

export function actsInWords(incident) {
  const { acknowledged_by: by, snoozed_until: snoozed, feedback, planned, parent } = incident;
  return [
    planned && `planned: ${planned.name}`,
    parent && "a part of another incident",
    by && `acknowledged by ${by}`,
    snoozed && `snoozed until ${momentToMinute(snoozed, session.tz)}`,
    feedback && `${SAYS[feedback.says]}, says ${feedback.by}`,
  ].filter(Boolean);
}

// Closing a month and opening it again: what that means is read before it is pressed.

import { call, mayChange, mayGovern } from "./api.js";
import { el } from "./dom.js";
import { actForm, field, reasonInput, textInput } from "./forms.js";
import { monthName, monthsOn } from "./months.js";

// What may be done with a period by whoever is logged in; null = nothing. `acted()`: once it is asked for.
export function periodForm(period, acted) {
  if (period.may_close && mayGovern()) return closeForm(period.period, acted);
  if (period.may_reopen && mayChange()) return reopenForm(period.period, acted);
  return null;
}

const folded = (title, form) => el("details", { className: "act" }, el("summary", title), form);

function closeForm(month, acted) {
  const name = monthName(month);
  const note = textInput({ maxLength: 500 });
  const form = actForm({
    name: `Close ${name}`,
    words:
      `What ${name} has by then is written down, in each currency, and its statements change no more. What ` +
      `comes later for it, or corrects it, is booked in ${monthName(monthsOn(month, 1))} and said there as ` +
      "what it corrects: nothing is refused. Budgets and views of spend go by when something happened, and " +
      "stay as they are. An admin may open it again, until the month after it is closed.",
    fields: field("Note, for whoever asks later", note),
    label: `Yes, close ${name}`,
    work: () => act(month, "close", { note: note.value.trim() }, acted),
  });
  return folded(`Close ${name}`, form);
}

function reopenForm(month, acted) {
  const name = monthName(month);
  const reason = reasonInput();
  const form = actForm({
    name: `Open ${name} again`,
    words:
      `What comes for ${name} from now on is booked in it again, and statements that were handed out may ` +
      `change. What was booked in ${monthName(monthsOn(month, 1))} meanwhile stays there. The closing ` +
      "stays in the history with its sums and your reason; the next one writes down new sums.",
    fields: field("Why", reason),
    label: `Yes, open ${name} again`,
    work: () => act(month, "reopen", { reason: reason.value.trim() }, acted),
  });
  return folded(`Open ${name} again`, form);
}

async function act(month, verb, body, acted) {
  await call("POST", `/v1/periods/${month}/${verb}`, body);
  await acted();
}

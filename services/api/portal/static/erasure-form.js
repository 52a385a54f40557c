// Forgetting a person: asked for once, and confirmed once it is said what that means.

import { call } from "./api.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { Mistyped, actForm, field, reasonInput, textInput } from "./forms.js";

// `done()`: once somebody was forgotten.
export function erasureForm(done) {
  const user = textInput({ required: true, maxLength: 128, spellcheck: false });
  const again = textInput({ required: true, maxLength: 128, spellcheck: false });
  const reason = reasonInput();
  const sure = el("input", { type: "checkbox", required: true });

  async function work() {
    if (again.value.trim() !== user.value.trim()) throw new Mistyped("The two names are not the same");
    const body = { user: user.value.trim(), reason: reason.value.trim() };
    const { pseudonyms } = await call("POST", "/v1/privacy/erasures", body);
    for (const each of [user, again, reason]) each.value = "";
    sure.checked = false;
    await done();
    return pseudonyms
      ? `Forgotten: ${count(pseudonyms)} pseudonyms are nobody's now.`
      : "Nothing was found under this name: look for a typing error, or it was forgotten before.";
  }

  return actForm({
    name: "Forget a person",
    words:
      "What was booked under their pseudonyms stays in every total and is nobody's from now on. Nobody can " +
      "bring it back. The name is kept nowhere; what you write as a reason is, so leave the name out of it.",
    fields: [
      field("The person, as events name them", user),
      field("The same once more", again),
      field("Why", reason),
      el("label", sure, " For good: this cannot be undone"),
    ],
    label: "Forget them",
    work,
  });
}

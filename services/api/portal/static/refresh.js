// When something is asked again, and which answer counts.

import { describeTrouble, isTrouble } from "./api.js";
import { el, setText } from "./dom.js";

export const SLOW_BEATS = 4; // between two looks at what changes slowly
export const RARE_BEATS = 10; // at prices, and at what is being read and should not move much

// True when first asked, and every nth time after that.
export function everyNth(n) {
  let calls = 0;
  return () => calls++ % n === 0;
}

// What changes slowly is asked for anew now and then, and where the question is another.
export function slowly() {
  let due = everyNth(RARE_BEATS);
  let shown = "";
  let kept = null;
  return async (question, ask) => {
    if (question !== shown) {
      due = everyNth(RARE_BEATS);
      kept = null;
    }
    shown = question;
    if (!due() && kept) return kept;
    const answer = await ask();
    if (question === shown) kept = answer;
    return answer;
  };
}

// Each call begins a turn and overtakes the one before; what it returns tells whether that turn was
// overtaken.
export function turns() {
  let latest = 0;
  return () => {
    const mine = ++latest;
    return () => mine !== latest;
  };
}

// Cards ask for themselves: one that fails says why and stands alone, and no answer stands under another
// question.
//
// `ask()` resolves to an answer, `show(answer)` puts it into `cards`, `clear()` takes away what was shown.
// The result asks once and resolves to {answer} or {error}; a question that was overtaken resolves to {}, and
// shows nothing. `question()` names what is asked: what stays visible after a failure is an older answer to
// the same.
export function cardRefresher(cards, { ask, show, clear = () => {}, question = () => "" }) {
  const lines = cards.map(() => el("p", { className: "bad why", role: "alert", hidden: true }));
  cards.forEach((card, index) => card.append(lines[index]));
  const begin = turns();
  let shown = null;

  function showTrouble(text) {
    for (const line of lines) {
      line.hidden = !text;
      setText(line, text);
    }
    for (const card of cards) card.classList.toggle("failed", Boolean(text));
  }

  function setBusy(busy) {
    for (const card of cards) {
      card.setAttribute("aria-busy", String(busy));
      card.classList.toggle("waiting", busy && shown === null);
    }
  }

  return async function refresh() {
    const overtakenByLater = begin();
    const mine = question();
    const overtaken = () => overtakenByLater() || mine !== question();
    setBusy(shown !== mine);
    try {
      const answer = await ask();
      if (overtaken()) return {};
      show(answer);
      shown = mine;
      showTrouble("");
      setBusy(false);
      return { answer };
    } catch (error) {
      if (error.status === 401 || !isTrouble(error)) throw error;
      if (overtaken()) return {};
      if (shown !== mine) clear();
      showTrouble(describeTrouble(error, shown === mine));
      setBusy(false);
      return { error };
    }
  };
}

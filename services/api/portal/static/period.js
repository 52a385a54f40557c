// A month as accounting has it: whether it is closed, what may be done about that, and the closings so far.

import { get } from "./api.js";
import { card } from "./cards.js";
import { el, setText } from "./dom.js";
import { eventsOf, money } from "./format.js";
import { monthName } from "./months.js";
import { periodForm } from "./period-forms.js";
import { badge, zonedMoment } from "./pieces.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";

const PATH = "/v1/periods";
const MONTHS = 60; // as many as the API tells
const UNTOLD = "Nothing was booked up to this month, or it is too old to be told of here.";
const STATES = { closing: "warn", reopened: "warn" };

// `hrefOf(month)`: the same page of another month. `changed()`: once its statements may say something else.
export function periodCard({ month, hrefOf, changed }) {
  const name = monthName(month);
  const state = el("p", { role: "status", tabIndex: -1 });
  const waiting = el("progress", { "aria-label": `${name} is being closed`, hidden: true });
  const offered = el("div");
  const history = el("ul", { className: "rows history" });
  const none = el("p", { className: "empty" }, "No month was closed so far.");
  const past = el("div", el("h3", "Closings"), history, none);
  const element = card(`${name} in the books`, "period", state, waiting, offered, past);
  const due = everyNth(RARE_BEATS);
  let before = null;

  function show({ periods }) {
    const period = periods.find((each) => each.period === month);
    const closings = periods.flatMap((each) =>
      each.closings.map((closing) => ({ of: each.period, ...closing })),
    );
    setText(state, period ? stateOf(period) : UNTOLD);
    waiting.hidden = period?.state !== "closing";
    history.replaceChildren(...closings.map((closing) => closingItem(closing, hrefOf)));
    none.hidden = closings.length > 0;
    offer(period, periods);
    if (before && period && before !== period.state) changed();
    before = period?.state ?? null;
  }

  // Drawn again only where something else may be done: what somebody is typing stays.
  let shown = null;
  function offer(period, periods) {
    const asked = JSON.stringify(period && [period.state, period.may_close, period.may_reopen]);
    if (asked === shown) return;
    shown = asked;
    offered.replaceChildren(
      ...(period ? [periodForm(period, acted) ?? whyNot(period, periods, hrefOf)] : []),
    );
  }

  const answered = cardRefresher([element], { ask: () => get(PATH, { limit: MONTHS }), show });

  async function acted() {
    await answered();
    state.focus(); // the form that had it is gone
  }

  async function refresh() {
    if (due() || before === "closing") await answered();
  }
  return { element, refresh };
}

function stateOf({ period, state, closings: [newest], corrections_of_earlier_periods: carried }) {
  const name = monthName(period);
  const also = carried.length
    ? ` It has ${sumsOf(carried)} of earlier months, which were closed by then.`
    : "";
  const words = {
    open: () => `${name} is open: its statements may still change.`,
    closing: () => `${name} is being closed: bookings under way are waited for, mostly a second or two.`,
    closed: () =>
      newest
        ? `${name} is closed since ${zonedMoment(newest.closed_at)}: its statements stay.`
        : `${name} is closed, with the month after it.`,
    reopened: () => `${name} was closed, and is open again since ${zonedMoment(newest.reopened_at)}.`,
  };
  return `${words[state]()}${also}`;
}

// Why neither is offered, where it is the month that forbids it.
function whyNot({ period, state, is_over: over, until, may_close: may }, periods, hrefOf) {
  const last = periods.find((each) => each.state === "closed" || each.state === "closing");
  const first = periods.find((each) => each.may_close);
  const words = (...said) => el("p", { className: "fine" }, ...said);
  const other = (month) => el("a", { href: hrefOf(month) }, monthName(month));
  if (state === "closing") return "";
  if (state === "closed")
    return last && last.period !== period
      ? words(other(last.period), " is closed after it: only the month that was closed last is opened again.")
      : words("To open it again, log in with a key that has the scope admin.");
  if (!over) return words(`It is not over: it may be closed from ${until} on.`);
  if (may) return words("To close it, log in with a key that has the scope govern or admin.");
  return words(
    first ? other(first.period) : "An earlier month",
    " is to be closed first: months are closed in order.",
  );
}

const sumsOf = (sums) =>
  sums.map(({ effective, currency }) => money(effective, currency)).join(" + ") || "nothing";

function closingItem(
  { of, note, closed_by: by, asked_at: asked, closed_at: closed, sums, ...again },
  hrefOf,
) {
  const had = sums.map(({ events, currency }) => `${eventsOf(events)} in ${currency}`).join(", ");
  const state = closed === null ? "closing" : again.reopened_at ? "reopened" : "closed";
  const when = closed === null ? `asked for ${zonedMoment(asked)}` : zonedMoment(closed);
  return el(
    "li",
    badge(state, STATES[state] ?? ""),
    " ",
    el("a", { href: hrefOf(of) }, monthName(of)),
    closed === null ? "" : [" with ", el("b", sumsOf(sums))],
    el("small", { className: "line" }, [`${when} by ${by}`, had, note].filter(Boolean).join(" · ")),
    again.reopened_at &&
      el(
        "small",
        { className: "line" },
        `opened again ${zonedMoment(again.reopened_at)} by ${again.reopened_by}: ${again.reopen_reason}`,
      ),
  );
}

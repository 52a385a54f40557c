// That nothing is lost: everything accepted is booked, or why it is not.

import { get, session } from "./api.js";
import { el } from "./dom.js";
import { count, eventsOf, inFlight, money, timeOf } from "./format.js";
import { link } from "./links.js";
import { badge } from "./pieces.js";
import { cardRefresher } from "./refresh.js";

const UNBOOKED = ["duplicate", "conflict", "rejected"];

// `told(answer)`: what else an answer is for.
export function accountingCard(told = () => {}) {
  const line = el("p", { className: "account" });
  const remarks = el("p", { className: "under-remarks", hidden: true });
  const accounting = el("section", { "aria-label": "Accounting" }, line, remarks);
  const show = (answer) => {
    line.replaceChildren(...equation(answer.total), ...verdict(answer));
    remarks.replaceChildren(...answer.remarks.flatMap(underRemarks));
    remarks.hidden = !answer.remarks.length;
    told(answer);
  };
  const ask = () => get("/v1/accounting");
  return { card: accounting, refresh: cardRefresher([accounting], { ask, show }) };
}

// accepted = booked + each outcome that is none + what is on its way
function equation(total) {
  const outcomes = UNBOOKED.map((name) => figure(total, name, link("unbooked", { outcome: name })));
  return [
    el("b", `accepted ${describeAccepted(total)}`),
    " = ",
    figure(total, "booked", link("events")),
    ...outcomes.flatMap((outcome) => [" + ", outcome]),
    total.holes ? ` + holes ${count(total.holes)}` : "",
    ` + in flight ${inFlight(total)}`,
  ];
}

const figure = (total, name, href) => el("a", { href }, `${name} ${count(total[name])}`);

function describeAccepted(total) {
  const { booked, duplicate, conflict, rejected, holes, in_flight: flying } = total;
  const accepted = count(booked + duplicate + conflict + rejected + holes + flying);
  return flying === null ? `${accepted} or more` : accepted;
}

// Money at prices that do not say how it was served, and of what they say nothing; the inbox has the rows.
function underRemarks({ currency, events, effective, by_kind: kinds }) {
  const each = Object.entries(kinds).map(([kind, sum]) =>
    el("a", { href: inboxOf(kind) }, `${kind} ${money(sum.effective, currency)}`),
  );
  return [
    el("b", `${money(effective, currency)} ${currency}`),
    ` at prices that do not say how it was served (${eventsOf(events)}): `,
    ...each.flatMap((one, index) => (index ? [", ", one] : [one])),
    each.length > 1 ? " (an event of several is in each) " : " ",
  ];
}

const inboxOf = (remarks) => link("inbox", { remarks, whose: session.operator ? "tenant" : undefined });

function verdict({ balanced, proved_until: until }) {
  const mark = balanced ? badge("balanced", "") : badge("does not balance", "open");
  mark.classList.toggle("good", balanced);
  const proved = until ? `proved up to ${timeOf(until, session.tz)}` : "not proved yet";
  return [
    mark,
    el("span", { className: "fine" }, ` ${proved} · events of this tenant · in flight: of all tenants`),
  ];
}

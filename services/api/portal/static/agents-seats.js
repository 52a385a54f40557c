// Licences of coding agents: seats that nobody has, and seats that nobody uses, which are two things.

import { el } from "./dom.js";
import { count, money } from "./format.js";
import { scrolls, table } from "./pieces.js";

const HEADS = [
  ["Licence"],
  ["Seats", "figure"],
  ["Nobody has", "figure"],
  ["Nobody uses", "figure"],
  ["A seat a month", "figure wide"],
  ["Idle, a month", "figure"],
  ["Idle so far", "figure wide"],
];

export function seatsTable(seats) {
  if (!seats.length) return [];
  return [el("h2", "Seats"), scrolls("Seats", table(HEADS, el("tbody", seats.map(seatRow))))];
}

const figure = (text, extra = "") => el("td", { className: `figure ${extra}` }, text);
const amountOf = (amount, currency) => (amount === null ? "not known" : money(amount, currency));

function seatRow(seat) {
  const { name, tool, currency, missing, known_days: days } = seat;
  const soFar = [
    amountOf(seat.idle_cost, currency),
    el(
      "small",
      { className: "line" },
      `of ${count(days)} ${days === 1 ? "day that is" : "days that are"} known`,
    ),
  ];
  return el(
    "tr",
    el("th", { scope: "row" }, name, el("small", { className: "line" }, tool), lacking(missing)),
    figure(count(seat.seats)),
    figure(count(seat.nobody_has)),
    figure(idleOf(seat)),
    figure(amountOf(seat.price_per_seat_month, currency), "wide"),
    figure(amountOf(seat.idle_cost_per_month, currency)),
    figure(days ? soFar : "not known", "wide"),
  );
}

const lacking = (missing) => (missing.length ? el("small", { className: "line" }, missing.join("; ")) : null);

// Nobody has said how many were used: that is not none.
function idleOf({ idle, active, day, licence }) {
  if (idle === null)
    return [
      "unknown",
      el("small", { className: "line" }, `spendmeter assets activity ${licence} DAY N says so`),
    ];
  return [count(idle), el("small", { className: "line" }, `${count(active)} used on ${day}`)];
}

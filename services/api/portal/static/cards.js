// What the overview's cards are made of: frames, and the figures that several of them show.

import { el } from "./dom.js";

export const card = (title, name, ...children) =>
  el(
    "section",
    { className: `card ${name}`, "aria-label": title },
    el("h2", title),
    ...children,
    el("p", { className: "fine", "data-part": "fine" }),
  );

export const tile = (title, name) =>
  el(
    "a",
    { className: `card tile ${name}`, href: "#/" },
    el("h2", title),
    el("strong", { "data-part": "figure" }, "…"),
    el("span", { "data-part": "note" }),
    el("span", { className: "fine", "data-part": "fine" }),
  );

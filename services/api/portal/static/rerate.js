// One re-rate: how far it is, what it would change and has changed, and the buttons that apply or cancel it.

import { call, get, mayCorrect } from "./api.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import { link, valueLabel } from "./links.js";
import { lookup } from "./lookup.js";
import { badge, pressOnce, table, trail, zonedMoment } from "./pieces.js";

const COLUMNS = [
  ["Team"],
  ["Model"],
  ["Events", "figure wide"],
  ["Before", "figure"],
  ["After", "figure"],
  ["Difference", "figure"],
];
export const JOB_STATES = {
  previewed: "warn",
  previewing: "warn",
  applying: "warn",
  cancelled: "over",
  refused: "over",
};

export function reratePage(query) {
  const id = query.get("id") ?? "";
  const path = `/v1/rerates/${encodeURIComponent(id)}`;
  const content = lookup({
    ask: () => get(path),
    draw: (job) => describeJob(job, path, content.show),
    beats: 1,
    waits: true,
    shownRefusals: [404],
  });
  const places = el("a", { href: "#/corrections" }, "Corrections and re-rates");
  const element = el(
    "section",
    { className: "card receipt rerate" },
    trail(places, "Re-rate"),
    el("h1", "Re-rate"),
    content.element,
  );
  return { element, refresh: content.refresh, timeless: true };
}

function describeJob(job, path, show) {
  const way = job.applied ?? job.preview;
  const asked = `asked for ${zonedMoment(job.requested_at)} by ${job.author}: ${job.reason}`;
  return [
    el("p", badge(job.state, JOB_STATES[job.state] ?? ""), ` ${job.summary}`),
    ...(way && !way.ended_at
      ? [el("progress", way.about === null ? {} : { max: way.about, value: way.seen })]
      : []),
    el("p", { className: "fine" }, `${asked} · by catalog version ${job.version} · ${selectionOf(job)}`),
    ...(job.applied_by ? [el("p", { className: "fine" }, `applied by ${job.applied_by}`)] : []),
    ...(way ? describeWay(way) : []),
    buttons(job, path, show),
  ];
}

function selectionOf({ selection }) {
  const given = Object.entries(selection).filter(([, value]) => value && String(value));
  return given.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ") || "every event";
}

const describeWay = ({ differences, causes, left }) => [
  ...(differences.length
    ? [el("h2", "By team and model"), table(COLUMNS, el("tbody", differences.map(row)))]
    : []),
  el("ul", { className: "rows" }, causes.map(cause)),
  ...(left.length ? [el("h2", "Stays as it is"), el("ul", { className: "rows" }, left.map(stays))] : []),
];

const row = (each) =>
  el(
    "tr",
    el("td", valueLabel(each.team)),
    el("td", `${each.provider}/${each.sku}`),
    el("td", { className: "figure wide" }, count(each.events)),
    el("td", { className: "figure" }, each.effective_before),
    el("td", { className: "figure" }, each.effective_after, el("small", ` ${each.currency}`)),
    el("td", { className: "figure" }, each.difference),
  );

const cause = (each) =>
  el("li", `because of ${each.cause}: ${count(each.events)} events, ${each.difference} ${each.currency}`);

const stays = ({ source, id, reason }) =>
  el("li", el("a", { href: link("event", { source, id }) }, id), ` ${reason}`);

function buttons({ state, preview }, path, show) {
  const refusal = el("p", { className: "bad", role: "alert" });
  const ask = (verb) =>
    pressOnce(
      made,
      async () => show(await call("POST", `${path}/${verb}`)),
      (error) => refusal.replaceChildren(error.message),
    );
  const made = [];
  if (mayCorrect() && state === "previewed" && preview.changed)
    made.push(el("button", { className: "primary", on: { click: () => ask("apply") } }, "Apply"));
  if (mayCorrect() && ["previewing", "previewed", "applying"].includes(state))
    made.push(el("button", { on: { click: () => ask("cancel") } }, "Cancel"));
  return el("div", { className: "decision" }, el("div", { className: "controls" }, made), refusal);
}

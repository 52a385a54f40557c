// Which page is shown, and the beat at which it asks again.

import { Refused, call, enter, get, session } from "./api.js";
import { el, say } from "./dom.js";
import { inFlight, timeOf } from "./format.js";
import { catalogPage, changesPage, modelPage } from "./catalog.js";
import { eventsPage, receiptPage, unbookedPage } from "./events.js";
import { inboxPage, proposalPage } from "./inbox.js";
import { link, wrongRange } from "./links.js";
import { logInPage } from "./login.js";
import { overviewPage } from "./overview.js";

const BEAT_MS = 1500;
const LOAD_SHARE = 4; // asking may take up a fifth of the time: a slow database is not asked more often
const RETRY_MS = 3000;

const main = document.getElementById("main");
const pages = {
  "": overviewPage,
  events: eventsPage,
  event: receiptPage,
  unbooked: unbookedPage,
  catalog: catalogPage,
  model: modelPage,
  changes: changesPage,
  inbox: inboxPage,
  proposal: proposalPage,
};
const RANGED = ["", "events"]; // the pages of a range
let page = null;
let turn = 0;
let timer = 0;

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path, query: new URLSearchParams(query) };
}

async function show() {
  const mine = ++turn;
  clearTimeout(timer);
  const { path, query } = place();
  const known = Object.hasOwn(pages, path) ? path : "";
  const make = RANGED.includes(known) && wrongRange(query) ? wrongRangePage : pages[known];
  if (page?.make === make && page.accept?.(query)) {
    // the same page with other parameters: it changes in place
  } else {
    page = Object.assign(make(query), { make });
    main.replaceChildren(page.element);
    document.getElementById("live").hidden = Boolean(page.timeless); // a receipt, or a price, is not of the stream
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  await beat(mine);
}

function wrongRangePage(query) {
  const element = el(
    "section",
    { className: "card", role: "alert" },
    el("p", {}, `This address has no range to show: ${wrongRange(query)}.`),
    el("p", {}, el("a", { href: link("", { range: "today" }) }, "Show today")),
  );
  return { element, refresh: async () => null, timeless: true };
}

async function beat(mine) {
  const began = performance.now();
  let wait = RETRY_MS;
  try {
    const answer = await page.refresh();
    trouble("");
    wait = Math.max(BEAT_MS, LOAD_SHARE * (performance.now() - began));
    if (answer) live(answer);
  } catch (error) {
    if (mine !== turn) return;
    if (!(error instanceof Refused || error instanceof TypeError)) throw error;
    if (error.status === 401) return logIn();
    const when =
      error.status >= 500 || error.status === undefined ? " What you see is from before; trying again." : "";
    trouble(`${error.status ? "" : "The server cannot be reached: "}${error.message}.${when}`);
  }
  if (mine === turn) timer = setTimeout(() => (document.hidden ? pause(mine) : beat(mine)), wait);
}

function pause(mine) {
  document.addEventListener("visibilitychange", () => mine === turn && beat(mine), { once: true });
}

function trouble(text) {
  const line = document.getElementById("trouble");
  line.hidden = !text;
  say(line, text);
  document.body.classList.toggle("stale", Boolean(text));
}

function live(answer) {
  const { complete_through: through } = answer;
  const line = document.getElementById("live");
  line.classList.toggle("behind", !through || answer.in_flight !== 0);
  const flying = answer.in_flight === 0 ? "" : ` · in flight ${inFlight(answer)}`;
  say(
    line,
    through
      ? `complete through ${timeOf(through, session.tz)} ${session.tz}${flying}`
      : `catching up${flying}`,
  );
}

function logIn() {
  turn += 1;
  clearTimeout(timer);
  page = null;
  frame(false);
  trouble("");
  main.replaceChildren(logInPage(start));
  main.querySelector("input").focus();
}

function frame(inside) {
  document.getElementById("log-out").hidden = !inside;
  document.getElementById("live").hidden = !inside;
  document.getElementById("places").hidden = !inside;
  const names = session.tenants.map(({ tenant, name }) =>
    el("option", { value: tenant, selected: tenant === session.tenant }, name),
  );
  const chooser = session.operator
    ? el("select", { "aria-label": "Tenant", on: { change: choose } }, names)
    : session.tenants[0]?.name;
  document.getElementById("tenant").replaceChildren(inside && chooser ? chooser : "");
}

function choose({ target }) {
  enter({ tenant: target.value });
  page = null;
  if (location.hash === "" || location.hash === "#/") show();
  else location.hash = "#/"; // another tenant's filters mean nothing here
}

function start(answer) {
  enter(answer);
  frame(true);
  show();
}

document.getElementById("log-out").addEventListener("click", async () => {
  await call("DELETE", "/v1/session");
  logIn();
});
addEventListener("hashchange", () => document.getElementById("log-out").hidden || show());

try {
  start(await get("/v1/session"));
} catch (error) {
  logIn();
  if (error.status !== 401) trouble(`${error.message}. Reload the page to try again.`);
}

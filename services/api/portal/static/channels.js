// Channels: where incidents are told, how each fares, a test of it; and the form that adds one.

import { call, get, mayGovern, session } from "./api.js";
import { card } from "./cards.js";
import { channelForm } from "./channel-form.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { ago, momentOf } from "./format.js";
import { link } from "./links.js";
import { listPage } from "./paging.js";
import { badge, logInToChange, pressOnce, trail } from "./pieces.js";
import { SLOW_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const NONE = "None: incidents are shown here and in the API, and nobody is told.";
const DELIVERY_STATES = { pending: "warn", failed: "over" };
const COLUMNS = [["When"], ["State"], ["What"], ["Attempts", "wide"]];

export function channelsPage() {
  const rows = el("ul", { className: "rows" });
  const outcome = el("p", { className: "fine", role: "status" });
  const channels = card("Channels", "channels", rows, outcome);
  const due = everyNth(SLOW_BEATS);

  function show({ channels: list }) {
    updateChildren(
      rows,
      list,
      ({ id }) => id,
      (channel) => makeChannel(channel, { tell, refresh }),
      showChannel,
    );
    setText(part(channels, "fine"), list.length ? session.tz : NONE);
  }

  const tell = (text) => setText(outcome, text);
  const refresh = cardRefresher([channels], { ask: () => get("/v1/channels"), show });
  channels.append(tableTools(() => ({ path: "/v1/channels" }), { name: "channels" }));

  async function added({ name, secret }) {
    tell(secret ? `Added: ${name}. It signs with ${secret}, which is not shown again.` : `Added: ${name}.`);
    await refresh();
  }

  const element = el(
    "div",
    channels,
    el(
      "section",
      { className: "card" },
      el("h2", "Add a channel"),
      mayGovern() ? channelForm(added) : el("p", { className: "fine" }, logInToChange("To add one")),
    ),
  );
  return { element, refresh: async () => (due() ? (await refresh()).answer && null : null), timeless: true };
}

const makeChannel = (channel, { tell, refresh }) =>
  el(
    "li",
    el(
      "div",
      { className: "channel" },
      el("span", { className: "badge", "data-part": "state" }),
      " ",
      el("a", { className: "name", href: link("channel", { id: channel.id }) }, channel.name),
      ` ${channel.kind} `,
      el("small", { className: "line", "data-part": "words" }),
      mayGovern() && testButton(channel, tell, refresh),
    ),
    mayGovern() && removal(channel, tell, refresh),
  );

function testButton({ id, name }, tell, refresh) {
  const say = ({ state, error }) => tell(`Test of ${name}: ${error ? `${state}, ${error}` : state}.`);
  const button = el("button", { on: { click: press } }, "Test");

  async function press() {
    tell(`Test of ${name}: under way.`);
    await pressOnce(
      [button],
      async () => say(await call("POST", `/v1/channels/${id}/test`)),
      (error) => tell(`Test of ${name}: ${error.message}`),
    );
    button.disabled = false;
    await refresh();
  }
  return button;
}

// Folded away: whoever removes a channel opens it first, and presses then.
function removal({ id, name }, tell, refresh) {
  const remove = async () => {
    await call("DELETE", `/v1/channels/${id}`);
    tell(`Removed: ${name}.`);
    await refresh();
  };
  const click = () => pressOnce([button], remove, (error) => tell(error.message));
  const button = el("button", { on: { click } }, "Remove it");
  return el(
    "details",
    el("summary", "Remove"),
    el("p", { className: "fine" }, "Nothing is told there any more."),
    button,
  );
}

function showChannel(item, channel) {
  const [state, words] = stateOf(channel);
  const shown = part(item, "state");
  setText(shown, state);
  shown.dataset.state = { failing: "over", off: "warn" }[state] ?? "";
  setText(part(item, "words"), [words, ...routesOf(channel)].join(" · "));
}

function stateOf({ disabled_at: off, disabled_reason: why, failing_since: failing, ...channel }) {
  if (off) return ["off", `since ${momentOf(off, session.tz)}: ${why}`];
  if (failing) return ["failing", `since ${momentOf(failing, session.tz)}: ${channel.last_error}`];
  const last = channel.last_success_at;
  if (last) return ["delivers", `last success ${momentOf(last, session.tz)} (${ago(last)})`];
  return ["new", channel.last_error ? `last test: ${channel.last_error}` : "nothing was delivered yet"];
}

function routesOf({ match, quiet, digest_minutes: digest }) {
  const severity = match.severity ?? "info";
  const scope = Object.entries(match.scope ?? {}).map(([name, value]) => `${name} ${value}`);
  return [
    severity === "info" ? "every severity" : `from ${severity} on`,
    ...(match.kinds ?? []),
    ...scope,
    ...quiet.map(({ from, until }) => `quiet ${from} to ${until}`),
    ...(digest ? [`digest every ${digest} min`] : []),
  ];
}

// What one channel was told, is to be told, and could not be told.
export function channelPage(query) {
  const id = query.get("id") ?? "";
  const list = listPage({
    heading: el(
      "div",
      trail(el("a", { href: "#/channels" }, "Channels"), "Deliveries"),
      el("h1", "Deliveries"),
    ),
    words: null,
    columns: COLUMNS,
    question: () => ({ path: `/v1/channels/${encodeURIComponent(id)}/deliveries`, parameters: {} }),
    rowsOf: ({ deliveries }) => deliveries.map(deliveryRow),
    none: "Nothing was told there yet.",
  });
  return { element: list.element, refresh: list.refresh, timeless: true };
}

function deliveryRow({ created_at: at, state, transition, title, held, attempts, ...delivery }) {
  const next = delivery.next_attempt_at;
  const waits = next && `next attempt ${momentOf(next, session.tz)}${held ? `, held: ${held}` : ""}`;
  return el(
    "tr",
    el("td", { className: "nowrap" }, momentOf(at, session.tz)),
    el("td", badge(state, DELIVERY_STATES[state] ?? "")),
    el(
      "td",
      `${transition} ${title}`,
      [waits, delivery.last_error].filter(Boolean).map((each) => el("small", { className: "line" }, each)),
    ),
    el("td", { className: "wide" }, String(attempts)),
  );
}

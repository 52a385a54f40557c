// Totals as they are booked: one stream, open as long as somebody looks. Without it the page asks as ever.

import { headersOf } from "./api.js";

const PATH = "/v1/spend/live";
const AGAIN_MS = 30_000; // after a refusal, or when the stream broke

// `looked()`: whether somebody still does; `tell(totals)`: what was heard. The result opens the stream where
// it is not open; a session that has another one, or is over, opens none again.
export function liveTotals(looked, tell) {
  let open = false;
  let over = false;
  let notBefore = 0;

  async function follow() {
    const response = await fetch(PATH, {
      headers: headersOf("text/event-stream"),
      credentials: "same-origin",
    });
    if (!response.ok) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for await (const { event, data } of eventsOf(reader)) {
      if (!looked()) return reader.cancel();
      if (event === "end") over = true;
      if (event === "totals") tell(JSON.parse(data));
    }
  }

  return async function ensureOpen() {
    if (open || over || Date.now() < notBefore) return;
    open = true;
    try {
      await follow();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch's own: the server is not reached
    }
    open = false;
    if (looked()) notBefore = Date.now() + AGAIN_MS;
  };
}

// What server-sent events say, one by one: {event, data}.
async function* eventsOf(reader) {
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield fieldsOf(block);
  }
}

const fieldsOf = (block) =>
  Object.fromEntries(
    block
      .split("\n")
      .filter((line) => !line.startsWith(":") && line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );

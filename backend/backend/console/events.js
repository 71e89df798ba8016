/** The events of all the caller's jobs: one stream, taken up again where it broke off. */

import { call } from "./api.js";
import { note } from "./dom.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/**
 * Follow without an end.
 * @param opened is called at each connection, with whether events may have been missed
 * @param told is called with each event
 * @param signal ends it
 */
export async function follow(opened, told, signal) {
  const away = document.querySelector("#away");
  let after = null;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const answer = await call(`api/v1/events${after === null ? "" : `?after=${after}`}`, { signal });
      pause = FIRST_PAUSE_MS;
      away.hidden = true;
      opened(after === null);
      for await (const event of messages(answer.body)) {
        after = event.position;
        told(event);
      }
    } catch (error) {
      if (signal.aborted || error.status === 401) return;
      if (error.status === 403) return note(error.message, { wrong: true });
      if (error.status !== undefined) away.hidden = false; // else a stream broke off, as it may
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
  }
}

async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const line = part.split("\n").find((each) => each.startsWith("data: "));
      if (line) yield JSON.parse(line.slice(6));
    }
  }
}

/** Calls of the backend. What is refused is thrown as `Refused`, with the problem that the backend told. */

const KEY = "cleanplate.key";

export const signs = new EventTarget(); // "needed": a call was refused because nobody, or the wrong one, is signed in

export class Refused extends Error {
  constructor(status, problem, retryAfterS = 0) {
    const said = problem.detail || problem.title || `The server answered ${status}.`;
    super(problem.errors ? `${problem.field}: ${said}` : said); // what a check of fields says does not name them
    this.status = status;
    this.code = problem.code;
    this.retryAfterS = retryAfterS;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  drop: () => sessionStorage.removeItem(KEY),
};

export function address(path) {
  return new URL(path, document.baseURI).href;
}

export function headers(more = {}) {
  return key.get() ? { ...more, Authorization: `Bearer ${key.get()}` } : more;
}

/** Make a call; `json` becomes the body. */
export async function call(path, { method = "GET", json, signal, more = {} } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const kind = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(address(path), { method, body, signal, headers: headers({ ...kind, ...more }) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { detail: "The server does not answer." });
  }
  if (!answer.ok) throw refused(answer.status, await answer.text(), answer.headers.get("Retry-After"));
  return answer;
}

export const read = async (path, more) => (await call(path, more)).json();
export const bytes = async (path, more) => (await call(path, more)).blob();

export function refused(status, text, retryAfter) {
  if (status === 401) signs.dispatchEvent(new Event("needed"));
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // an answer from something in between, such as a proxy
  }
  return new Refused(status, problem, Number(retryAfter) || 0);
}

export const jobPath = (id, part = "") => `api/v1/jobs/${encodeURIComponent(id)}${part}`;

/** Questions to the server. Addresses are relative to the page, so the dashboard works below any path. A server that does not answer is asked again once a second until it does. */

const WAIT_MS = 1000;
const listeners = new Set();
let here = true;
let asking = 0;

/** What went wrong with a question: `kind` is "gone" (no server), "login", "refused" (a bad filter or argument), "missing", "vanished" (the store) or "failed"; `detail` has several lines, as a filter with its carets. */
export class ApiError extends Error {
  constructor(kind, message, detail = null) {
    super(message);
    this.kind = kind;
    this.detail = detail;
  }
}

/** Return an address below `api/`; each value of a list is a parameter of its own, null and "" are left out. */
export function apiAddress(path, query = {}) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "" && one !== false) params.append(name, one === true ? "1" : String(one));
    }
  }
  const asked = params.toString();
  return `api/${path}${asked ? `?${asked}` : ""}`;
}

/** Return parts of a path, each escaped; a slash within a part stays one. */
export function pathOf(...parts) {
  return parts.map((part) => String(part).split("/").map(encodeURIComponent).join("/")).join("/");
}

/** Return what the server answers; throws ApiError, also for an answer that is `refused` without the status of an error, or AbortError when `signal` ends the question. */
export async function getJson(path, query = {}, signal = undefined) {
  let response;
  try {
    response = await fetch(apiAddress(path, query), { signal, headers: { Accept: "application/json" }, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reportServer(false);
    throw new ApiError("gone", "The dashboard does not answer.");
  }
  const behindProxy = [502, 504].includes(response.status);
  reportServer(!behindProxy);
  if (behindProxy) throw new ApiError("gone", "The dashboard does not answer.");
  const answer = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return {};
  });
  return understood(response.status, answer);
}

/** Return what the server answers while everything else waits: a page is printed as it is when the browser has told it so. Throws ApiError. */
export function getJsonNow(path, query = {}) {
  const request = new XMLHttpRequest();
  request.open("GET", apiAddress(path, query), false);
  request.setRequestHeader("Accept", "application/json");
  try {
    request.send();
  } catch {
    throw new ApiError("gone", "The dashboard does not answer.");
  }
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    if (request.status === 200) throw new ApiError("failed", "The server's answer was cut off.");
  }
  return understood(request.status, answer);
}

function understood(status, answer) {
  if (status === 200 && !answer.refused) return answer;
  const { error, detail } = answer.refused || answer;
  const kind = { 200: "refused", 400: "refused", 401: "login", 403: "login", 404: "missing", 410: "vanished" }[status] || "failed";
  throw new ApiError(kind, error || `The server answered ${status}.`, detail || null);
}

/** Say that the server answered, or did not. */
export function reportServer(answers) {
  if (answers === here) return;
  here = answers;
  clearInterval(asking);
  if (!here) asking = setInterval(ask, WAIT_MS);
  for (const listener of [...listeners]) listener(here);
}

/** Call `listener(answers)` when the server stops answering and when it is back; return a function that ends this. */
export function onServer(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tell whether the server answered the last question. */
export function serverAnswers() {
  return here;
}

function ask() {
  if (!document.hidden) getJson("stores").catch(() => {});
}

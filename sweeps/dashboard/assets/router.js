/** Addresses of views, `#/page/id?name=value`: everything a view shows is in its address, so that it can be sent to someone. */

let present = null; // the entry of the history that is shown

/** Return what an address says: `page`, `id` (may hold slashes, or null), `params` (URLSearchParams) and `store` (a number). */
export function parseAddress(hash) {
  const [path, query] = cut(hash.replace(/^#\/?/, ""), "?");
  const [page, id] = cut(path, "/");
  const params = new URLSearchParams(query);
  const store = Number.parseInt(params.get("store") || "0", 10) || 0;
  params.delete("store");
  return { page: page || "runs", id: id ? decoded(id) : null, params, store };
}

/** Return the address of a view. `params` is an object whose lists become repeated parameters, or URLSearchParams; empty values are left out. */
export function formatAddress(page, id = null, params = {}, store = 0) {
  const query = new URLSearchParams();
  const entries = params instanceof URLSearchParams ? [...params] : Object.entries(params);
  for (const [name, value] of entries) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "" && one !== false) query.append(name, one === true ? "1" : String(one));
    }
  }
  if (store) query.append("store", String(store));
  const asked = query.toString();
  const place = id === null || id === undefined ? "" : `/${String(id).split("/").map(encodeURIComponent).join("/")}`;
  return `#/${page}${place}${asked ? `?${asked}` : ""}`;
}

/**
 * Show the view of the present address, and of each that follows: `open(address, move)` is called with a parsed one.
 * `move`: `left` and `entry` name the entries of the history that were left (null at first) and entered, `isBack` tells that
 * the reader has been on the one that is entered.
 */
export function startRouter(open) {
  const changed = () => {
    const left = present;
    const isBack = Boolean(history.state?.entry);
    if (isBack) present = history.state.entry;
    else history.replaceState(fresh(), "");
    open(parseAddress(location.hash), { left, entry: present, isBack });
  };
  addEventListener("hashchange", changed);
  changed();
}

/** Change parameters of the present address without opening it anew; null removes one. With `push` the way back leads to what was. */
export function changeParams(changes, { push = false } = {}) {
  const { page, id, params, store } = parseAddress(location.hash);
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "" && one !== false) params.append(name, one === true ? "1" : String(one));
    }
  }
  const address = formatAddress(page, id, params, store);
  if (address === location.hash) return;
  if (push) history.pushState(fresh(), "", address);
  else history.replaceState(history.state, "", address);
}

// The state of an entry of the history that is entered for the first time.
function fresh() {
  present = `${Date.now()} ${Math.random()}`;
  return { entry: present };
}

function cut(whole, mark) {
  const at = whole.indexOf(mark);
  return at < 0 ? [whole, ""] : [whole.slice(0, at), whole.slice(at + 1)];
}

function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // a lone %: the address was typed by hand
  }
}

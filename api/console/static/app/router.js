/** The address of a view: `#/items/42?as_of=17`. In the fragment, which a browser never sends to the server. */

/**
 * @typedef {object} Route
 * @property {string} view first segment of the path; `overview` if there is none
 * @property {string} id second segment, or empty
 * @property {URLSearchParams} params
 */

/**
 * Return the route of a fragment.
 *
 * @param {string} fragment
 * @returns {Route}
 */
export function parseRoute(fragment) {
  const [path = "", query = ""] = fragment.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view = "", id = ""] = path.split("/").map(decode);
  return { view: view || "overview", id, params: new URLSearchParams(query) };
}

/**
 * Return the link to a view. Empty parameters are left out.
 *
 * @param {string} view
 * @param {string | number=} id
 * @param {Record<string, string | number | boolean | null | undefined> | URLSearchParams=} params
 */
export function href(view, id = "", params = {}) {
  const query = new URLSearchParams();
  const entries = params instanceof URLSearchParams ? params.entries() : Object.entries(params);
  for (const [name, value] of entries) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  const path = `#/${encodeURIComponent(view)}${id === "" ? "" : `/${encodeURIComponent(id)}`}`;
  return query.size > 0 ? `${path}?${query}` : path;
}

/**
 * Go to a view: a new entry of the browser's history, or in place of the current one.
 *
 * @param {string} link as `href` returns it
 * @param {{replace?: boolean}=} options
 */
export function navigate(link, { replace = false } = {}) {
  if (link === location.hash) return;
  if (replace) {
    history.replaceState(null, "", link);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = link;
  }
}

/** @returns {Route} the route that the address bar shows */
export function currentRoute() {
  return parseRoute(location.hash);
}

/** @param {string} segment */
function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a malformed address is shown as it is
  }
}

/** The views: the address, the name and the scope of each. A view's code is loaded when it is first shown. */

/**
 * @typedef {object} ViewDescription
 * @property {string} title
 * @property {string | null} scope what the credential needs; null for none
 * @property {string} tag the custom element
 * @property {() => Promise<unknown>} load
 */

/** By the first segment of the address, in the order of the menu. @type {Record<string, ViewDescription>} */
export const VIEWS = {
  overview: { title: "Overview", scope: null, tag: "itl-overview", load: () => import("../views/overview.js") },
  items: { title: "Items", scope: "items:read", tag: "itl-items", load: () => import("../views/items.js") },
  history: { title: "History", scope: "events:read", tag: "itl-history", load: () => import("../views/history.js") },
  integrity: {
    title: "Integrity",
    scope: "events:read",
    tag: "itl-integrity",
    load: () => import("../views/integrity.js"),
  },
  projections: {
    title: "Projections",
    scope: "projections:rebuild",
    tag: "itl-projections",
    load: () => import("../views/projections.js"),
  },
  keys: { title: "Keys", scope: "keys:admin", tag: "itl-keys", load: () => import("../views/keys.js") },
};

/** Where the address has an id. @type {Record<string, ViewDescription>} */
const DETAILS = {
  items: { title: "Item", scope: "items:read", tag: "itl-item", load: () => import("../views/item.js") },
  history: { title: "Event", scope: "events:read", tag: "itl-event", load: () => import("../views/event.js") },
};

/**
 * Return the view of a route, null if there is none.
 *
 * @param {import("./router.js").Route} route
 */
export function viewOf({ view, id }) {
  const views = id === "" ? VIEWS : DETAILS;
  return Object.hasOwn(views, view) ? (views[view] ?? null) : null;
}

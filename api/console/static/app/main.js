/** The page: menu, the current view, and the form for a credential where one is needed. */

import { html, nothing } from "../vendor/lit.js";
import { lacksScope } from "./components.js";
import { Element } from "./element.js";
import { ApiProblem, problemNotice } from "./problem.js";
import { currentRoute, href } from "./router.js";
import { session } from "./session.js";
import { VIEWS, viewOf } from "./views.js";
import "./holder.js";
import "./sign_in.js";

class App extends Element {
  /** @override */
  static properties = { route: { state: true }, failure: { state: true }, shown: { state: true } };

  constructor() {
    super();
    this.route = currentRoute();
    /** @type {unknown} why a view could not be loaded or failed */
    this.failure = null;
    /** @type {import("./element.js").View | null} */
    this.shown = null;
    /** @type {string | null} what the page showed last: the tag of a view, or why there was none */
    this.place = null;
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    addEventListener("hashchange", () => this.#show());
    addEventListener("unhandledrejection", ({ reason }) => {
      if (reason?.name !== "AbortError") this.failure = reason;
    });
    session.addEventListener("change", () => {
      this.shown = null; // another holder sees nothing of what this one saw
      void this.#show();
    });
    void session.load();
  }

  /** @override */
  render() {
    return html`<header class="top">
        <button class="skip" @click=${() => this.#focusView()}>Skip to content</button>
        <a class="brand" href="#/overview">Itemledger</a>
        <nav aria-label="Views">
          <ul>
            ${Object.entries(VIEWS).map(
              ([name, { title }]) =>
                html`<li>
                  <a href=${href(name)} aria-current=${this.route.view === name ? "page" : nothing}>${title}</a>
                </li>`,
            )}
          </ul>
        </nav>
        <itl-holder class="who"></itl-holder>
      </header>
      <main>${this.#content()}</main>`;
  }

  #content() {
    if (session.me === null) {
      if (session.problem === null) return html`<p class="muted" role="status">Loading …</p>`;
      if (session.problem.status === 401) return html`<itl-sign-in></itl-sign-in>`;
      return html`${problemNotice(session.problem)} <button @click=${() => session.load()}>Retry</button>`;
    }
    const view = viewOf(this.route);
    if (view === null)
      return html`<h1 tabindex="-1">Not found</h1>
        <p>There is no such view. <a href="#/overview">Overview</a></p>`;
    if (view.scope !== null && !session.may(view.scope)) {
      return html`<h1 tabindex="-1">${view.title}</h1>
        ${lacksScope(view.scope)}`;
    }
    return html`${this.failure ? this.#failureNotice() : nothing} ${this.shown ?? nothing}`;
  }

  #failureNotice() {
    return html`${problemNotice(this.failure)}
      <div class="actions"><button @click=${() => location.reload()}>Reload the page</button></div>`;
  }

  /** Show the view of the address bar: by the element that is there, if it is of the same kind. */
  async #show() {
    const route = (this.route = currentRoute());
    const view = viewOf(route);
    document.title = `${view?.title ?? "Not found"}${route.id ? ` ${route.id}` : ""} · Itemledger`;
    const allowed = session.me !== null && view !== null && (view.scope === null || session.may(view.scope));
    /** @type {unknown} */
    let failure = null;
    if (allowed) await view.load().catch(() => (failure = notLoaded(view.title)));
    if (this.route !== route) return; // the next call shows what is wanted by now
    const tag = allowed && !failure ? view.tag : null;
    this.failure = failure;
    if (tag === null) this.shown = null;
    else if (this.shown?.localName !== tag) this.shown = /** @type {any} */ (document.createElement(tag));
    Object.assign(this.shown ?? {}, { route });
    const place = session.me === null ? "none" : (tag ?? `no view: ${route.view}`);
    // The focus stays where the browser puts it when the page opens, and where the same view shows something else.
    const isNew = this.place !== null && this.place !== place && session.me !== null;
    this.place = place;
    if (isNew) await this.#focusView();
  }

  /** Move the focus to the heading of the view, so that a screen reader reads it. */
  async #focusView() {
    await this.updateComplete;
    await this.shown?.updateComplete;
    const heading = this.querySelector("main h1");
    if (heading instanceof HTMLElement) heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

/**
 * Return the problem of a view whose code did not arrive. A browser does not ask again for a module that failed.
 *
 * @param {string} title
 */
function notLoaded(title) {
  return new ApiProblem(0, {
    title: `${title} could not be loaded`,
    detail:
      "Its code did not arrive. Check that the service runs and that you are connected, then reload the page. " +
      "A credential that is not kept in this tab is asked for again.",
  });
}

customElements.define("itl-app", App);

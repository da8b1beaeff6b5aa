/** The page: menu, the current view, and the form for a credential where one is needed. */

import { html, nothing } from "../vendor/lit.js";
import { lacksScope } from "./components.js";
import { Element } from "./element.js";
import { problemNotice } from "./problem.js";
import { currentRoute, href } from "./router.js";
import { session } from "./session.js";
import { VIEWS, viewOf } from "./views.js";
import "./sign_in.js";

class App extends Element {
  /** @override */
  static properties = { route: { state: true }, failure: { state: true } };

  constructor() {
    super();
    this.route = currentRoute();
    /** @type {unknown} why a view's code could not be loaded */
    this.failure = null;
    /** @type {HTMLElement | null} */
    this.shown = null;
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    addEventListener("hashchange", () => (this.route = currentRoute()));
    session.addEventListener("change", () => {
      this.shown = null; // another holder sees nothing of what this one saw
      this.requestUpdate();
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
        ${this.#who()}
      </header>
      <main>${this.#content()}</main>`;
  }

  #who() {
    if (session.me === null) return nothing;
    return html`<div class="who">
      <span title=${session.me.credential ?? "No credential is required"}>${session.me.actor}</span>
      ${session.signedIn ? html`<button @click=${() => session.signOut()}>Sign out</button>` : nothing}
    </div>`;
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
    return this.failure ? problemNotice(this.failure) : (this.shown ?? nothing);
  }

  /**
   * @override
   * @param {import("lit").PropertyValues} changed
   */
  willUpdate(changed) {
    if (changed.has("route") || (session.me !== null && this.shown === null)) void this.#show();
  }

  /** Show the view of the route: the element that is there, if it is of the same kind. */
  async #show() {
    const { route } = this;
    const view = viewOf(route);
    document.title = `${view?.title ?? "Not found"}${route.id ? ` ${route.id}` : ""} · Itemledger`;
    if (view === null || session.me === null) return;
    try {
      await view.load();
    } catch (error) {
      this.failure = error;
      return;
    }
    if (this.route !== route) return;
    this.failure = null;
    const same = this.shown?.localName === view.tag;
    const shown = same && this.shown !== null ? this.shown : document.createElement(view.tag);
    Object.assign(shown, { route });
    const first = this.shown === null;
    this.shown = shown;
    this.requestUpdate();
    await this.updateComplete;
    if (!same && !first) this.#focusView();
  }

  /** Move the focus to the heading of a new view, so that a screen reader reads it. */
  #focusView() {
    requestAnimationFrame(() => {
      const heading = this.querySelector("main h1");
      if (heading instanceof HTMLElement) heading.focus({ preventScroll: true });
      scrollTo(0, 0);
    });
  }
}

customElements.define("itl-app", App);

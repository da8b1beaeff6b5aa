// lit.js exports these, of these types. Left out on purpose: unsafeHTML and its kin, which render text as HTML.
export { LitElement, css, html, noChange, nothing, render, svg } from "lit";
export { cache } from "lit/directives/cache.js";
export { classMap } from "lit/directives/class-map.js";
export { guard } from "lit/directives/guard.js";
export { ifDefined } from "lit/directives/if-defined.js";
export { keyed } from "lit/directives/keyed.js";
export { live } from "lit/directives/live.js";
export { createRef, ref } from "lit/directives/ref.js";
export { repeat } from "lit/directives/repeat.js";
export { until } from "lit/directives/until.js";
export { when } from "lit/directives/when.js";

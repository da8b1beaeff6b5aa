/* @lit/reactive-element 2.1.2 (BSD-3-Clause), lit 3.3.3 (BSD-3-Clause), lit-element 4.2.2 (BSD-3-Clause), lit-html 3.3.3 (BSD-3-Clause): see LICENSES.txt. Written by make vendor. */
var G = globalThis,
  z =
    G.ShadowRoot &&
    (G.ShadyCSS === void 0 || G.ShadyCSS.nativeShadow) &&
    "adoptedStyleSheets" in Document.prototype &&
    "replace" in CSSStyleSheet.prototype,
  rt = Symbol(),
  vt = new WeakMap(),
  N = class {
    constructor(t, e, i) {
      if (((this._$cssResult$ = !0), i !== rt))
        throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");
      ((this.cssText = t), (this.t = e));
    }
    get styleSheet() {
      let t = this.o,
        e = this.t;
      if (z && t === void 0) {
        let i = e !== void 0 && e.length === 1;
        (i && (t = vt.get(e)),
          t === void 0 && ((this.o = t = new CSSStyleSheet()).replaceSync(this.cssText), i && vt.set(e, t)));
      }
      return t;
    }
    toString() {
      return this.cssText;
    }
  },
  gt = (s) => new N(typeof s == "string" ? s : s + "", void 0, rt),
  yt = (s, ...t) => {
    let e =
      s.length === 1
        ? s[0]
        : t.reduce(
            (i, r, o) =>
              i +
              ((n) => {
                if (n._$cssResult$ === !0) return n.cssText;
                if (typeof n == "number") return n;
                throw Error(
                  "Value passed to 'css' function must be a 'css' function result: " +
                    n +
                    ". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.",
                );
              })(r) +
              s[o + 1],
            s[0],
          );
    return new N(e, s, rt);
  },
  Ct = (s, t) => {
    if (z) s.adoptedStyleSheets = t.map((e) => (e instanceof CSSStyleSheet ? e : e.styleSheet));
    else
      for (let e of t) {
        let i = document.createElement("style"),
          r = G.litNonce;
        (r !== void 0 && i.setAttribute("nonce", r), (i.textContent = e.cssText), s.appendChild(i));
      }
  },
  ot = z
    ? (s) => s
    : (s) =>
        s instanceof CSSStyleSheet
          ? ((t) => {
              let e = "";
              for (let i of t.cssRules) e += i.cssText;
              return gt(e);
            })(s)
          : s;
var {
    is: Yt,
    defineProperty: Zt,
    getOwnPropertyDescriptor: Xt,
    getOwnPropertyNames: Ft,
    getOwnPropertySymbols: Jt,
    getPrototypeOf: Qt,
  } = Object,
  W = globalThis,
  Et = W.trustedTypes,
  te = Et ? Et.emptyScript : "",
  ee = W.reactiveElementPolyfillSupport,
  H = (s, t) => s,
  nt = {
    toAttribute(s, t) {
      switch (t) {
        case Boolean:
          s = s ? te : null;
          break;
        case Object:
        case Array:
          s = s == null ? s : JSON.stringify(s);
      }
      return s;
    },
    fromAttribute(s, t) {
      let e = s;
      switch (t) {
        case Boolean:
          e = s !== null;
          break;
        case Number:
          e = s === null ? null : Number(s);
          break;
        case Object:
        case Array:
          try {
            e = JSON.parse(s);
          } catch {
            e = null;
          }
      }
      return e;
    },
  },
  St = (s, t) => !Yt(s, t),
  xt = { attribute: !0, type: String, converter: nt, reflect: !1, useDefault: !1, hasChanged: St };
((Symbol.metadata ??= Symbol("metadata")), (W.litPropertyMetadata ??= new WeakMap()));
var y = class extends HTMLElement {
  static addInitializer(t) {
    (this._$Ei(), (this.l ??= []).push(t));
  }
  static get observedAttributes() {
    return (this.finalize(), this._$Eh && [...this._$Eh.keys()]);
  }
  static createProperty(t, e = xt) {
    if (
      (e.state && (e.attribute = !1),
      this._$Ei(),
      this.prototype.hasOwnProperty(t) && ((e = Object.create(e)).wrapped = !0),
      this.elementProperties.set(t, e),
      !e.noAccessor)
    ) {
      let i = Symbol(),
        r = this.getPropertyDescriptor(t, i, e);
      r !== void 0 && Zt(this.prototype, t, r);
    }
  }
  static getPropertyDescriptor(t, e, i) {
    let { get: r, set: o } = Xt(this.prototype, t) ?? {
      get() {
        return this[e];
      },
      set(n) {
        this[e] = n;
      },
    };
    return {
      get: r,
      set(n) {
        let l = r?.call(this);
        (o?.call(this, n), this.requestUpdate(t, l, i));
      },
      configurable: !0,
      enumerable: !0,
    };
  }
  static getPropertyOptions(t) {
    return this.elementProperties.get(t) ?? xt;
  }
  static _$Ei() {
    if (this.hasOwnProperty(H("elementProperties"))) return;
    let t = Qt(this);
    (t.finalize(), t.l !== void 0 && (this.l = [...t.l]), (this.elementProperties = new Map(t.elementProperties)));
  }
  static finalize() {
    if (this.hasOwnProperty(H("finalized"))) return;
    if (((this.finalized = !0), this._$Ei(), this.hasOwnProperty(H("properties")))) {
      let e = this.properties,
        i = [...Ft(e), ...Jt(e)];
      for (let r of i) this.createProperty(r, e[r]);
    }
    let t = this[Symbol.metadata];
    if (t !== null) {
      let e = litPropertyMetadata.get(t);
      if (e !== void 0) for (let [i, r] of e) this.elementProperties.set(i, r);
    }
    this._$Eh = new Map();
    for (let [e, i] of this.elementProperties) {
      let r = this._$Eu(e, i);
      r !== void 0 && this._$Eh.set(r, e);
    }
    this.elementStyles = this.finalizeStyles(this.styles);
  }
  static finalizeStyles(t) {
    let e = [];
    if (Array.isArray(t)) {
      let i = new Set(t.flat(1 / 0).reverse());
      for (let r of i) e.unshift(ot(r));
    } else t !== void 0 && e.push(ot(t));
    return e;
  }
  static _$Eu(t, e) {
    let i = e.attribute;
    return i === !1 ? void 0 : typeof i == "string" ? i : typeof t == "string" ? t.toLowerCase() : void 0;
  }
  constructor() {
    (super(),
      (this._$Ep = void 0),
      (this.isUpdatePending = !1),
      (this.hasUpdated = !1),
      (this._$Em = null),
      this._$Ev());
  }
  _$Ev() {
    ((this._$ES = new Promise((t) => (this.enableUpdating = t))),
      (this._$AL = new Map()),
      this._$E_(),
      this.requestUpdate(),
      this.constructor.l?.forEach((t) => t(this)));
  }
  addController(t) {
    ((this._$EO ??= new Set()).add(t), this.renderRoot !== void 0 && this.isConnected && t.hostConnected?.());
  }
  removeController(t) {
    this._$EO?.delete(t);
  }
  _$E_() {
    let t = new Map(),
      e = this.constructor.elementProperties;
    for (let i of e.keys()) this.hasOwnProperty(i) && (t.set(i, this[i]), delete this[i]);
    t.size > 0 && (this._$Ep = t);
  }
  createRenderRoot() {
    let t = this.shadowRoot ?? this.attachShadow(this.constructor.shadowRootOptions);
    return (Ct(t, this.constructor.elementStyles), t);
  }
  connectedCallback() {
    ((this.renderRoot ??= this.createRenderRoot()),
      this.enableUpdating(!0),
      this._$EO?.forEach((t) => t.hostConnected?.()));
  }
  enableUpdating(t) {}
  disconnectedCallback() {
    this._$EO?.forEach((t) => t.hostDisconnected?.());
  }
  attributeChangedCallback(t, e, i) {
    this._$AK(t, i);
  }
  _$ET(t, e) {
    let i = this.constructor.elementProperties.get(t),
      r = this.constructor._$Eu(t, i);
    if (r !== void 0 && i.reflect === !0) {
      let o = (i.converter?.toAttribute !== void 0 ? i.converter : nt).toAttribute(e, i.type);
      ((this._$Em = t), o == null ? this.removeAttribute(r) : this.setAttribute(r, o), (this._$Em = null));
    }
  }
  _$AK(t, e) {
    let i = this.constructor,
      r = i._$Eh.get(t);
    if (r !== void 0 && this._$Em !== r) {
      let o = i.getPropertyOptions(r),
        n =
          typeof o.converter == "function"
            ? { fromAttribute: o.converter }
            : o.converter?.fromAttribute !== void 0
              ? o.converter
              : nt;
      this._$Em = r;
      let l = n.fromAttribute(e, o.type);
      ((this[r] = l ?? this._$Ej?.get(r) ?? l), (this._$Em = null));
    }
  }
  requestUpdate(t, e, i, r = !1, o) {
    if (t !== void 0) {
      let n = this.constructor;
      if (
        (r === !1 && (o = this[t]),
        (i ??= n.getPropertyOptions(t)),
        !(
          (i.hasChanged ?? St)(o, e) ||
          (i.useDefault && i.reflect && o === this._$Ej?.get(t) && !this.hasAttribute(n._$Eu(t, i)))
        ))
      )
        return;
      this.C(t, e, i);
    }
    this.isUpdatePending === !1 && (this._$ES = this._$EP());
  }
  C(t, e, { useDefault: i, reflect: r, wrapped: o }, n) {
    (i && !(this._$Ej ??= new Map()).has(t) && (this._$Ej.set(t, n ?? e ?? this[t]), o !== !0 || n !== void 0)) ||
      (this._$AL.has(t) || (this.hasUpdated || i || (e = void 0), this._$AL.set(t, e)),
      r === !0 && this._$Em !== t && (this._$Eq ??= new Set()).add(t));
  }
  async _$EP() {
    this.isUpdatePending = !0;
    try {
      await this._$ES;
    } catch (e) {
      Promise.reject(e);
    }
    let t = this.scheduleUpdate();
    return (t != null && (await t), !this.isUpdatePending);
  }
  scheduleUpdate() {
    return this.performUpdate();
  }
  performUpdate() {
    if (!this.isUpdatePending) return;
    if (!this.hasUpdated) {
      if (((this.renderRoot ??= this.createRenderRoot()), this._$Ep)) {
        for (let [r, o] of this._$Ep) this[r] = o;
        this._$Ep = void 0;
      }
      let i = this.constructor.elementProperties;
      if (i.size > 0)
        for (let [r, o] of i) {
          let { wrapped: n } = o,
            l = this[r];
          n !== !0 || this._$AL.has(r) || l === void 0 || this.C(r, void 0, o, l);
        }
    }
    let t = !1,
      e = this._$AL;
    try {
      ((t = this.shouldUpdate(e)),
        t ? (this.willUpdate(e), this._$EO?.forEach((i) => i.hostUpdate?.()), this.update(e)) : this._$EM());
    } catch (i) {
      throw ((t = !1), this._$EM(), i);
    }
    t && this._$AE(e);
  }
  willUpdate(t) {}
  _$AE(t) {
    (this._$EO?.forEach((e) => e.hostUpdated?.()),
      this.hasUpdated || ((this.hasUpdated = !0), this.firstUpdated(t)),
      this.updated(t));
  }
  _$EM() {
    ((this._$AL = new Map()), (this.isUpdatePending = !1));
  }
  get updateComplete() {
    return this.getUpdateComplete();
  }
  getUpdateComplete() {
    return this._$ES;
  }
  shouldUpdate(t) {
    return !0;
  }
  update(t) {
    ((this._$Eq &&= this._$Eq.forEach((e) => this._$ET(e, this[e]))), this._$EM());
  }
  updated(t) {}
  firstUpdated(t) {}
};
((y.elementStyles = []),
  (y.shadowRootOptions = { mode: "open" }),
  (y[H("elementProperties")] = new Map()),
  (y[H("finalized")] = new Map()),
  ee?.({ ReactiveElement: y }),
  (W.reactiveElementVersions ??= []).push("2.1.2"));
var ht = globalThis,
  bt = (s) => s,
  K = ht.trustedTypes,
  wt = K ? K.createPolicy("lit-html", { createHTML: (s) => s }) : void 0,
  lt = "$lit$",
  C = `lit$${Math.random().toFixed(9).slice(2)}$`,
  ct = "?" + C,
  se = `<${ct}>`,
  T = document,
  k = () => T.createComment(""),
  L = (s) => s === null || (typeof s != "object" && typeof s != "function"),
  dt = Array.isArray,
  Ot = (s) => dt(s) || typeof s?.[Symbol.iterator] == "function",
  at = `[ 	
\f\r]`,
  D = /<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,
  Tt = /-->/g,
  Pt = />/g,
  b = RegExp(
    `>|${at}(?:([^\\s"'>=/]+)(${at}*=${at}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,
    "g",
  ),
  Rt = /'/g,
  Ut = /"/g,
  Nt = /^(?:script|style|textarea|title)$/i,
  pt =
    (s) =>
    (t, ...e) => ({ _$litType$: s, strings: t, values: e }),
  ie = pt(1),
  re = pt(2),
  Te = pt(3),
  $ = Symbol.for("lit-noChange"),
  c = Symbol.for("lit-nothing"),
  Mt = new WeakMap(),
  w = T.createTreeWalker(T, 129);
function Ht(s, t) {
  if (!dt(s) || !s.hasOwnProperty("raw")) throw Error("invalid template strings array");
  return wt !== void 0 ? wt.createHTML(t) : t;
}
var Dt = (s, t) => {
    let e = s.length - 1,
      i = [],
      r,
      o = t === 2 ? "<svg>" : t === 3 ? "<math>" : "",
      n = D;
    for (let l = 0; l < e; l++) {
      let a = s[l],
        p,
        u,
        h = -1,
        f = 0;
      for (; f < a.length && ((n.lastIndex = f), (u = n.exec(a)), u !== null);)
        ((f = n.lastIndex),
          n === D
            ? u[1] === "!--"
              ? (n = Tt)
              : u[1] !== void 0
                ? (n = Pt)
                : u[2] !== void 0
                  ? (Nt.test(u[2]) && (r = RegExp("</" + u[2], "g")), (n = b))
                  : u[3] !== void 0 && (n = b)
            : n === b
              ? u[0] === ">"
                ? ((n = r ?? D), (h = -1))
                : u[1] === void 0
                  ? (h = -2)
                  : ((h = n.lastIndex - u[2].length), (p = u[1]), (n = u[3] === void 0 ? b : u[3] === '"' ? Ut : Rt))
              : n === Ut || n === Rt
                ? (n = b)
                : n === Tt || n === Pt
                  ? (n = D)
                  : ((n = b), (r = void 0)));
      let d = n === b && s[l + 1].startsWith("/>") ? " " : "";
      o +=
        n === D ? a + se : h >= 0 ? (i.push(p), a.slice(0, h) + lt + a.slice(h) + C + d) : a + C + (h === -2 ? l : d);
    }
    return [Ht(s, o + (s[e] || "<?>") + (t === 2 ? "</svg>" : t === 3 ? "</math>" : "")), i];
  },
  B = class s {
    constructor({ strings: t, _$litType$: e }, i) {
      let r;
      this.parts = [];
      let o = 0,
        n = 0,
        l = t.length - 1,
        a = this.parts,
        [p, u] = Dt(t, e);
      if (((this.el = s.createElement(p, i)), (w.currentNode = this.el.content), e === 2 || e === 3)) {
        let h = this.el.content.firstChild;
        h.replaceWith(...h.childNodes);
      }
      for (; (r = w.nextNode()) !== null && a.length < l;) {
        if (r.nodeType === 1) {
          if (r.hasAttributes())
            for (let h of r.getAttributeNames())
              if (h.endsWith(lt)) {
                let f = u[n++],
                  d = r.getAttribute(h).split(C),
                  m = /([.?@])?(.*)/.exec(f);
                (a.push({
                  type: 1,
                  index: o,
                  name: m[2],
                  strings: d,
                  ctor: m[1] === "." ? Y : m[1] === "?" ? Z : m[1] === "@" ? X : R,
                }),
                  r.removeAttribute(h));
              } else h.startsWith(C) && (a.push({ type: 6, index: o }), r.removeAttribute(h));
          if (Nt.test(r.tagName)) {
            let h = r.textContent.split(C),
              f = h.length - 1;
            if (f > 0) {
              r.textContent = K ? K.emptyScript : "";
              for (let d = 0; d < f; d++) (r.append(h[d], k()), w.nextNode(), a.push({ type: 2, index: ++o }));
              r.append(h[f], k());
            }
          }
        } else if (r.nodeType === 8)
          if (r.data === ct) a.push({ type: 2, index: o });
          else {
            let h = -1;
            for (; (h = r.data.indexOf(C, h + 1)) !== -1;) (a.push({ type: 7, index: o }), (h += C.length - 1));
          }
        o++;
      }
    }
    static createElement(t, e) {
      let i = T.createElement("template");
      return ((i.innerHTML = t), i);
    }
  };
function P(s, t, e = s, i) {
  if (t === $) return t;
  let r = i !== void 0 ? e._$Co?.[i] : e._$Cl,
    o = L(t) ? void 0 : t._$litDirective$;
  return (
    r?.constructor !== o &&
      (r?._$AO?.(!1),
      o === void 0 ? (r = void 0) : ((r = new o(s)), r._$AT(s, e, i)),
      i !== void 0 ? ((e._$Co ??= [])[i] = r) : (e._$Cl = r)),
    r !== void 0 && (t = P(s, r._$AS(s, t.values), r, i)),
    t
  );
}
var q = class {
    constructor(t, e) {
      ((this._$AV = []), (this._$AN = void 0), (this._$AD = t), (this._$AM = e));
    }
    get parentNode() {
      return this._$AM.parentNode;
    }
    get _$AU() {
      return this._$AM._$AU;
    }
    u(t) {
      let {
          el: { content: e },
          parts: i,
        } = this._$AD,
        r = (t?.creationScope ?? T).importNode(e, !0);
      w.currentNode = r;
      let o = w.nextNode(),
        n = 0,
        l = 0,
        a = i[0];
      for (; a !== void 0;) {
        if (n === a.index) {
          let p;
          (a.type === 2
            ? (p = new M(o, o.nextSibling, this, t))
            : a.type === 1
              ? (p = new a.ctor(o, a.name, a.strings, this, t))
              : a.type === 6 && (p = new F(o, this, t)),
            this._$AV.push(p),
            (a = i[++l]));
        }
        n !== a?.index && ((o = w.nextNode()), n++);
      }
      return ((w.currentNode = T), r);
    }
    p(t) {
      let e = 0;
      for (let i of this._$AV)
        (i !== void 0 && (i.strings !== void 0 ? (i._$AI(t, i, e), (e += i.strings.length - 2)) : i._$AI(t[e])), e++);
    }
  },
  M = class s {
    get _$AU() {
      return this._$AM?._$AU ?? this._$Cv;
    }
    constructor(t, e, i, r) {
      ((this.type = 2),
        (this._$AH = c),
        (this._$AN = void 0),
        (this._$AA = t),
        (this._$AB = e),
        (this._$AM = i),
        (this.options = r),
        (this._$Cv = r?.isConnected ?? !0));
    }
    get parentNode() {
      let t = this._$AA.parentNode,
        e = this._$AM;
      return (e !== void 0 && t?.nodeType === 11 && (t = e.parentNode), t);
    }
    get startNode() {
      return this._$AA;
    }
    get endNode() {
      return this._$AB;
    }
    _$AI(t, e = this) {
      ((t = P(this, t, e)),
        L(t)
          ? t === c || t == null || t === ""
            ? (this._$AH !== c && this._$AR(), (this._$AH = c))
            : t !== this._$AH && t !== $ && this._(t)
          : t._$litType$ !== void 0
            ? this.$(t)
            : t.nodeType !== void 0
              ? this.T(t)
              : Ot(t)
                ? this.k(t)
                : this._(t));
    }
    O(t) {
      return this._$AA.parentNode.insertBefore(t, this._$AB);
    }
    T(t) {
      this._$AH !== t && (this._$AR(), (this._$AH = this.O(t)));
    }
    _(t) {
      (this._$AH !== c && L(this._$AH) ? (this._$AA.nextSibling.data = t) : this.T(T.createTextNode(t)),
        (this._$AH = t));
    }
    $(t) {
      let { values: e, _$litType$: i } = t,
        r =
          typeof i == "number"
            ? this._$AC(t)
            : (i.el === void 0 && (i.el = B.createElement(Ht(i.h, i.h[0]), this.options)), i);
      if (this._$AH?._$AD === r) this._$AH.p(e);
      else {
        let o = new q(r, this),
          n = o.u(this.options);
        (o.p(e), this.T(n), (this._$AH = o));
      }
    }
    _$AC(t) {
      let e = Mt.get(t.strings);
      return (e === void 0 && Mt.set(t.strings, (e = new B(t))), e);
    }
    k(t) {
      dt(this._$AH) || ((this._$AH = []), this._$AR());
      let e = this._$AH,
        i,
        r = 0;
      for (let o of t)
        (r === e.length ? e.push((i = new s(this.O(k()), this.O(k()), this, this.options))) : (i = e[r]),
          i._$AI(o),
          r++);
      r < e.length && (this._$AR(i && i._$AB.nextSibling, r), (e.length = r));
    }
    _$AR(t = this._$AA.nextSibling, e) {
      for (this._$AP?.(!1, !0, e); t !== this._$AB;) {
        let i = bt(t).nextSibling;
        (bt(t).remove(), (t = i));
      }
    }
    setConnected(t) {
      this._$AM === void 0 && ((this._$Cv = t), this._$AP?.(t));
    }
  },
  R = class {
    get tagName() {
      return this.element.tagName;
    }
    get _$AU() {
      return this._$AM._$AU;
    }
    constructor(t, e, i, r, o) {
      ((this.type = 1),
        (this._$AH = c),
        (this._$AN = void 0),
        (this.element = t),
        (this.name = e),
        (this._$AM = r),
        (this.options = o),
        i.length > 2 || i[0] !== "" || i[1] !== ""
          ? ((this._$AH = Array(i.length - 1).fill(new String())), (this.strings = i))
          : (this._$AH = c));
    }
    _$AI(t, e = this, i, r) {
      let o = this.strings,
        n = !1;
      if (o === void 0) ((t = P(this, t, e, 0)), (n = !L(t) || (t !== this._$AH && t !== $)), n && (this._$AH = t));
      else {
        let l = t,
          a,
          p;
        for (t = o[0], a = 0; a < o.length - 1; a++)
          ((p = P(this, l[i + a], e, a)),
            p === $ && (p = this._$AH[a]),
            (n ||= !L(p) || p !== this._$AH[a]),
            p === c ? (t = c) : t !== c && (t += (p ?? "") + o[a + 1]),
            (this._$AH[a] = p));
      }
      n && !r && this.j(t);
    }
    j(t) {
      t === c ? this.element.removeAttribute(this.name) : this.element.setAttribute(this.name, t ?? "");
    }
  },
  Y = class extends R {
    constructor() {
      (super(...arguments), (this.type = 3));
    }
    j(t) {
      this.element[this.name] = t === c ? void 0 : t;
    }
  },
  Z = class extends R {
    constructor() {
      (super(...arguments), (this.type = 4));
    }
    j(t) {
      this.element.toggleAttribute(this.name, !!t && t !== c);
    }
  },
  X = class extends R {
    constructor(t, e, i, r, o) {
      (super(t, e, i, r, o), (this.type = 5));
    }
    _$AI(t, e = this) {
      if ((t = P(this, t, e, 0) ?? c) === $) return;
      let i = this._$AH,
        r = (t === c && i !== c) || t.capture !== i.capture || t.once !== i.once || t.passive !== i.passive,
        o = t !== c && (i === c || r);
      (r && this.element.removeEventListener(this.name, this, i),
        o && this.element.addEventListener(this.name, this, t),
        (this._$AH = t));
    }
    handleEvent(t) {
      typeof this._$AH == "function" ? this._$AH.call(this.options?.host ?? this.element, t) : this._$AH.handleEvent(t);
    }
  },
  F = class {
    constructor(t, e, i) {
      ((this.element = t), (this.type = 6), (this._$AN = void 0), (this._$AM = e), (this.options = i));
    }
    get _$AU() {
      return this._$AM._$AU;
    }
    _$AI(t) {
      P(this, t);
    }
  },
  kt = { M: lt, P: C, A: ct, C: 1, L: Dt, R: q, D: Ot, V: P, I: M, H: R, N: Z, U: X, B: Y, F },
  oe = ht.litHtmlPolyfillSupport;
(oe?.(B, M), (ht.litHtmlVersions ??= []).push("3.3.3"));
var I = (s, t, e) => {
  let i = e?.renderBefore ?? t,
    r = i._$litPart$;
  if (r === void 0) {
    let o = e?.renderBefore ?? null;
    i._$litPart$ = r = new M(t.insertBefore(k(), o), o, void 0, e ?? {});
  }
  return (r._$AI(s), r);
};
var ut = globalThis,
  U = class extends y {
    constructor() {
      (super(...arguments), (this.renderOptions = { host: this }), (this._$Do = void 0));
    }
    createRenderRoot() {
      let t = super.createRenderRoot();
      return ((this.renderOptions.renderBefore ??= t.firstChild), t);
    }
    update(t) {
      let e = this.render();
      (this.hasUpdated || (this.renderOptions.isConnected = this.isConnected),
        super.update(t),
        (this._$Do = I(e, this.renderRoot, this.renderOptions)));
    }
    connectedCallback() {
      (super.connectedCallback(), this._$Do?.setConnected(!0));
    }
    disconnectedCallback() {
      (super.disconnectedCallback(), this._$Do?.setConnected(!1));
    }
    render() {
      return $;
    }
  };
((U._$litElement$ = !0), (U.finalized = !0), ut.litElementHydrateSupport?.({ LitElement: U }));
var ne = ut.litElementPolyfillSupport;
ne?.({ LitElement: U });
(ut.litElementVersions ??= []).push("4.2.2");
var v = { ATTRIBUTE: 1, CHILD: 2, PROPERTY: 3, BOOLEAN_ATTRIBUTE: 4, EVENT: 5, ELEMENT: 6 },
  _ =
    (s) =>
    (...t) => ({ _$litDirective$: s, values: t }),
  A = class {
    constructor(t) {}
    get _$AU() {
      return this._$AM._$AU;
    }
    _$AT(t, e, i) {
      ((this._$Ct = t), (this._$AM = e), (this._$Ci = i));
    }
    _$AS(t, e) {
      return this.update(t, e);
    }
    update(t, e) {
      return this.render(...e);
    }
  };
var { I: ae } = kt,
  Lt = (s) => s,
  It = (s) => s === null || (typeof s != "object" && typeof s != "function");
var ft = (s, t) => (t === void 0 ? s?._$litType$ !== void 0 : s?._$litType$ === t),
  Vt = (s) => s?._$litType$?.h != null;
var J = (s) => s.strings === void 0,
  Bt = () => document.createComment(""),
  E = (s, t, e) => {
    let i = s._$AA.parentNode,
      r = t === void 0 ? s._$AB : t._$AA;
    if (e === void 0) {
      let o = i.insertBefore(Bt(), r),
        n = i.insertBefore(Bt(), r);
      e = new ae(o, n, s, s.options);
    } else {
      let o = e._$AB.nextSibling,
        n = e._$AM,
        l = n !== s;
      if (l) {
        let a;
        (e._$AQ?.(s), (e._$AM = s), e._$AP !== void 0 && (a = s._$AU) !== n._$AU && e._$AP(a));
      }
      if (o !== r || l) {
        let a = e._$AA;
        for (; a !== o;) {
          let p = Lt(a).nextSibling;
          (Lt(i).insertBefore(a, r), (a = p));
        }
      }
    }
    return e;
  },
  S = (s, t, e = s) => (s._$AI(t, e), s),
  he = {},
  x = (s, t = he) => (s._$AH = t),
  V = (s) => s._$AH,
  Q = (s) => {
    (s._$AR(), s._$AA.remove());
  },
  jt = (s) => {
    s._$AR();
  };
var Gt = (s) => (Vt(s) ? s._$litType$.h : s.strings),
  le = _(
    class extends A {
      constructor(s) {
        (super(s), (this.et = new WeakMap()));
      }
      render(s) {
        return [s];
      }
      update(s, [t]) {
        let e = ft(this.it) ? Gt(this.it) : null,
          i = ft(t) ? Gt(t) : null;
        if (e !== null && (i === null || e !== i)) {
          let r = V(s).pop(),
            o = this.et.get(e);
          if (o === void 0) {
            let n = document.createDocumentFragment();
            ((o = I(c, n)), o.setConnected(!1), this.et.set(e, o));
          }
          (x(o, [r]), E(o, void 0, r));
        }
        if (i !== null) {
          if (e === null || e !== i) {
            let r = this.et.get(i);
            if (r !== void 0) {
              let o = V(r).pop();
              (jt(s), E(s, void 0, o), x(s, [o]));
            }
          }
          this.it = t;
        } else this.it = void 0;
        return this.render(t);
      }
    },
  );
var ce = _(
  class extends A {
    constructor(s) {
      if ((super(s), s.type !== v.ATTRIBUTE || s.name !== "class" || s.strings?.length > 2))
        throw Error(
          "`classMap()` can only be used in the `class` attribute and must be the only part in the attribute.",
        );
    }
    render(s) {
      return (
        " " +
        Object.keys(s)
          .filter((t) => s[t])
          .join(" ") +
        " "
      );
    }
    update(s, [t]) {
      if (this.st === void 0) {
        ((this.st = new Set()),
          s.strings !== void 0 &&
            (this.nt = new Set(
              s.strings
                .join(" ")
                .split(/\s/)
                .filter((i) => i !== ""),
            )));
        for (let i in t) t[i] && !this.nt?.has(i) && this.st.add(i);
        return this.render(t);
      }
      let e = s.element.classList;
      for (let i of this.st) i in t || (e.remove(i), this.st.delete(i));
      for (let i in t) {
        let r = !!t[i];
        r === this.st.has(i) || this.nt?.has(i) || (r ? (e.add(i), this.st.add(i)) : (e.remove(i), this.st.delete(i)));
      }
      return $;
    }
  },
);
var de = {},
  pe = _(
    class extends A {
      constructor() {
        (super(...arguments), (this.ot = de));
      }
      render(s, t) {
        return t();
      }
      update(s, [t, e]) {
        if (Array.isArray(t)) {
          if (Array.isArray(this.ot) && this.ot.length === t.length && t.every((i, r) => i === this.ot[r])) return $;
        } else if (this.ot === t) return $;
        return ((this.ot = Array.isArray(t) ? Array.from(t) : t), this.render(t, e));
      }
    },
  );
var ue = (s) => s ?? c;
var fe = _(
  class extends A {
    constructor() {
      (super(...arguments), (this.key = c));
    }
    render(s, t) {
      return ((this.key = s), t);
    }
    update(s, [t, e]) {
      return (t !== this.key && (x(s), (this.key = t)), e);
    }
  },
);
var $e = _(
  class extends A {
    constructor(s) {
      if ((super(s), s.type !== v.PROPERTY && s.type !== v.ATTRIBUTE && s.type !== v.BOOLEAN_ATTRIBUTE))
        throw Error("The `live` directive is not allowed on child or event bindings");
      if (!J(s)) throw Error("`live` bindings can only contain a single expression");
    }
    render(s) {
      return s;
    }
    update(s, [t]) {
      if (t === $ || t === c) return t;
      let e = s.element,
        i = s.name;
      if (s.type === v.PROPERTY) {
        if (t === e[i]) return $;
      } else if (s.type === v.BOOLEAN_ATTRIBUTE) {
        if (!!t === e.hasAttribute(i)) return $;
      } else if (s.type === v.ATTRIBUTE && e.getAttribute(i) === t + "") return $;
      return (x(s), t);
    }
  },
);
var j = (s, t) => {
    let e = s._$AN;
    if (e === void 0) return !1;
    for (let i of e) (i._$AO?.(t, !1), j(i, t));
    return !0;
  },
  tt = (s) => {
    let t, e;
    do {
      if ((t = s._$AM) === void 0) break;
      ((e = t._$AN), e.delete(s), (s = t));
    } while (e?.size === 0);
  },
  zt = (s) => {
    for (let t; (t = s._$AM); s = t) {
      let e = t._$AN;
      if (e === void 0) t._$AN = e = new Set();
      else if (e.has(s)) break;
      (e.add(s), Ae(t));
    }
  };
function me(s) {
  this._$AN !== void 0 ? (tt(this), (this._$AM = s), zt(this)) : (this._$AM = s);
}
function _e(s, t = !1, e = 0) {
  let i = this._$AH,
    r = this._$AN;
  if (r !== void 0 && r.size !== 0)
    if (t)
      if (Array.isArray(i)) for (let o = e; o < i.length; o++) (j(i[o], !1), tt(i[o]));
      else i != null && (j(i, !1), tt(i));
    else j(this, s);
}
var Ae = (s) => {
    s.type == v.CHILD && ((s._$AP ??= _e), (s._$AQ ??= me));
  },
  O = class extends A {
    constructor() {
      (super(...arguments), (this._$AN = void 0));
    }
    _$AT(t, e, i) {
      (super._$AT(t, e, i), zt(this), (this.isConnected = t._$AU));
    }
    _$AO(t, e = !0) {
      (t !== this.isConnected && ((this.isConnected = t), t ? this.reconnected?.() : this.disconnected?.()),
        e && (j(this, t), tt(this)));
    }
    setValue(t) {
      if (J(this._$Ct)) this._$Ct._$AI(t, this);
      else {
        let e = [...this._$Ct._$AH];
        ((e[this._$Ci] = t), this._$Ct._$AI(e, this, 0));
      }
    }
    disconnected() {}
    reconnected() {}
  };
var ve = () => new mt(),
  mt = class {},
  $t = new WeakMap(),
  ge = _(
    class extends O {
      render(s) {
        return c;
      }
      update(s, [t]) {
        let e = t !== this.G;
        return (
          e && this.rt(void 0),
          (e || this.lt !== this.ct) && ((this.G = t), (this.ht = s.options?.host), this.rt((this.ct = s.element))),
          c
        );
      }
      rt(s) {
        if (this.G !== void 0)
          if ((this.isConnected || (s = void 0), typeof this.G == "function")) {
            let t = this.ht ?? globalThis,
              e = $t.get(t);
            (e === void 0 && ((e = new WeakMap()), $t.set(t, e)),
              e.get(this.G) !== void 0 && this.G.call(this.ht, void 0),
              e.set(this.G, s),
              s !== void 0 && this.G.call(this.ht, s));
          } else this.G.value = s;
      }
      get lt() {
        return typeof this.G == "function" ? $t.get(this.ht ?? globalThis)?.get(this.G) : this.G?.value;
      }
      disconnected() {
        this.lt === this.ct && this.rt(void 0);
      }
      reconnected() {
        this.rt(this.ct);
      }
    },
  );
var Wt = (s, t, e) => {
    let i = new Map();
    for (let r = t; r <= e; r++) i.set(s[r], r);
    return i;
  },
  ye = _(
    class extends A {
      constructor(s) {
        if ((super(s), s.type !== v.CHILD)) throw Error("repeat() can only be used in text expressions");
      }
      dt(s, t, e) {
        let i;
        e === void 0 ? (e = t) : t !== void 0 && (i = t);
        let r = [],
          o = [],
          n = 0;
        for (let l of s) ((r[n] = i ? i(l, n) : n), (o[n] = e(l, n)), n++);
        return { values: o, keys: r };
      }
      render(s, t, e) {
        return this.dt(s, t, e).values;
      }
      update(s, [t, e, i]) {
        let r = V(s),
          { values: o, keys: n } = this.dt(t, e, i);
        if (!Array.isArray(r)) return ((this.ut = n), o);
        let l = (this.ut ??= []),
          a = [],
          p,
          u,
          h = 0,
          f = r.length - 1,
          d = 0,
          m = o.length - 1;
        for (; h <= f && d <= m;)
          if (r[h] === null) h++;
          else if (r[f] === null) f--;
          else if (l[h] === n[d]) ((a[d] = S(r[h], o[d])), h++, d++);
          else if (l[f] === n[m]) ((a[m] = S(r[f], o[m])), f--, m--);
          else if (l[h] === n[m]) ((a[m] = S(r[h], o[m])), E(s, a[m + 1], r[h]), h++, m--);
          else if (l[f] === n[d]) ((a[d] = S(r[f], o[d])), E(s, r[h], r[f]), f--, d++);
          else if ((p === void 0 && ((p = Wt(n, d, m)), (u = Wt(l, h, f))), p.has(l[h])))
            if (p.has(l[f])) {
              let g = u.get(n[d]),
                it = g !== void 0 ? r[g] : null;
              if (it === null) {
                let At = E(s, r[h]);
                (S(At, o[d]), (a[d] = At));
              } else ((a[d] = S(it, o[d])), E(s, r[h], it), (r[g] = null));
              d++;
            } else (Q(r[f]), f--);
          else (Q(r[h]), h++);
        for (; d <= m;) {
          let g = E(s, a[m + 1]);
          (S(g, o[d]), (a[d++] = g));
        }
        for (; h <= f;) {
          let g = r[h++];
          g !== null && Q(g);
        }
        return ((this.ut = n), x(s, a), $);
      }
    },
  );
var et = class {
    constructor(t) {
      this.G = t;
    }
    disconnect() {
      this.G = void 0;
    }
    reconnect(t) {
      this.G = t;
    }
    deref() {
      return this.G;
    }
  },
  st = class {
    constructor() {
      ((this.Y = void 0), (this.Z = void 0));
    }
    get() {
      return this.Y;
    }
    pause() {
      this.Y ??= new Promise((t) => (this.Z = t));
    }
    resume() {
      (this.Z?.(), (this.Y = this.Z = void 0));
    }
  };
var Kt = (s) => !It(s) && typeof s.then == "function",
  qt = 1073741823,
  _t = class extends O {
    constructor() {
      (super(...arguments), (this._$Cwt = qt), (this._$Cbt = []), (this._$CK = new et(this)), (this._$CX = new st()));
    }
    render(...t) {
      return t.find((e) => !Kt(e)) ?? $;
    }
    update(t, e) {
      let i = this._$Cbt,
        r = i.length;
      this._$Cbt = e;
      let o = this._$CK,
        n = this._$CX;
      this.isConnected || this.disconnected();
      for (let l = 0; l < e.length && !(l > this._$Cwt); l++) {
        let a = e[l];
        if (!Kt(a)) return ((this._$Cwt = l), a);
        (l < r && a === i[l]) ||
          ((this._$Cwt = qt),
          (r = 0),
          Promise.resolve(a).then(async (p) => {
            for (; n.get();) await n.get();
            let u = o.deref();
            if (u !== void 0) {
              let h = u._$Cbt.indexOf(a);
              h > -1 && h < u._$Cwt && ((u._$Cwt = h), u.setValue(p));
            }
          }));
      }
      return $;
    }
    disconnected() {
      (this._$CK.disconnect(), this._$CX.pause());
    }
    reconnected() {
      (this._$CK.reconnect(this), this._$CX.resume());
    }
  },
  Ce = _(_t);
function Ee(s, t, e) {
  return s ? t(s) : e?.(s);
}
export {
  U as LitElement,
  le as cache,
  ce as classMap,
  ve as createRef,
  yt as css,
  pe as guard,
  ie as html,
  ue as ifDefined,
  fe as keyed,
  $e as live,
  $ as noChange,
  c as nothing,
  ge as ref,
  I as render,
  ye as repeat,
  re as svg,
  Ce as until,
  Ee as when,
};
/*! Bundled license information:

@lit/reactive-element/css-tag.js:
  (**
   * @license
   * Copyright 2019 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

@lit/reactive-element/reactive-element.js:
lit-html/lit-html.js:
lit-element/lit-element.js:
lit-html/directive.js:
lit-html/directives/cache.js:
lit-html/async-directive.js:
lit-html/directives/repeat.js:
lit-html/directives/until.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/is-server.js:
  (**
   * @license
   * Copyright 2022 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
lit-html/directives/live.js:
lit-html/directives/ref.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/class-map.js:
lit-html/directives/guard.js:
lit-html/directives/if-defined.js:
  (**
   * @license
   * Copyright 2018 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/keyed.js:
lit-html/directives/private-async-helpers.js:
lit-html/directives/when.js:
  (**
   * @license
   * Copyright 2021 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/

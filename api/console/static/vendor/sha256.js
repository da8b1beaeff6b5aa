/* @noble/hashes 2.4.0 (MIT): see LICENSES.txt. Written by make vendor. */
var j = (e) => (e / 2 ** 32) | 0,
  $ = (e) => e >>> 0;
function U(e, t, n, r) {
  let o = j(n),
    c = $(n);
  (e.setUint32(t, r ? c : o, r), e.setUint32(t + 4, r ? o : c, r));
}
function S(e) {
  return (
    e instanceof Uint8Array ||
    (ArrayBuffer.isView(e) &&
      e.constructor.name === "Uint8Array" &&
      "BYTES_PER_ELEMENT" in e &&
      e.BYTES_PER_ELEMENT === 1)
  );
}
var w = (e) => (e ? `"${e}" ` : "");
function k(e, t = "") {
  if (typeof e != "number") throw new TypeError(w(t) + "expected number, got " + typeof e);
  if (!Number.isSafeInteger(e) || e < 0) throw new RangeError(w(t) + "expected integer >= 0, got " + e);
  return e;
}
function m(e, t, n = "") {
  if (S(e) && (t === void 0 || e.length === t)) return e;
  t !== void 0 && k(t, "length");
  let r = S(e),
    o = t !== void 0 ? ` of length ${t}` : "",
    c = r ? `length=${e.length}` : `type=${typeof e}`,
    f = w(n) + "expected Uint8Array" + o + ", got " + c;
  throw r ? new RangeError(f) : new TypeError(f);
}
var M = (e, t) => {
    if (e === null || typeof e != "object" || Array.isArray(e))
      throw new TypeError((t === "object" ? "" : `"${t}" `) + "expected object, got type=" + typeof e);
  },
  _ = (e, t) => {
    M(e, t);
    let n = Object.getPrototypeOf(e);
    if (n !== Object.prototype && n !== null) throw new TypeError(`"${t}" expected plain object`);
    if (Object.hasOwn(e, "__proto__")) throw new TypeError(`"${t}.__proto__" is not allowed`);
  };
function A(e, t = !0) {
  if (e.destroyed) throw new Error("hash was destroyed");
  if (t && e.finished) throw new Error("digest() was already called");
}
function T(e, t) {
  m(e, void 0, "output");
  let n = t.outputLen;
  if (!(e.length >= n)) throw new RangeError('"output" expected length >= ' + n);
}
function E(...e) {
  for (let t = 0; t < e.length; t++) e[t].fill(0);
}
function p(e) {
  return new DataView(e.buffer, e.byteOffset, e.byteLength);
}
function h(e, t) {
  return (e << (32 - t)) | (e >>> t);
}
function R(e, t, n = "opts") {
  return (_(e, "defaults"), t !== void 0 && _(t, n), Object.assign(Object.create(null), e, t));
}
function C(e, t = {}) {
  if (typeof e != "function") throw new TypeError('"hashCons" expected function, got type=' + typeof e);
  t = R({}, t, "info");
  let n = (o, c) => e(c).update(o).digest(),
    r = e(void 0);
  return (
    (n.outputLen = r.outputLen),
    (n.blockLen = r.blockLen),
    (n.canXOF = r.canXOF),
    (n.create = (o) => e(o)),
    Object.assign(n, t),
    Object.freeze(n)
  );
}
var F = (e) => ({ oid: Uint8Array.from([6, 9, 96, 134, 72, 1, 101, 3, 4, 2, e]) });
function D(e, t, n) {
  return (e & t) ^ (~e & n);
}
function O(e, t, n) {
  return (e & t) ^ (e & n) ^ (t & n);
}
var y = class {
    blockLen;
    outputLen;
    canXOF = !1;
    padOffset;
    isLE;
    buffer;
    view;
    finished = !1;
    length = 0;
    pos = 0;
    destroyed = !1;
    constructor(t, n, r, o) {
      ((this.blockLen = t),
        (this.outputLen = n),
        (this.padOffset = r),
        (this.isLE = o),
        (this.buffer = new Uint8Array(t)),
        (this.view = p(this.buffer)));
    }
    update(t) {
      (A(this), m(t));
      let { view: n, buffer: r, blockLen: o } = this,
        c = t.length,
        f = !1;
      for (let s = 0; s < c;) {
        let x = Math.min(o - this.pos, c - s);
        if (x === o) {
          let a = p(t);
          for (; o <= c - s; s += o) this.process(a, s);
          f = !0;
          continue;
        }
        (r.set(s === 0 && x === c ? t : t.subarray(s, s + x), this.pos),
          (this.pos += x),
          (s += x),
          this.pos === o && (this.process(n, 0), (this.pos = 0), (f = !0)));
      }
      return ((this.length += t.length), f && this.roundClean(), this);
    }
    digestInto(t) {
      (A(this), T(t, this), (this.finished = !0));
      let { buffer: n, view: r, blockLen: o, isLE: c } = this,
        { pos: f } = this;
      ((n[f++] = 128),
        n.fill(0, f),
        this.padOffset > o - f && (this.process(r, 0), n.fill(0)),
        U(r, o - 8, this.length * 8, c),
        this.process(r, 0),
        this.roundClean());
      let s = t === n ? r : p(t),
        x = this.outputLen,
        a = x / 4,
        d = this.get();
      if (x % 4 || a > d.length) throw new Error("invalid outputLen");
      for (let i = 0; i < a; i++) s.setUint32(4 * i, d[i], c);
    }
    digest() {
      let { buffer: t, outputLen: n } = this;
      this.digestInto(t);
      let r = t.slice(0, n);
      return (this.destroy(), r);
    }
    _cloneIntoMeta(t) {
      let { buffer: n, length: r, finished: o, destroyed: c, pos: f } = this;
      return ((t.destroyed = c), (t.finished = o), (t.length = r), (t.pos = f), f && t.buffer.set(n), t);
    }
    clone() {
      return this._cloneInto();
    }
  },
  G = Uint32Array.from([1779033703, 3144134277, 1013904242, 2773480762, 1359893119, 2600822924, 528734635, 1541459225]);
var N = Uint32Array.from([
    1116352408, 1899447441, 3049323471, 3921009573, 961987163, 1508970993, 2453635748, 2870763221, 3624381080,
    310598401, 607225278, 1426881987, 1925078388, 2162078206, 2614888103, 3248222580, 3835390401, 4022224774, 264347078,
    604807628, 770255983, 1249150122, 1555081692, 1996064986, 2554220882, 2821834349, 2952996808, 3210313671,
    3336571891, 3584528711, 113926993, 338241895, 666307205, 773529912, 1294757372, 1396182291, 1695183700, 1986661051,
    2177026350, 2456956037, 2730485921, 2820302411, 3259730800, 3345764771, 3516065817, 3600352804, 4094571909,
    275423344, 430227734, 506948616, 659060556, 883997877, 958139571, 1322822218, 1537002063, 1747873779, 1955562222,
    2024104815, 2227730452, 2361852424, 2428436474, 2756734187, 3204031479, 3329325298,
  ]),
  u = new Uint32Array(64),
  H = class extends y {
    A = 0;
    B = 0;
    C = 0;
    D = 0;
    E = 0;
    F = 0;
    G = 0;
    H = 0;
    constructor(t, n) {
      (super(64, t, 8, !1),
        (this.A = n[0] | 0),
        (this.B = n[1] | 0),
        (this.C = n[2] | 0),
        (this.D = n[3] | 0),
        (this.E = n[4] | 0),
        (this.F = n[5] | 0),
        (this.G = n[6] | 0),
        (this.H = n[7] | 0));
    }
    get() {
      let { A: t, B: n, C: r, D: o, E: c, F: f, G: s, H: x } = this;
      return [t, n, r, o, c, f, s, x];
    }
    set(t, n, r, o, c, f, s, x) {
      ((this.A = t | 0),
        (this.B = n | 0),
        (this.C = r | 0),
        (this.D = o | 0),
        (this.E = c | 0),
        (this.F = f | 0),
        (this.G = s | 0),
        (this.H = x | 0));
    }
    _cloneInto(t) {
      return ((t ||= new this.constructor()).set(...this.get()), this._cloneIntoMeta(t));
    }
    process(t, n) {
      for (let i = 0; i < 16; i++, n += 4) u[i] = t.getUint32(n, !1);
      for (let i = 16; i < 64; i++) {
        let l = u[i - 15],
          b = u[i - 2],
          B = h(l, 7) ^ h(l, 18) ^ (l >>> 3),
          g = h(b, 17) ^ h(b, 19) ^ (b >>> 10);
        u[i] = (g + u[i - 7] + B + u[i - 16]) | 0;
      }
      let { A: r, B: o, C: c, D: f, E: s, F: x, G: a, H: d } = this;
      for (let i = 0; i < 64; i++) {
        let l = h(s, 6) ^ h(s, 11) ^ h(s, 25),
          b = (d + l + D(s, x, a) + N[i] + u[i]) | 0,
          g = ((h(r, 2) ^ h(r, 13) ^ h(r, 22)) + O(r, o, c)) | 0;
        ((d = a), (a = x), (x = s), (s = (f + b) | 0), (f = c), (c = o), (o = r), (r = (b + g) | 0));
      }
      ((r = (r + this.A) | 0),
        (o = (o + this.B) | 0),
        (c = (c + this.C) | 0),
        (f = (f + this.D) | 0),
        (s = (s + this.E) | 0),
        (x = (x + this.F) | 0),
        (a = (a + this.G) | 0),
        (d = (d + this.H) | 0),
        this.set(r, o, c, f, s, x, a, d));
    }
    roundClean() {
      E(u);
    }
    destroy() {
      ((this.destroyed = !0), this.set(0, 0, 0, 0, 0, 0, 0, 0), E(this.buffer));
    }
  },
  L = class extends H {
    constructor() {
      super(32, G);
    }
  };
var W = C(() => new L(), F(1));
export { W as sha256 };

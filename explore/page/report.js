"use strict";
// Draws the report from the data beside it. No library, no request; every chart is SVG.
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page"), NS = "http://www.w3.org/2000/svg";
  // Charts are drawn as wide as the page is, one unit a pixel, so that their text stays readable on a telephone.
  let W = 720;
  const fit = () => Math.max(300, Math.min(1040, page.clientWidth - 50));
  W = fit();
  const isNarrow = () => W < 520;
  const PALETTE = ["#2f6fb0", "#c2410c", "#0a7d43", "#8a4fbf", "#b08a00", "#c0397a", "#3a8f96", "#77808f"];
  const M = D.measures.map(([name, unit, meaning, band], i) => ({name, unit, meaning, band, i}));
  const K = D.keys.map(([name, unit, base], i) => ({name, unit, base, i}));
  const measure = (name) => M.find((m) => m.name === name);
  const done = D.points.map((_, i) => i).filter((i) => D.points[i].s === "done");
  const main = done.filter((i) => !D.points[i].sens), front = new Set(D.front);
  const state = {a: D.front[0] ?? done[0], b: null, x: null, y: null, key: null, curve: null, swing: null};
  state.x = D.objectives[1]?.[0] ?? "area_mm2";
  state.y = state.curve = state.swing = D.objectives[0][0];

  // [low, typical, high, 5 %, 95 %] of any column; null: not known.
  const bandOf = (i, m) => {
    const v = D.points[i].v?.[m.i];
    return v == null ? null : m.band ? v : [v, v, v, v, v];
  };
  const typical = (i, m) => bandOf(i, m)?.[1] ?? null;
  const show = (v) => v == null ? "–" : Math.abs(v) >= 1e7 || (v !== 0 && Math.abs(v) < 1e-3) ? (+v.toPrecision(4)).toExponential()
                                      : String(+v.toPrecision(5));
  const title = (c) => c.unit ? `${c.name} [${c.unit}]` : c.name;
  const where = (i) => K.map((k) => `${k.name} ${D.points[i].k[k.i] || "unset"}`).join(", ") || "the base";

  function make(tag, attributes = {}, ...children) {
    const node = tag.startsWith("svg:") ? document.createElementNS(NS, tag.slice(4)) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value != null) node.setAttribute(name, value);
    node.append(...children.filter((c) => c != null));
    return node;
  }
  const s = (tag, attributes, ...children) => make("svg:" + tag, attributes, ...children);
  function section(name, help, ...children) {
    const own = make("section", {}, make("h2", {}, name), make("p", {}, help), ...children);
    page.append(own);
    return own;
  }
  function choice(name, options, value, change) {
    const list = make("select", {onchange: (e) => change(e.target.value)},
      ...options.map((o) => make("option", {value: o, selected: o === value ? "" : null}, o)));
    return make("label", {}, name + " ", list);
  }
  function svg(height, words, more = {}, width = W) {
    return s("svg", {viewBox: `0 0 ${width} ${height}`, style: `width: ${width}px`, role: "img", "aria-label": words, ...more});
  }
  function ticks(low, high, n = isNarrow() ? 3 : 5) {
    const rough = (high - low) / n || 1, power = 10 ** Math.floor(Math.log10(rough)), r = rough / power;
    const step = (r < 1.5 ? 1 : r < 3.5 ? 2 : r < 7.5 ? 5 : 10) * power, list = [];
    for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; ++k) list.push(k * step);
    return list;
  }
  function scale(values, from, to, isLog) {
    const f = isLog ? Math.log10 : (v) => v;
    let low = f(Math.min(...values)), high = f(Math.max(...values));
    const margin = (high - low) * 0.06 || Math.abs(high) * 0.06 || 1;
    low -= margin; high += margin;
    const at = (v) => from + (f(v) - low) / (high - low) * (to - from);
    const decades = range(Math.ceil(low), Math.floor(high)).map((k) => 10 ** k);
    [at.low, at.high] = isLog ? [10 ** low, 10 ** high] : [low, high];
    at.ticks = !isLog ? ticks(low, high) : decades.length > 1 ? decades : ticks(10 ** low, 10 ** high).filter((v) => v > 0);
    return at;
  }
  const range = (a, b) => Array.from({length: Math.max(0, b - a + 1)}, (_, k) => a + k);
  function axes(chart, x, y, height, xName, yName) {
    for (const v of x.ticks)
      chart.append(s("line", {class: "grid", x1: x(v), x2: x(v), y1: 14, y2: height - 46}),
                   s("text", {x: x(v), y: height - 30, "text-anchor": "middle"}, show(v)));
    for (const v of y.ticks)
      chart.append(s("line", {class: "grid", x1: 76, x2: W - 14, y1: y(v), y2: y(v)}),
                   s("text", {x: 70, y: y(v) + 4, "text-anchor": "end"}, show(v)));
    chart.append(s("text", {x: isNarrow() ? W / 2 : (W + 60) / 2, y: height - 8, "text-anchor": "middle"}, xName),
                 s("text", {x: 14, y: height / 2 - 16, "text-anchor": "middle", transform: `rotate(-90 14 ${height / 2 - 16})`}, yName));
  }
  const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  const nothing = (words) => make("p", {}, words);

  // A chart that is drawn again when what is picked changes.
  const redraws = [];
  function living(own, draw) {
    const place = make("div");
    own.append(place);
    const again = () => place.replaceChildren(draw());
    redraws.push(again);
    again();
  }
  const redraw = () => redraws.forEach((again) => again());
  let resizing = 0;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => { if (fit() !== W) { W = fit(); redraw(); } }, 100);
  });
  function pick(i, second) {
    if (second) state.b = state.b === i ? null : i;
    else state.a = i;
    redraw();
  }

  function head() {
    const counts = {};
    for (const p of D.points) counts[p.s] = (counts[p.s] ?? 0) + 1;
    page.append(make("h1", {}, D.name),
      make("p", {}, `${D.points.length} points: ` + Object.entries(counts).map(([k, n]) => `${n} ${k}`).join(", ") +
        (D.complete ? "" : " (the search is not at its end)") + `. Base machine ${D.base}, compiler build ${D.build}.`),
      make("p", {}, `Cycles are those of legal schedules. Energy and area are counts times the table ${D.energy.name} ` +
        `(${D.energy.process}${D.energy.guess ? "; a guess" : ""}), raw, without its calibration factor of ${D.energy.factor}. ` +
        "Thin bars: all entries low or high together. Thick bars: 5 to 95 % when entries vary independently."));
  }

  function pareto() {
    const own = section("Frontier", "Click a point, or use the arrow keys; shift-click or Enter compares with a second one.");
    own.append(make("div", {},
      choice("across", M.map((m) => m.name), state.x, (v) => { state.x = v; redraw(); }),
      choice("up", M.map((m) => m.name), state.y, (v) => { state.y = v; redraw(); })));
    living(own, () => {
      const mx = measure(state.x), my = measure(state.y), H = 420;
      const list = main.filter((i) => bandOf(i, mx) && bandOf(i, my));
      if (!list.length) return nothing("No point has these values.");
      const hasBars = (i) => front.has(i) || i === state.a || i === state.b;
      const reach = (m) => list.flatMap((i) => hasBars(i) ? bandOf(i, m) : [typical(i, m)]);
      const x = scale(reach(mx), 80, W - 18, false), y = scale(reach(my), H - 50, 18, false);
      const order = [...list].sort((a, b) => typical(a, mx) - typical(b, mx));
      const chart = svg(H, `${title(my)} over ${title(mx)}`, {tabindex: 0, id: "frontier", onkeydown: (e) => {
        const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[e.key];
        if (step) pick(order[Math.max(0, Math.min(order.length - 1, order.indexOf(state.a) + step))], false);
        else if (e.key === "Enter") pick(state.a, true);
        else return;
        e.preventDefault();
        document.getElementById("frontier").focus();
      }});
      axes(chart, x, y, H, title(mx), title(my));
      const bars = (i) => {
        const [l, v, h, p, q] = bandOf(i, mx), [L, V, G, P, Q] = bandOf(i, my);
        return [["outer", l, h, V, V], ["inner", p, q, V, V], ["outer", v, v, L, G], ["inner", v, v, P, Q]].map(([c, x1, x2, y1, y2]) =>
          s("line", {class: c, x1: x(x1), x2: x(x2), y1: y(y1), y2: y(y2)}));
      };
      for (const i of list) if (hasBars(i)) chart.append(...bars(i));
      const height = (i) => front.has(i) + 2 * (i === state.b) + 3 * (i === state.a);
      for (const i of [...list].sort((a, b) => height(a) - height(b)))
        chart.append(s("circle", {class: `dot${front.has(i) ? " front" : ""}${i === state.a ? " a" : ""}${i === state.b ? " b" : ""}`,
          cx: x(typical(i, mx)), cy: y(typical(i, my)), r: front.has(i) || i === state.a ? 6 : 4, onclick: (e) => pick(i, e.shiftKey)},
          s("title", {}, `point ${i}: ${where(i)}`)));
      return chart;
    });
  }

  function comparison() {
    const own = section("Comparison", "The picked point, and the second one or another of the study. Each value with where it comes from.");
    living(own, () => {
      const a = state.a, b = state.b ?? [done[0], ...D.front, ...done].find((i) => i !== a) ?? a;
      if (a == null) return nothing("No point has been measured.");
      const isShown = (k) => D.points[a].k[k.i] !== D.points[b].k[k.i] || new Set(main.map((i) => D.points[i].k[k.i])).size > 1;
      const rows = K.filter(isShown).map((k) => [title(k), D.points[a].k[k.i] || "unset", D.points[b].k[k.i] || "unset", "", "chosen by the study, or the machine's own"]);
      for (const m of M) {
        const p = bandOf(a, m), q = bandOf(b, m);
        const text = (v) => v == null ? "–" : m.band ? `${show(v[1])} (${show(v[0])} to ${show(v[2])}; 5–95 % ${show(v[3])} to ${show(v[4])})` : show(v[1]);
        rows.push([title(m), text(p), text(q), p && q && q[1] ? `${(100 * (p[1] / q[1] - 1)).toFixed(2)} %` : "", m.meaning +
          (m.band ? `; table ${D.energy.name}` : m.name === "chips" ? "; partition of the compiler" : "; schedule of the compiler")]);
      }
      return make("table", {}, make("tr", {}, ...["", `point ${a}`, `point ${b}`, "difference", "source"].map((h) => make("th", {}, h))),
        ...rows.map((r) => make("tr", {}, ...r.map((c) => make("td", {}, c)))));
    });
  }

  function parallel() {
    const own = section("Parallel coordinates", "A line for each point; the frontier in its colour. Drag along an axis to keep a range, click its name to free it. By keyboard: on a name, arrow keys move the lower end, with shift the upper one; Enter frees it.");
    const axesList = [...K.filter((k) => new Set(main.map((i) => D.points[i].k[k.i])).size > 1).map((k) => ({name: title(k), of: (i) => {
      const text = D.points[i].k[k.i];
      return text !== "" && isFinite(text) ? +text : [...new Set(main.map((j) => D.points[j].k[k.i]))].sort().indexOf(text);
    }})), ...D.objectives.map(([name]) => ({name: title(measure(name)), of: (i) => typical(i, measure(name))}))];
    const kept = {};
    living(own, () => {
      const H = 320, list = main.filter((i) => axesList.every((x) => x.of(i) != null));
      if (!list.length) return nothing("No point has been measured.");
      const wide = Math.max(W, 110 * axesList.length), last = axesList.length - 1;
      const at = (n) => 20 + n * (wide - 100) / Math.max(1, last);
      const scales = axesList.map((x) => scale(list.map(x.of), H - 30, 50, false));
      const chart = svg(H, "parallel coordinates of all measured points", {}, wide);
      const isKept = (i) => Object.entries(kept).every(([n, [low, high]]) => { const v = scales[n](axesList[n].of(i)); return v >= low && v <= high; });
      for (const i of [...list].sort((a, b) => front.has(a) - front.has(b)))
        chart.append(s("path", {class: `curve${i === state.a ? " a" : front.has(i) ? " front" : ""}${isKept(i) ? "" : " faint"}`,
          "stroke-width": 1, d: path(axesList.map((x, n) => [at(n), scales[n](x.of(i))])), onclick: () => pick(i, false)}, s("title", {}, `point ${i}: ${where(i)}`)));
      axesList.forEach((x, n) => {
        let from = null;
        const spot = (e) => e.offsetY * H / e.currentTarget.ownerSVGElement.getBoundingClientRect().height;
        chart.append(s("line", {class: "axis", x1: at(n), x2: at(n), y1: 50, y2: H - 30}),
          s("rect", {x: at(n) - 12, y: 44, width: 24, height: H - 68, fill: "transparent", onpointerdown: (e) => { from = spot(e); },
            onpointerup: (e) => { if (from != null && Math.abs(spot(e) - from) > 4) { kept[n] = [from, spot(e)].sort((p, q) => p - q); redraw(); } }}),
          s("text", {x: n === last ? wide - 2 : Math.max(2, at(n) - 16), "text-anchor": n === last ? "end" : null, y: n % 2 ? 16 : 32, class: "small", tabindex: 0, id: `axis${n}`, onclick: () => { delete kept[n]; redraw(); },
            onkeydown: (e) => {
              const step = {ArrowUp: -1, ArrowDown: 1}[e.key] * (H - 80) / 20;
              if (e.key === "Enter") delete kept[n];
              else if (!step) return;
              else {
                const [top, bottom] = kept[n] ?? [44, H - 24];
                kept[n] = e.shiftKey ? [Math.max(44, Math.min(bottom - 4, top + step)), bottom] : [top, Math.max(top + 4, Math.min(H - 24, bottom + step))];
              }
              e.preventDefault();
              redraw();
              document.getElementById(`axis${n}`).focus();
            }}, x.name));
        if (kept[n]) chart.append(s("rect", {class: "band", x: at(n) - 6, y: kept[n][0], width: 12, height: kept[n][1] - kept[n][0]}));
        for (const v of [Math.min(...list.map(x.of)), Math.max(...list.map(x.of))])
          chart.append(s("text", {x: at(n) + 8, y: scales[n](v) + 4, class: "small"}, show(v)));
      });
      return chart;
    });
  }

  function tornado() {
    const own = section("Tornado", "How far a value moves when one key that nobody has published changes alone: what to ask the vendor first.");
    const list = D.points.map((_, i) => i).filter((i) => D.points[i].sens && D.points[i].v);
    const baseAt = D.points.findIndex((p) => p.v && K.every((k) => p.k[k.i] === k.base));
    if (!list.length || baseAt < 0) {
      own.append(nothing(D.points.some((p) => p.sens) ? "Its points have not been measured." : "The study has no sensitivity; add sensitivity: {keys: not-published}."));
      return;
    }
    own.append(choice("of", M.map((m) => m.name), state.swing, (v) => { state.swing = v; redraw(); }));
    living(own, () => {
      const m = measure(state.swing), base = typical(baseAt, m), swings = {};
      if (!base) return nothing("The base has no such value.");
      for (const i of list) {
        const changed = K.filter((k) => D.points[i].k[k.i] !== k.base);
        const value = typical(i, m);
        if (changed.length && value != null) (swings[changed[0].name] ??= []).push([D.points[i].k[changed[0].i], 100 * (value / base - 1)]);
      }
      const rows = Object.entries(swings).map(([key, v]) => [key, v, Math.max(...v.map(([, p]) => Math.abs(p)))]).sort((p, q) => q[2] - p[2]);
      // Wide: name, bar and values in a row. Narrow: name and values above the bar.
      const row = isNarrow() ? 38 : 22, H = 50 + row * rows.length, most = rows[0]?.[2] || 1;
      const middle = isNarrow() ? W / 2 : W / 2 + 10, reach = isNarrow() ? W / 2 - 10 : W / 2 - 190, x = (p) => middle + p / most * reach;
      const chart = svg(H, "tornado of " + title(m));
      chart.append(s("line", {class: "axis", x1: x(0), x2: x(0), y1: 8, y2: H - 40}), s("text", {x: x(0), y: H - 8, "text-anchor": "middle"},
        `change of ${m.name} [%], base ${show(base)} ${m.unit}`));
      rows.forEach(([key, values], n) => {
        const yy = 12 + row * n + (isNarrow() ? 14 : 0), words = isNarrow() ? yy - 4 : yy + 12;
        chart.append(s("text", isNarrow() ? {x: 2, y: words} : {x: 182, y: words, "text-anchor": "end"}, key));
        for (const [value, p] of values) {
          chart.append(s("rect", {x: Math.min(x(0), x(p)), y: yy, width: Math.max(1, Math.abs(x(p) - x(0))), height: 15, opacity: .7, fill: p > 0 ? PALETTE[1] : PALETTE[2]},
            s("title", {}, `${key} = ${value}: ${p.toFixed(3)} %`)));
        }
        chart.append(s("text", {x: W - 4, y: words, "text-anchor": "end", class: "small"}, values.map(([v, p]) => `${v}: ${p.toFixed(2)} %`).join("  ")));
      });
      return chart;
    });
  }

  function response() {
    const numeric = K.filter((k) => new Set(D.points.filter((p) => p.v).map((p) => p.k[k.i])).size > 1 && D.points.every((p) => p.k[k.i] === "" || isFinite(p.k[k.i])));
    const own = section("Response curves", "One key varies, the others stay as at the picked point; the band is low to high.");
    if (!numeric.length) { own.append(nothing("No key has several values.")); return; }
    state.key = numeric[0].name;
    own.append(make("div", {}, choice("key", numeric.map((k) => k.name), state.key, (v) => { state.key = v; redraw(); }),
      choice("of", M.map((m) => m.name), state.curve, (v) => { state.curve = v; redraw(); })));
    living(own, () => {
      const k = K.find((c) => c.name === state.key), m = measure(state.curve), H = 320;
      const list = done.filter((i) => bandOf(i, m) && K.every((c) => c === k || D.points[i].k[c.i] === D.points[state.a].k[c.i]))
        .sort((a, b) => D.points[a].k[k.i] - D.points[b].k[k.i]);
      if (list.length < 2) return nothing("No other point differs from the picked one in this key alone.");
      const at = (i) => +D.points[i].k[k.i];
      const x = scale(list.map(at), 80, W - 18, false), y = scale(list.flatMap((i) => bandOf(i, m)), H - 50, 18, false);
      const chart = svg(H, `${title(m)} over ${title(k)}`);
      axes(chart, x, y, H, title(k), title(m));
      chart.append(s("path", {class: "band", d: path([...list.map((i) => [x(at(i)), y(bandOf(i, m)[2])]), ...[...list].reverse().map((i) => [x(at(i)), y(bandOf(i, m)[0])])]) + "Z"}),
        s("path", {class: "curve", d: path(list.map((i) => [x(at(i)), y(typical(i, m))]))}),
        ...list.map((i) => s("circle", {class: `dot${i === state.a ? " a" : ""}`, cx: x(at(i)), cy: y(typical(i, m)), r: 5, onclick: () => pick(i, false)})));
      return chart;
    });
  }

  function roofline() {
    const own = section("Roofline", "Of the first workload, a chip. Roofs are those of the picked point's machine; the tick above a point is a roof of its own: its chains of values.");
    living(own, () => {
      const list = main.filter((i) => D.points[i].f), H = 380;
      if (!list.length) return nothing("No point has been measured.");
      const f = (i) => D.points[i].f, [mxm, sram, streams] = D.points[state.a]?.roofs ?? D.points[list[0]].roofs;
      const xs = list.map((i) => f(i)[0]), ridge = mxm / sram;
      const x = scale([...xs, ridge], 80, W - 18, true), ys = [...list.flatMap((i) => [f(i)[1], f(i)[2] || f(i)[1]]), mxm];
      const y = scale(ys, H - 50, 18, true), chart = svg(H, "roofline");
      axes(chart, x, y, H, "products per byte read from memory [1/B]", "products a cycle of a chip [1/cycle]");
      for (const [name, rate] of [["memory", sram], ["streams", streams]]) {
        const points = range(0, 80).map((k) => x.low * (x.high / x.low) ** (k / 80)).map((v) => [x(v), y(Math.min(mxm, v * rate))])
          .filter(([, py]) => py < H - 46);
        chart.append(s("path", {class: "curve other", d: path(points)}));
        if (points.length) chart.append(s("text", {x: points[0][0] + 8, y: Math.min(H - 54, points[0][1] + 16), class: "small"}, `${name}: ${show(rate)} B/cycle`));
      }
      chart.append(s("line", {class: "axis", x1: 80, x2: W - 18, y1: y(mxm), y2: y(mxm)}), s("text", {x: W - 20, y: y(mxm) - 5, "text-anchor": "end", class: "small"}, `MXM: ${mxm} products/cycle`));
      for (const i of list) {
        const [intensity, rate, chain] = f(i), px = x(intensity);
        if (chain) chart.append(s("line", {class: "outer", x1: px, x2: px, y1: y(rate), y2: y(chain)}), s("line", {class: "axis", "stroke-width": 2, x1: px - 7, x2: px + 7, y1: y(chain), y2: y(chain)}));
        chart.append(s("circle", {class: `dot${front.has(i) ? " front" : ""}${i === state.a ? " a" : ""}`, cx: px, cy: y(rate), r: 5, onclick: () => pick(i, false)}, s("title", {}, `point ${i}: ${where(i)}`)));
      }
      return chart;
    });
  }

  // Bars of parts for the frontier and what is picked.
  function stacked(name, help, partsOf, unit, whole) {
    const own = section(name, help);
    living(own, () => {
      const list = [...new Set([state.a, state.b, ...D.front])].filter((i) => i != null && partsOf(i)).slice(0, 24);
      if (!list.length) return nothing("No point has been measured.");
      const kinds = [...new Set(list.flatMap((i) => Object.keys(partsOf(i))))], across = Math.max(1, Math.floor(W / 138)), H = 60 + 22 * list.length + 18 * Math.ceil(kinds.length / across);
      const sum = (i) => Object.values(partsOf(i)).reduce((p, q) => p + q, 0), most = Math.max(...list.map((i) => whole?.(i) ?? sum(i))) || 1;
      const chart = svg(H, name), x = (v) => 80 + v / most * (W - 180);
      list.forEach((i, n) => {
        let at = 0;
        const yy = 8 + 22 * n, parts = partsOf(i);
        chart.append(s("text", {x: 74, y: yy + 12, "text-anchor": "end"}, `point ${i}${i === state.a ? " ◀" : ""}`));
        kinds.forEach((kind, c) => {
          const v = parts[kind] ?? 0;
          chart.append(s("rect", {x: x(at), y: yy, width: Math.max(0, x(at + v) - x(at)), height: 15, fill: PALETTE[c % PALETTE.length]}, s("title", {}, `${kind}: ${show(v)} ${unit}`)));
          at += v;
        });
        if (whole) chart.append(s("line", {class: "axis", x1: x(whole(i)), x2: x(whole(i)), y1: yy - 2, y2: yy + 17}));
        chart.append(s("text", {x: W - 4, y: yy + 12, "text-anchor": "end", class: "small"}, `${show(at)} ${unit}`));
      });
      kinds.forEach((kind, c) => {
        const lx = 10 + (c % across) * 138, ly = 34 + 22 * list.length + 18 * Math.floor(c / across);
        chart.append(s("rect", {x: lx, y: ly - 10, width: 12, height: 12, fill: PALETTE[c % PALETTE.length]}), s("text", {x: lx + 17, y: ly}, kind));
      });
      chart.append(s("text", {x: W / 2, y: H - 6, "text-anchor": "middle"}, `[${unit}]`));
      return chart;
    });
  }

  function progress() {
    const own = section("Search progress", "Hypervolume of the points so far, axes scaled from best to worst. Dashed: the same points in random order, mean of 11.");
    const P = D.progress;
    if (P.n.length < 2) { own.append(nothing("Too few points.")); return; }
    living(own, () => {
      const H = 260, x = scale(P.n, 80, W - 18, false), y = scale([0, ...P.search, ...P.random], H - 50, 18, false);
      const chart = svg(H, "hypervolume over evaluations");
      axes(chart, x, y, H, "points evaluated", "hypervolume [0 to 1]");
      chart.append(s("path", {class: "curve", d: path(P.n.map((n, i) => [x(n), y(P.search[i])]))}),
        s("path", {class: "curve other", d: path(P.n.map((n, i) => [x(n), y(P.random[i])]))}));
      return chart;
    });
  }

  function table(own, heads, rows) {
    own.append(make("table", {}, make("tr", {}, ...heads.map((h) => make("th", {}, h))), ...rows.map((r) => make("tr", {}, ...r.map((c) => make("td", {}, String(c)))))));
  }
  function lists() {
    const strange = section("Anomalies", "More of a resource or a shorter delay, everything else alike, and yet slower: the compiler's heuristics, or its errors.");
    const heads = ["key", "less", "more", "slower by"], most = 12;
    const told = [...D.anomalies].sort((a, b) => b.percent - a.percent).map((a) => {
      const k = K.find((c) => c.name === a.key), at = (i) => `point ${i} (${D.points[i].k[k.i]})`;
      return [a.key, at(a.less), at(a.more), `${a.percent} %`];
    });
    if (told.length) {
      table(strange, heads, told.slice(0, most));
      const rest = told.slice(most);
      if (rest.length) {
        const more = make("details", {}, make("summary", {}, `${rest.length} smaller ones`));
        strange.append(more);
        table(more, heads, rest);
      }
    }
    else strange.append(nothing("None."));
    const bad = D.points.map((p, i) => [p, i]).filter(([p]) => p.s !== "done");
    const groups = new Map();
    for (const [p, i] of bad) groups.set(`${p.s}\n${p.r ?? ""}`, [...(groups.get(`${p.s}\n${p.r ?? ""}`) ?? []), i]);
    const failed = section("Points without a place", "Failed, infeasible, pruned by proof, screened or not computed yet, and why.");
    if (bad.length) table(failed, ["state", "points", "reason"], [...groups].map(([g, list]) => [g.split("\n")[0], list.length > 12 ? `${list.length}: ${list.slice(0, 12).join(", ")}, …` : list.join(", "), g.split("\n")[1]]));
    else failed.append(nothing("None."));
    const sources = section("Where energy and area come from", `Entries of the table ${D.energy.name}.`);
    const fold = make("details", {}, make("summary", {}, `${D.sources.length} entries`));
    sources.append(fold);
    table(fold, ["entry", "unit", "low", "typical", "high", "source"], D.sources);
  }

  head();
  pareto();
  comparison();
  parallel();
  tornado();
  response();
  roofline();
  stacked("Memory of the fullest chip", "Of the first workload; the mark is what the chip has.", (i) => {
    const m = D.points[i].m;
    return m && Object.fromEntries(Object.entries(m).filter(([k]) => k !== "capacity"));
  }, "B", (i) => D.points[i].m.capacity);
  stacked("Energy of a token by part", "One user alone, typical values; static power of all chips is in it.", (i) => D.points[i].e, "J");
  progress();
  lists();
  document.documentElement.dataset.drawn = Math.round(performance.now()); // ms since the page was asked for
})();

// The map. Streamlit calls the default export on every rerun with the same parentElement: the
// plot is kept, and only the highlighted points are drawn again, so zoom and drag mode stay.
const charts = new WeakMap();
const MANY_GROUPS = 60;
const AHEAD_MS = 20; // a card is fetched before the pointer has dwelt
const DWELL_MS = 60;
const CARDS_KEPT = 2000;
const ENOUGH_TO_SHADE = 300;
const LARGE = 20000; // above this, drawing highlights holds up the page for longer than one notices
const AFTER_MS = 150; // so what else Python has drawn, the opened image above all, is shown first
const NEAR = 0.7; // a view of so much of the whole width can be drawn in full
const TOOLS = {
  pan: "Move the map",
  lasso: "Lasso: draw around points (hold Shift to add)",
  select: "Box: drag over points (hold Shift to add)",
  zoom: "Zoom to a box",
  in: "Zoom in",
  out: "Zoom out",
  reset: "Show the whole map",
  toImage: "Save as a picture",
};
let lastSeq = 0;

// Grows even across remounts within one page load, so that Python never meets a number twice.
function nextSeq() {
  lastSeq = Math.max(Date.now(), lastSeq + 1);
  return lastSeq;
}

// Zoom, drag mode and hidden groups by key: they outlive a visit to another page.
const views = (window.planktonMapViews ??= new Map());

function loadPlotly(url) {
  window.planktonPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      script.remove();
      window.planktonPlotly = undefined;
      reject(new Error("The drawing library could not be loaded."));
    };
    document.head.append(script);
  });
  return window.planktonPlotly;
}

function element(tag, className, parent) {
  const node = document.createElement(tag);
  node.className = className;
  parent?.append(node);
  return node;
}

function button(className, text, parent, clicked) {
  const node = element("button", className, parent);
  node.type = "button";
  node.textContent = text;
  node.addEventListener("click", clicked);
  return node;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function count(number) {
  return number.toLocaleString("en");
}

class Chart {
  constructor(root) {
    this.root = root;
    const stage = element("div", "pm-stage", root);
    this.box = element("div", "pm-box", stage);
    this.plot = element("div", "pm-plot", this.box);
    this.part = element("div", "pm-part", this.box);
    this.partText = element("span", "", this.part);
    this.partText.setAttribute("aria-live", "polite");
    this.whole = button("pm-whole", "Draw this region in full", this.part, () => this.drawRegion());
    this.message = element("div", "pm-message", this.box);
    this.side = element("div", "pm-side", stage);
    const head = element("div", "pm-side-head", this.side);
    this.groupsText = element("span", "", head);
    this.showAll = button("pm-show-all", "Show all", head, () => this.setHidden(new Set()));
    this.legend = element("div", "pm-legend", this.side);
    this.legend.setAttribute("role", "group");
    this.legend.setAttribute("aria-label", "Groups on the map");
    const shade = element("label", "pm-shade", this.side);
    this.shade = element("input", "", shade);
    this.shade.type = "checkbox";
    this.shade.addEventListener("change", () => this.setShaded(this.shade.checked));
    element("span", "", shade).textContent = "Shade dense parts";
    const below = element("div", "pm-below", root);
    this.status = element("span", "pm-status", below);
    this.status.setAttribute("aria-live", "polite");
    this.note = element("span", "pm-note", below);
    this.caption = element("span", "pm-caption", below);
    this.card = element("div", "pm-card", root);
    this.card.hidden = true;
    this.card.setAttribute("role", "tooltip");
    this.box.setAttribute("role", "group");
    this.hidden = new Set();
    this.shaded = true;
    this.cards = new Map();
    this.sent = null;
    this.drawing = Promise.resolve();
    this.forget();
    // capture: plotly stops these before they bubble
    this.box.addEventListener("mousedown", (event) => {
      this.adding = event.shiftKey;
      this.hideCard();
    }, true);
    this.box.addEventListener("mouseleave", () => this.hideCard());
    this.box.addEventListener("wheel", () => this.hideCard(), { capture: true, passive: true });
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(this.box);
  }

  // What is known of rows means nothing on another revision.
  forget() {
    this.chosen = null;
    this.heldUrl = "";
    this.extras = new Map(); // points that the sample lacks: selected ones, the query, its matches
    this.shades = null;
    this.cards.clear();
  }

  update(component) {
    const { data } = component;
    const before = this.data;
    this.component = component;
    this.data = data;
    this.box.style.height = `${data.height}px`;
    this.caption.textContent = data.caption;
    const renewed = before?.revision !== data.revision || before?.points_url !== data.points_url;
    if (renewed) {
      this.forget();
      this.hideCard();
      this.load();
    } else if (this.points) {
      this.enqueue(async () => {
        if (this.points.length > LARGE) await pause(AFTER_MS);
        await this.drawHighlights();
      });
    }
  }

  // Plotly's calls are asynchronous: one after the other, never two at once.
  enqueue(task) {
    this.drawing = this.drawing.then(() => (this.gone ? null : task())).catch((error) => this.fail(error));
    return this.drawing;
  }

  async load() {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    const { plotly_url: plotlyUrl, points_url: pointsUrl, revision } = this.data;
    if (!this.points) this.say("Loading the map…");
    try {
      const [plotly, answer] = await Promise.all([loadPlotly(plotlyUrl), ask(pointsUrl, request.signal)]);
      if (request.signal.aborted || this.gone) return;
      await this.enqueue(() => this.start(plotly, Points.read(answer), revision));
    } catch (error) {
      if (!request.signal.aborted && !this.gone) this.fail(error);
    }
  }

  say(text) {
    this.message.hidden = !text;
    this.message.classList.remove("pm-failed");
    this.message.removeAttribute("role");
    this.message.textContent = text;
  }

  fail(error) {
    const unreachable = error instanceof TypeError && /fetch/i.test(error.message);
    this.say(unreachable ? "The points could not be loaded: the server cannot be reached." : error.message);
    this.message.classList.add("pm-failed");
    this.message.setAttribute("role", "alert");
    button("", "Try again", this.message, () => this.load());
  }

  async start(plotly, answer, revision) {
    const old = this.points && { points: this.points, groups: this.groups };
    // rows are told under the revision they were drawn from, never under one still being loaded
    const sameRows = this.drawn === revision;
    this.drawn = revision;
    this.plotly = plotly;
    Object.assign(this, { answer, groups: answer.groups, region: null });
    const still = old && (sameRows || (same(old.points.x, answer.points.x) && same(old.points.y, answer.points.y)));
    const sameGroups = old && sameKinds(old.groups, answer.groups);
    const view = views.get(this.data.key);
    const back = !old && view?.revision === this.data.revision;
    if (view) this.shaded = view.shaded;
    if (back) this.hidden = new Set(view.hidden);
    else if (!sameGroups) this.hidden = new Set();
    this.dragmode = view?.dragmode ?? "pan";
    // while this number stays, plotly keeps what the user has zoomed to
    if (!still) this.whereabouts = (this.whereabouts ?? 0) + 1;
    this.take(answer.points);
    this.drawLegend();
    this.note.textContent = answer.note === this.data.caption ? "" : answer.note;
    const of = answer.passing < answer.n ? ` of ${count(answer.n)}` : "";
    this.box.setAttribute("aria-label", `Map of ${count(answer.passing)}${of} images in ${count(answer.groups.length)} groups`);
    this.theme = this.readTheme();
    await this.learnExtras();
    await plotly.react(this.plot, this.traces(), this.layout(), {
      displaylogo: false,
      displayModeBar: true,
      doubleClick: "reset",
      scrollZoom: true,
      modeBarButtons: [
        ["pan2d", "lasso2d", "select2d", "zoom2d"],
        ["zoomIn2d", "zoomOut2d", "resetScale2d"],
        ["toImage"],
      ],
      toImageButtonOptions: { filename: "map", scale: 2 },
    });
    if (back) await plotly.relayout(this.plot, { "xaxis.range": view.x, "yaxis.range": view.y });
    if (!this.listening) this.listen();
    this.nameTools();
    this.say("");
    this.fit();
    this.keepView();
    this.drawStatus();
    this.drawPart();
    this.loadShades();
  }

  // Draw these points from now on.
  take(points) {
    this.points = points;
    this.placesOfGroup = this.groups.map(() => []);
    this.outside = [];
    points.group.forEach((group, place) => (group === OUTSIDE ? this.outside : this.placesOfGroup[group])?.push(place));
  }

  listen() {
    this.listening = true;
    this.plot.on("plotly_hover", (event) => this.onHover(event));
    this.plot.on("plotly_unhover", () => this.hideCard());
    this.plot.on("plotly_click", (event) => this.onClick(event));
    this.plot.on("plotly_selected", (event) => this.onSelected(event));
    // a double-click is told differently while panning and while selecting
    this.plot.on("plotly_doubleclick", () => this.clear());
    this.plot.on("plotly_deselect", () => this.clear());
    this.plot.on("plotly_relayout", () => {
      this.keepView();
      this.drawPart();
    });
    this.plot.on("plotly_relayouting", () => this.hideCard());
  }

  // Plotly's tools are links without an address, which no keyboard reaches.
  nameTools() {
    for (const tool of this.plot.querySelectorAll(".modebar-btn")) {
      const name = TOOLS[tool.dataset.val] ?? TOOLS[tool.dataset.attr] ?? tool.dataset.title;
      tool.dataset.title = name;
      tool.tabIndex = 0;
      tool.setAttribute("role", "button");
      tool.setAttribute("aria-label", name);
    }
  }

  onKey(event) {
    const tool = event.target.closest?.(".modebar-btn");
    if (tool && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      tool.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    }
    if (event.key === "Escape") this.clear();
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    return {
      ground: read("--st-background-color", "#fff"),
      text: read("--st-text-color", "#222"),
      primary: read("--st-primary-color", "#d62828"),
    };
  }

  layout() {
    const { ground, text, primary } = this.theme;
    const axis = { visible: false, showgrid: false, zeroline: false };
    return {
      autosize: true,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      showlegend: false,
      hovermode: "closest",
      hoverdistance: 8,
      dragmode: this.dragmode,
      paper_bgcolor: ground,
      plot_bgcolor: ground,
      xaxis: { ...axis, range: widened(this.answer.x) },
      yaxis: { ...axis, range: widened(this.answer.y), scaleanchor: "x", scaleratio: 1 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: text, activecolor: primary },
      newselection: { line: { color: primary, width: 1.5, dash: "solid" } },
      selections: [],
      images: this.images(),
      uirevision: this.whereabouts,
    };
  }

  images() {
    return this.shaded && this.shades ? [shading(this.shades, this.theme)] : [];
  }

  visible(group) {
    return group !== OUTSIDE && !this.hidden.has(this.groups[group].name);
  }

  colour(group) {
    return this.groups[group]?.colour ?? faint(this.theme);
  }

  // Where a row lies, and its group; null for one that is not drawn.
  whereIs(row) {
    const place = this.points.find(row);
    if (place < 0) return this.extras.get(row) ?? null;
    return { x: this.points.x[place], y: this.points.y[place], group: this.points.group[place] };
  }

  traces() {
    const traces = [...this.baseTraces(), this.extraTrace(), ...this.highlightTraces()];
    this.looks = this.look();
    return traces;
  }

  // What the highlights show: while it is the same they are not drawn again.
  look() {
    return JSON.stringify([this.data.query, this.data.matches, this.extraRows]) + (this.chosen?.bits.join() ?? "");
  }

  // What is drawn first lies below: what does not pass the filter, noise, then the large groups.
  baseTraces() {
    const { points, groups } = this;
    const { size, opacity: full } = markerFor(points.length);
    this.faded = this.fade();
    const opacity = full * this.faded;
    const base = { type: "scattergl", mode: "markers", hoverinfo: "none" };
    // faint, never hovered, clicked or gathered: the map keeps its shape
    const background = {
      ...base,
      hoverinfo: "skip",
      x: pick(points.x, this.outside),
      y: pick(points.y, this.outside),
      marker: { size: Math.max(size - 2, 2), opacity: 1, color: faint(this.theme), line: { width: 0 } },
    };
    const line = this.outline();
    if (groups.length > MANY_GROUPS) {
      const places = [];
      this.placesOfGroup.forEach((members, group) => {
        if (this.visible(group)) for (const place of members) places.push(place);
      });
      places.sort((a, b) => a - b);
      this.layers = [this.outside, places];
      const color = places.map((place) => groups[points.group[place]].colour);
      return [background, { ...base, x: pick(points.x, places), y: pick(points.y, places), marker: { size, opacity, line, color } }];
    }
    const order = groups.map((_, group) => group);
    const rank = (group) => [isGrey(groups[group].colour) ? 0 : 1, -this.placesOfGroup[group].length];
    order.sort((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1]);
    this.order = order;
    this.layers = [this.outside, ...order.map((group) => this.placesOfGroup[group])];
    return [background, ...order.map((group) => ({
      ...base,
      name: groups[group].name,
      visible: this.visible(group),
      x: pick(points.x, this.placesOfGroup[group]),
      y: pick(points.y, this.placesOfGroup[group]),
      marker: { size, opacity, line, color: groups[group].colour },
    }))];
  }

  outline() {
    return this.points.length <= 2500 ? { width: 0.8, color: this.theme.ground } : { width: 0 };
  }

  // Points that only the selection or the query brings: like the others, to be hovered and clicked.
  extraTrace() {
    const { size, opacity } = markerFor(this.points.length);
    const there = [...this.extras].filter(([row, { group }]) => this.visible(group) && this.points.find(row) < 0);
    this.extraRows = there.map(([row]) => row);
    return {
      type: "scattergl",
      mode: "markers",
      hoverinfo: "none",
      x: Float32Array.from(there, ([, { x }]) => x),
      y: Float32Array.from(there, ([, { y }]) => y),
      marker: {
        size, opacity: opacity * this.fade(), line: this.outline(), color: there.map(([, { group }]) => this.colour(group)),
      },
    };
  }

  fade() {
    if (this.chosen?.count) return 0.25;
    return this.data.query === null || this.points.length > LARGE ? 1 : 0.6;
  }

  selectedDrawn() {
    const found = [];
    if (!this.chosen?.count) return found;
    const { points, chosen } = this;
    const visible = this.groups.map((_, group) => this.visible(group));
    for (let i = 0; i < points.length; i += 1) {
      if (chosen.has(points.row(i)) && visible[points.group[i]]) found.push({ x: points.x[i], y: points.y[i], group: points.group[i] });
    }
    for (const [row, at] of this.extras) {
      if (chosen.has(row) && this.visible(at.group) && points.find(row) < 0) found.push(at);
    }
    return found;
  }

  // Always these four, so that a highlight is a restyle: selected, lines, matches, query.
  highlightTraces() {
    const { theme, data } = this;
    const { size } = markerFor(this.points.length);
    const there = (rows) => rows.map((row) => this.whereIs(row)).filter((at) => at !== null);
    const selected = this.selectedDrawn();
    const query = there([data.query]);
    const matches = there(data.matches);
    const [lineX, lineY] = [[], []];
    for (const from of query) {
      for (const to of matches) {
        lineX.push(from.x, to.x, null);
        lineY.push(from.y, to.y, null);
      }
    }
    const base = { type: "scattergl", mode: "markers", hoverinfo: "skip" };
    const dots = (points, across, width, ring) => ({
      ...base,
      x: Float32Array.from(points, ({ x }) => x),
      y: Float32Array.from(points, ({ y }) => y),
      marker: {
        size: across,
        opacity: 1,
        color: points.map(({ group }) => this.colour(group)),
        line: { width, color: ring },
      },
    });
    return [
      dots(selected, size + 1.5, selected.length <= 1000 ? 0.8 : 0, theme.text),
      { ...base, mode: "lines", x: lineX, y: lineY, opacity: 0.5, line: { color: theme.text, width: 1.2 } },
      dots(matches, Math.max(size + 2, 9), 1.6, theme.text),
      dots(query, Math.max(size + 7, 16), 3.4, theme.primary),
    ];
  }

  // What Python says of the selection, and the points it brings that are not drawn yet.
  async learnExtras() {
    const { data } = this;
    // A selection that Python drew before it heard of the newest one would undo that one.
    const heard = this.sent === null || this.sent === data.ack;
    if (heard && data.held_url !== this.heldUrl) {
      this.heldUrl = data.held_url;
      if (!data.held_url) this.chosen = null;
      else await this.fetchHeld(data.held_url);
    }
    const missing = [data.query, ...data.matches].filter((row) => Number.isInteger(row) && this.whereIs(row) === null);
    if (missing.length && this.answer.drawn < this.answer.n) {
      this.addExtras(Points.read(await ask(`${data.points_url}&rows=${missing.join(",")}`)).points);
    }
  }

  async fetchHeld(url) {
    let held;
    try {
      held = Points.read(await ask(url));
    } catch {
      return; // what the browser made of it stays
    }
    if (this.heldUrl !== url) return; // something else was selected meanwhile
    this.chosen = Chosen.of(held.bits, held.selected);
    this.forgetExtras();
    this.addExtras(held.points);
  }

  // Those of an older selection or query.
  forgetExtras() {
    const kept = new Set([this.data.query, ...this.data.matches]);
    for (const row of this.extras.keys()) {
      if (!kept.has(row) && !this.chosen?.has(row)) this.extras.delete(row);
    }
  }

  addExtras(points) {
    for (let i = 0; i < points.length; i += 1) {
      this.extras.set(points.row(i), { x: points.x[i], y: points.y[i], group: points.group[i] });
    }
  }

  async drawHighlights() {
    await this.learnExtras();
    const theme = this.readTheme();
    if (JSON.stringify(theme) !== JSON.stringify(this.theme)) {
      this.theme = theme;
      await this.redraw();
    } else {
      await this.paintHighlights();
    }
    this.drawStatus();
  }

  // In one call: each one draws all points again.
  async paintHighlights({ outlined = false } = {}) {
    const traces = [this.extraTrace(), ...this.highlightTraces()];
    const fade = this.fade();
    const changes = {};
    if (fade !== this.faded) {
      const opacity = markerFor(this.points.length).opacity * fade;
      changes["marker.opacity"] = [undefined, ...this.layers.slice(1).map(() => opacity), opacity];
    }
    if (this.looks !== this.look()) {
      const base = this.layers.map(() => undefined); // left as they are
      changes.x = [...base, ...traces.map((trace) => trace.x)];
      changes.y = [...base, ...traces.map((trace) => trace.y)];
      changes["marker.color"] = [...base, ...traces.map((trace) => trace.marker?.color ?? this.theme.text)];
      changes["marker.line.width"] = [...base, ...traces.map((trace) => trace.marker?.line.width ?? 0)];
    }
    // plotly's own dimming and outline give way to ours
    if (outlined) changes.selectedpoints = [null];
    if (!Object.keys(changes).length) return;
    [this.faded, this.looks] = [fade, this.look()];
    const all = this.layers.length + traces.length;
    for (const [name, values] of Object.entries(changes)) {
      if (name !== "selectedpoints") values.length = all; // plotly begins again where a list ends
    }
    await this.plotly.update(this.plot, changes, outlined ? { selections: [] } : {}, [...Array(all).keys()]);
  }

  // The same points in other clothes: the ranges now shown stay.
  async redraw() {
    const [now, layout] = [this.ranges(), this.layout()];
    layout.xaxis.range = now.x;
    layout.yaxis.range = now.y;
    await this.plotly.react(this.plot, this.traces(), layout);
    this.nameTools();
  }

  drawStatus() {
    const chosen = this.chosen?.count ?? 0;
    this.status.textContent = chosen ? `${count(chosen)} selected` : "";
    this.status.classList.toggle("pm-guess", this.heldUrl === null && this.answer.drawn < this.answer.n);
  }

  // What part of a large map is drawn, and a way to see the rest.
  drawPart() {
    const { shown, passing, drawn, n } = this.answer;
    this.part.hidden = drawn >= n || shown >= passing;
    if (this.part.hidden) return;
    const now = this.ranges();
    const whole = widened(this.answer.x);
    const slack = 1e-6 * (now.x[1] - now.x[0]); // drawing again moves the last digits
    const within = (axis) => this.region[axis][0] - slack <= now[axis][0] && now[axis][1] <= this.region[axis][1] + slack;
    const covered = this.region && within("x") && within("y");
    if (covered && this.region.shown >= this.region.of) {
      this.partText.textContent = `Showing all ${count(this.region.of)} images of this region`;
    } else if (covered) {
      this.partText.textContent = `Showing ${count(this.region.shown)} of ${count(this.region.of)} images in this region: zoom in for all`;
    } else {
      this.partText.textContent = `Showing ${count(shown)} of ${count(passing)} images`;
    }
    const near = now.x[1] - now.x[0] < NEAR * (whole[1] - whole[0]);
    const closer = this.region && now.x[1] - now.x[0] < NEAR * (this.region.x[1] - this.region.x[0]);
    this.whole.hidden = !near || (covered && (this.region.shown >= this.region.of || !closer));
    this.part.title = near ? "" : "A sample in which rare groups, points apart and labelled images are whole. Zoom in to draw a region in full.";
  }

  ranges() {
    const { xaxis, yaxis } = this.plot._fullLayout;
    return { x: [...xaxis.range], y: [...yaxis.range] };
  }

  async drawRegion() {
    const { x, y } = this.ranges();
    const url = `${this.data.points_url}&x0=${x[0]}&x1=${x[1]}&y0=${y[0]}&y1=${y[1]}`;
    const drawn = this.drawn;
    this.whole.disabled = true;
    this.partText.textContent = "Drawing this region…";
    try {
      const region = Points.read(await ask(url));
      if (this.gone || drawn !== this.drawn) return;
      this.region = { x, y, shown: region.shown, of: region.of };
      this.take(this.answer.points.with(region.points));
      await this.enqueue(() => this.redraw());
      this.drawPart();
    } catch {
      this.partText.textContent = "The region could not be loaded.";
    } finally {
      this.whole.disabled = false;
    }
  }

  drawLegend() {
    const { groups } = this;
    const shadable = this.data.density_url && this.answer.passing >= ENOUGH_TO_SHADE;
    this.shade.parentElement.hidden = !shadable;
    this.shade.checked = this.shaded;
    this.side.hidden = groups.length < 2 && !shadable;
    this.groupsText.textContent = groups.length === 1 ? "1 group" : `${count(groups.length)} groups`;
    this.legend.replaceChildren();
    this.entries = groups.map((group) => {
      const line = element("div", "pm-row", this.legend);
      const entry = button("pm-entry", "", line, (event) => {
        if (event.detail < 2) this.toggleGroup(group.name);
      });
      entry.title = `${group.name}: click to hide or show, double-click to show it alone`;
      const dot = element("span", "pm-dot", entry);
      dot.style.setProperty("--pm-colour", group.colour);
      element("span", "pm-name", entry).textContent = group.name;
      element("span", "pm-count", entry).textContent = count(group.count);
      entry.addEventListener("dblclick", () => this.isolateGroup(group.name));
      const only = button("pm-only", "only", line, () => {
        this.beforeToggle = this.hidden;
        this.isolateGroup(group.name);
      });
      only.setAttribute("aria-label", `Show only ${group.name}`);
      return entry;
    });
    this.drawHidden();
  }

  drawHidden() {
    this.groups.forEach((group, i) => {
      this.entries[i].setAttribute("aria-pressed", String(!this.hidden.has(group.name)));
    });
    this.showAll.hidden = this.hidden.size === 0;
  }

  toggleGroup(name) {
    const hidden = new Set(this.hidden);
    if (!hidden.delete(name)) hidden.add(name);
    this.beforeToggle = this.hidden;
    this.setHidden(hidden);
  }

  // The first click of a double-click has already toggled: judge by what was before it.
  isolateGroup(name) {
    const names = this.groups.map((group) => group.name);
    const before = this.beforeToggle ?? this.hidden;
    const alone = !before.has(name) && before.size === names.length - 1;
    this.setHidden(new Set(alone ? [] : names.filter((other) => other !== name)));
  }

  setHidden(hidden) {
    this.hidden = hidden;
    this.drawHidden();
    this.keepView();
    this.loadShades();
    this.enqueue(async () => {
      this.looks = null;
      if (this.groups.length > MANY_GROUPS) await this.redraw();
      else await this.plotly.restyle(this.plot, { visible: this.order.map((g) => this.visible(g)) }, this.order.map((_, i) => i + 1));
      await this.drawHighlights();
    });
  }

  setShaded(shaded) {
    this.shaded = shaded;
    this.keepView();
    if (shaded) this.loadShades();
    else this.drawShades();
  }

  // Over all points that pass and whose group is shown, drawn or not.
  async loadShades() {
    this.shadesAsked?.abort();
    if (!this.shaded || this.shade.parentElement.hidden) return;
    const asked = new AbortController();
    this.shadesAsked = asked;
    const hidden = [...this.hidden].map((name) => `&hidden=${encodeURIComponent(name)}`).join("");
    try {
      const { header, take } = unpack(await ask(this.data.density_url + hidden, asked.signal));
      if (asked.signal.aborted) return;
      this.shades = { ...header, shades: take(Uint8Array, header.width * header.height) };
    } catch {
      if (asked.signal.aborted) return;
      this.shades = null; // the points are what matters
    }
    await this.drawShades();
  }

  async drawShades() {
    await this.enqueue(() => this.plotly.relayout(this.plot, { images: this.images() }));
  }

  keepView() {
    const layout = this.plot._fullLayout;
    if (!layout?.xaxis) return;
    views.set(this.data.key, {
      ...this.ranges(),
      revision: this.data.revision,
      dragmode: layout.dragmode,
      hidden: [...this.hidden],
      shaded: this.shaded,
    });
  }

  fit() {
    if (this.points && this.box.clientWidth) this.enqueue(() => this.plotly.Plots.resize(this.plot));
  }

  rowOf(event) {
    const point = event?.points?.[0];
    if (!point) return undefined;
    if (point.curveNumber === this.layers.length) return this.extraRows[point.pointNumber];
    const place = this.layers[point.curveNumber]?.[point.pointNumber];
    return place === undefined ? undefined : this.points.row(place);
  }

  onClick(event) {
    const row = this.rowOf(event);
    if (row === undefined || event.event?.detail > 1) return; // a double-click is one click
    this.hideCard();
    this.send({ kind: "click", clicked: row });
  }

  // What is drawn stands out at once; the server, which knows all points, has the last word.
  onSelected(event) {
    if (!event || !(event.range || event.lassoPoints)) return;
    const { x: xs, y: ys } = event.range ?? event.lassoPoints;
    const inside = insideOf(xs, ys);
    const { points } = this;
    const visible = this.groups.map((_, group) => this.visible(group));
    const chosen = this.adding && this.chosen ? this.chosen.copy() : new Chosen(this.answer.n);
    for (let i = 0; i < points.length; i += 1) {
      if (visible[points.group[i]] && inside(points.x[i], points.y[i])) chosen.add(points.row(i));
    }
    this.choose(chosen);
    this.send({
      kind: event.range ? "box" : "lasso",
      x: [...xs],
      y: [...ys],
      add: Boolean(this.adding),
      hidden: [...this.hidden],
    });
    this.enqueue(async () => {
      await this.paintHighlights({ outlined: true });
      await this.drawHighlights();
    });
  }

  clear() {
    if (!this.chosen?.count) return;
    this.choose(null);
    this.send({ kind: "clear" });
    this.enqueue(() => this.drawHighlights());
  }

  choose(chosen) {
    this.chosen = chosen;
    this.heldUrl = null; // until Python says what it made of it
  }

  send(event) {
    this.sent = nextSeq();
    this.component.setStateValue("event", { seq: this.sent, revision: this.drawn, clicked: null, ...event });
  }

  onHover(event) {
    const row = this.rowOf(event);
    if (row === undefined || this.drawn !== this.data.revision) return;
    const { clientX, clientY } = event.event;
    this.hideCard();
    this.plot.classList.add("pm-hit");
    this.hovered = row;
    this.ahead = setTimeout(() => this.fetchCard(row).catch(() => {}), AHEAD_MS);
    this.dwell = setTimeout(() => this.showCard(row, clientX, clientY), DWELL_MS);
  }

  hideCard() {
    clearTimeout(this.ahead);
    clearTimeout(this.dwell);
    this.hovered = null;
    this.card.hidden = true;
    this.plot.classList.remove("pm-hit");
  }

  async fetchCard(row) {
    if (!this.cards.has(row)) {
      if (this.cards.size >= CARDS_KEPT) this.cards.delete(this.cards.keys().next().value);
      const url = this.data.point_url.replace("{row}", row);
      this.cards.set(row, fetch(url, { credentials: "same-origin" }).then(async (answer) => {
        if (answer.status === 410) return { title: "The map has changed. Reload the page.", lines: [], thumb: null };
        if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
        const details = await answer.json();
        if (details.thumb) new Image().src = details.thumb; // it is on its way before the card shows
        return details;
      }));
    }
    return this.cards.get(row);
  }

  async showCard(row, clientX, clientY) {
    let details;
    try {
      details = await this.fetchCard(row);
    } catch {
      this.cards.delete(row);
      details = { title: "No details: the server did not answer.", lines: [], thumb: null };
    }
    if (this.hovered !== row || this.gone) return;
    const { card } = this;
    card.replaceChildren();
    if (details.thumb) {
      const picture = element("div", "pm-picture", card);
      const img = element("img", "", picture);
      img.alt = "";
      img.onerror = () => { picture.textContent = "no picture"; };
      img.src = details.thumb;
    }
    element("div", "pm-card-title", card).textContent = details.title ?? details.id ?? "";
    const group = this.groups.length > 1 ? this.groups[this.whereIs(row)?.group] : undefined;
    const lines = details.lines ?? [];
    // the line that the colour stands for carries it
    for (const line of group && !lines.includes(group.name) ? [...lines, group.name] : lines) {
      const text = element("div", "pm-card-line", card);
      if (line === group?.name) element("span", "pm-dot", text).style.setProperty("--pm-colour", group.colour);
      element("span", "pm-name", text).textContent = line;
    }
    card.hidden = false;
    this.place(clientX, clientY);
  }

  // Beside the pointer, on the side where there is room.
  place(clientX, clientY) {
    const { offsetWidth: width, offsetHeight: height } = this.card;
    const gap = 16;
    const left = clientX + gap + width > window.innerWidth - 8 ? clientX - gap - width : clientX + gap;
    const top = Math.min(clientY + gap, window.innerHeight - height - 8);
    this.card.style.left = `${Math.max(8, Math.min(left, window.innerWidth - width - 8))}px`;
    this.card.style.top = `${Math.max(8, top)}px`;
  }

  destroy() {
    this.gone = true;
    this.request?.abort();
    this.shadesAsked?.abort();
    this.resize.disconnect();
    this.hideCard();
    this.plotly?.purge(this.plot);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".pm-root");
  let chart = charts.get(root);
  if (!chart) {
    chart = new Chart(root);
    charts.set(root, chart);
  }
  chart.update(component);
  // Streamlit also calls this for a call that a newer one overtook: only a root that is gone ends.
  return () => setTimeout(() => {
    if (root.isConnected) return;
    charts.delete(root);
    chart.destroy();
  });
}

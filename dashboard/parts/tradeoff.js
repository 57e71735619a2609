// Curves over one series of choices, with a point on each that is dragged along them. All points
// are one choice: they move together. Streamlit calls the default export on every rerun with the
// same parentElement.
const MARGIN = { left: 46, right: 16, top: 14, bottom: 42 };
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100];
const PAUSE_MS = 600; // after the last key, since a key that is held is one move
const FAR = 10; // choices that Page Up and Page Down go
const HOW =
  "Drag a point along its curve, click where it should go, or use the arrow keys. The band is the " +
  "95 % interval, the dotted line the target.";
let lastSeq = 0;

function nextSeq() {
  lastSeq = Math.max(Date.now(), lastSeq + 1);
  return lastSeq;
}

function element(tag, className, parent) {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
}

function shape(tag, className, parent, attributes = {}) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  node.setAttribute("class", className);
  parent.append(node);
  return set(node, attributes);
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function ticks([from, to], most) {
  const step = STEPS.find((each) => (to - from) / each <= most) ?? 100;
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, i) => {
    const value = (first + i) * step;
    return { value, text: value.toFixed(step < 1 ? 1 : 0) };
  });
}

// One curve: the drawing, and where a choice lies on it.
class Chart {
  constructor(owner, curve) {
    this.owner = owner;
    this.figure = element("figure", "to-curve", owner.root);
    element("figcaption", "to-title", this.figure).textContent = curve.title;
    this.svg = shape("svg", "to-svg", this.figure, { role: "group", "aria-label": curve.about });
    this.ground = shape("rect", "to-ground", this.svg);
    this.grid = shape("g", "to-grid", this.svg, { "aria-hidden": "true" });
    this.band = shape("path", "to-band", this.svg);
    this.target = shape("line", "to-target", this.svg);
    this.line = shape("path", "to-line", this.svg);
    this.point = shape("g", "to-point", this.svg, {
      tabindex: 0, role: "slider", "aria-label": `Working point: ${curve.title}`,
    });
    for (const [name, r] of [["to-hit", 22], ["to-halo", 17], ["to-ring", 13.5], ["to-dot", 9]])
      shape("circle", name, this.point, { r });
    this.listen();
  }

  draw(curve) {
    this.curve = curve;
    const width = Math.max(this.figure.clientWidth, 160);
    const height = this.svg.getBoundingClientRect().height;
    const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
    const scale = ([from, to], start, end) => (value) => start + ((value - from) / (to - from)) * (end - start);
    const x = (this.x = scale(curve.x_ends, MARGIN.left, right));
    const y = (this.y = scale(curve.y_ends, bottom, MARGIN.top));
    // the choices that have a place here, from left to right
    this.places = [...curve.x.keys()].filter((i) => curve.y[i] !== null);
    if (curve.x[this.places[0]] > curve.x[this.places.at(-1)]) this.places.reverse();
    const path = (values, places) => places.map((i) => `${x(curve.x[i]).toFixed(1)},${y(values[i]).toFixed(1)}`).join("L");
    set(this.ground, { x: 0, y: 0, width, height });
    this.line.setAttribute("d", this.places.length ? `M${path(curve.y, this.places)}` : "");
    const banded = curve.low.length && this.places.length;
    const back = banded && [...this.places].reverse();
    this.band.setAttribute("d", banded ? `M${path(curve.low, this.places)}L${path(curve.high, back)}Z` : "");
    const across = curve.target_on === "y";
    set(this.target, across
      ? { x1: MARGIN.left, x2: right, y1: y(curve.target), y2: y(curve.target) }
      : { x1: x(curve.target), x2: x(curve.target), y1: MARGIN.top, y2: bottom });
    this.drawAxes(width, height, right, bottom);
  }

  drawAxes(width, height, right, bottom) {
    const { curve, grid } = this;
    grid.replaceChildren();
    const write = (text, attributes) => (shape("text", "", grid, attributes).textContent = text);
    for (const { value, text } of ticks(curve.y_ends, (bottom - MARGIN.top) / 30)) {
      const at = this.y(value);
      shape("line", "", grid, { x1: MARGIN.left, x2: right, y1: at, y2: at });
      write(text, { x: MARGIN.left - 8, y: at, dy: "0.35em", "text-anchor": "end" });
    }
    for (const { value, text } of ticks(curve.x_ends, (right - MARGIN.left) / 44)) {
      const at = this.x(value);
      shape("line", "", grid, { x1: at, x2: at, y1: bottom, y2: bottom + 4 });
      write(text, { x: at, y: bottom + 17, "text-anchor": "middle" });
    }
    write(curve.across, { x: (MARGIN.left + right) / 2, y: height - 6, "text-anchor": "middle" });
    write(curve.up, {
      transform: `translate(11, ${(MARGIN.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle",
    });
  }

  // Where the point of a choice is, in pixels of the drawing; null where it has no place here.
  where(place) {
    const y = this.curve.y[place];
    return y === null ? null : [this.x(this.curve.x[place]), this.y(y)];
  }

  put(place, said) {
    const at = this.where(place);
    this.point.style.display = at ? "" : "none";
    if (!at) return;
    const { x } = this.curve;
    set(this.point, {
      transform: `translate(${at[0].toFixed(1)}, ${at[1].toFixed(1)})`,
      "aria-valuemin": Math.min(...this.places.map((i) => x[i])),
      "aria-valuemax": Math.max(...this.places.map((i) => x[i])),
      "aria-valuenow": x[place],
      "aria-valuetext": said,
    });
  }

  nearest([x, y]) {
    let [best, least] = [null, Infinity];
    for (const place of this.places) {
      const at = this.where(place);
      const far = (at[0] - x) ** 2 + (at[1] - y) ** 2;
      if (far < least) [best, least] = [place, far];
    }
    return best;
  }

  pixel(event) {
    const box = this.svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  listen() {
    const { owner, svg, point } = this;
    svg.addEventListener("pointerdown", (event) => {
      const grabbed = point.contains(event.target);
      this.touched = event.pointerType !== "mouse";
      if (event.button !== 0 || owner.drag || (this.touched && !grabbed)) return; // a finger beside the point scrolls the page
      const [x, y] = this.pixel(event);
      const at = grabbed ? this.where(owner.place) : null;
      owner.begin(event.pointerId, this, at ? [at[0] - x, at[1] - y] : [0, 0]);
      svg.setPointerCapture(event.pointerId);
      owner.root.classList.add("to-pointed"); // browsers would draw a ring as if a key had led here
      point.focus({ preventScroll: true });
      if (!grabbed) owner.move(this.nearest([x, y]));
    });
    // a finger on the point moves it, not the page; touch-action does not hold for parts of a drawing
    point.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    svg.addEventListener("mousedown", (event) => event.preventDefault()); // selects no text, and leaves the focus
    svg.addEventListener("pointermove", (event) => {
      if (owner.drag?.pointer !== event.pointerId) return;
      const [x, y] = this.pixel(event);
      owner.move(this.nearest([x + owner.drag.off[0], y + owner.drag.off[1]]));
    });
    svg.addEventListener("pointerup", (event) => {
      if (owner.drag?.pointer === event.pointerId) owner.release();
    });
    for (const name of ["pointercancel", "lostpointercapture"])
      svg.addEventListener(name, (event) => {
        if (owner.drag?.pointer === event.pointerId) owner.takeBack();
      });
    svg.addEventListener("click", (event) => {
      if (!this.touched || point.contains(event.target)) return;
      owner.move(this.nearest(this.pixel(event)));
      owner.send();
    });
    point.addEventListener("keydown", (event) => this.onKey(event));
    point.addEventListener("blur", () => {
      if (!owner.drag) owner.root.classList.remove("to-pointed");
      if (owner.timer) owner.send();
    });
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { owner, places } = this;
    owner.root.classList.remove("to-pointed");
    const last = places.length - 1;
    const at = places.indexOf(owner.place);
    const to = {
      ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1,
      PageUp: at + FAR, PageDown: at - FAR, Home: 0, End: last,
    }[event.key];
    if (event.key === "Escape") owner.takeBack();
    else if (to !== undefined && !owner.drag) {
      owner.move(places[Math.min(Math.max(to, 0), last)]);
      clearTimeout(owner.timer);
      owner.timer = setTimeout(() => owner.send(), PAUSE_MS);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

class Tradeoff {
  constructor(root) {
    this.root = root;
    this.charts = [];
    this.drag = null; // the pointer that moves the point
    this.timer = 0; // keys moved it, and may go on
    this.sent = null; // number of the event Python has not answered yet
    this.said = element("p", "to-said", root);
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(root);
  }

  update(component) {
    this.component = component;
    const { data } = component;
    if (this.charts.length !== data.curves.length) {
      for (const chart of this.charts) chart.figure.remove();
      this.how?.remove();
      this.charts = data.curves.map((curve) => new Chart(this, curve));
      this.how = element("p", "to-how", this.root);
      this.how.textContent = HOW;
    }
    if (this.revision !== data.revision) {
      this.revision = data.revision;
      this.stop();
      this.sent = null;
    }
    if (this.sent === data.ack) this.sent = null;
    if (!this.drag && !this.timer && this.sent === null) this.place = data.at;
    this.draw();
  }

  draw() {
    const { curves } = this.component?.data ?? {};
    if (!curves || !this.root.clientWidth) return; // not in sight yet
    this.charts.forEach((chart, i) => chart.draw(curves[i]));
    this.put();
  }

  put() {
    const said = this.component.data.said[this.place];
    this.said.textContent = said;
    for (const chart of this.charts) chart.put(this.place, said);
  }

  begin(pointer, chart, off) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.drag = { pointer, off };
    this.root.classList.add("to-moving");
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.drag = null;
    this.root.classList.remove("to-moving");
  }

  move(place) {
    if (place === null || place === this.place) return;
    this.place = place;
    this.put();
  }

  release() {
    this.stop();
    this.send();
  }

  takeBack() {
    this.stop();
    if (this.sent === null) this.move(this.component.data.at);
  }

  send() {
    clearTimeout(this.timer);
    this.timer = 0;
    const { data } = this.component;
    if (this.place === data.at && this.sent === null) return;
    this.sent = nextSeq();
    this.component.setStateValue("event", { seq: this.sent, revision: data.revision, place: this.place });
  }
}

const known = new WeakMap();

export default function (component) {
  const root = component.parentElement.querySelector(".to-root");
  if (!known.has(root)) known.set(root, new Tradeoff(root));
  known.get(root).update(component);
  // Streamlit also calls this for a call that a newer one overtook: only a root that is gone ends.
  return () => setTimeout(() => {
    if (!root.isConnected) known.get(root)?.resize.disconnect();
  });
}

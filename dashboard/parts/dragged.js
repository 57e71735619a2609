// A filter's two curves and its working point on both, dragged along either. Streamlit calls the
// default export on every rerun with the same parentElement.
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 270;
const EDGE = { left: 46, right: 14, top: 10, bottom: 40 };
const PAUSE = 500; // ms without a key before the point counts as left there
const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
let lastSeq = 0;

function nextSeq() {
  lastSeq = Math.max(Date.now(), lastSeq + 1);
  return lastSeq;
}

function element(tag, className, parent, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  parent?.append(node);
  return node;
}

function drawn(tag, attributes, parent, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent?.append(node);
  return node;
}

// Never all of them, nor none, by rounding.
function percent(share) {
  if (share === 0 || share === 1) return `${100 * share} %`;
  if (share > 0.999) return ">99.9 %";
  if (share < 0.001) return "<0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

function words(point) {
  const [low, high] = point.recall_ci95;
  return [
    ["drops ", `${percent(point.dropped_share)} of the images`],
    ["keeps ", `${percent(point.recall)} of the plankton`, ` (95 %: ${percent(low).replace(" %", "")} to ${percent(high)})`],
    point.precision === null
      ? ["keeps nothing else", ""]
      : ["", `${percent(point.precision)}`, " of what is kept is plankton"],
    ["threshold ", Number(point.threshold.toPrecision(3)).toString()],
  ];
}

function sentence(point) {
  return words(point).map((part) => part.join("")).join(", ");
}

const PANELS = [
  {
    name: "kept",
    title: "Kept against dropped",
    x: (point) => point.dropped_share,
    y: (point) => point.recall,
    axes: ["images dropped (%)", "plankton kept (%)"],
    // a higher threshold is to the right, and further down
    threshold: [1, -1],
  },
  {
    name: "precision",
    title: "Precision and recall",
    x: (point) => point.recall,
    y: (point) => point.precision,
    axes: ["plankton kept (%)", "plankton among the kept (%)"],
    threshold: [-1, 1],
  },
];

function ticks(low, high) {
  const step = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25].find((s) => (high - low) / s <= 6) ?? 0.5;
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9; n += 1) found.push(n * step);
  return found;
}

function ranges(panel, data, seen) {
  if (panel.name === "kept") {
    const right = Math.max(...seen.map((place) => panel.x(data.points[place])), 0.02);
    return { x: [0, right], y: [data.floor, 1] };
  }
  const lowest = Math.min(...seen.map((place) => panel.y(data.points[place]) ?? 1));
  return { x: [data.floor, 1], y: [Math.max(0, lowest - 0.02), 1] };
}

function drawPanel(root, panel) {
  const { data } = root.component;
  const box = root.dg.panels[panel.name];
  const width = Math.max(box.svg.clientWidth, 200);
  box.plot.replaceChildren();
  box.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  box.svg.setAttribute("height", HEIGHT);
  const near = data.points.map((point, place) => [point, place]);
  box.seen = near
    .filter(([point]) => point.recall >= data.floor && panel.y(point) !== null)
    .map(([, place]) => place);
  const range = ranges(panel, data, box.seen);
  const scale = (value, [low, high], from, to) => from + ((value - low) / (high - low)) * (to - from);
  const [x0, x1, y0, y1] = [EDGE.left, width - EDGE.right, HEIGHT - EDGE.bottom, EDGE.top];
  const ax = (value) => scale(value, range.x, x0, x1);
  const ay = (value) => scale(value, range.y, y0, y1);
  box.place = box.seen.map((place) => [ax(panel.x(data.points[place])), ay(panel.y(data.points[place]))]);
  const says = (value) => Number((100 * value).toFixed(1)).toString();
  for (const value of ticks(...range.x)) {
    drawn("line", { class: "dg-grid", x1: ax(value), x2: ax(value), y1: y0, y2: y1 }, box.plot);
    drawn("text", { x: ax(value), y: y0 + 16, "text-anchor": "middle" }, box.plot, says(value));
  }
  for (const value of ticks(...range.y)) {
    drawn("line", { class: "dg-grid", x1: x0, x2: x1, y1: ay(value), y2: ay(value) }, box.plot);
    drawn("text", { x: x0 - 6, y: ay(value) + 4, "text-anchor": "end" }, box.plot, says(value));
  }
  drawn("text", { x: (x0 + x1) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, box.plot, panel.axes[0]);
  const up = `rotate(-90 12 ${(y0 + y1) / 2})`;
  drawn("text", { x: 12, y: (y0 + y1) / 2, "text-anchor": "middle", transform: up }, box.plot, panel.axes[1]);
  if (panel.name === "kept") {
    const edge = (which) => box.seen.map((place) => {
      const point = data.points[place];
      return `${ax(point.dropped_share)},${ay(Math.max(point.recall_ci95[which], data.floor))}`;
    });
    const around = [...edge(0), ...edge(1).reverse()].join(" ");
    drawn("polygon", { class: "dg-band", points: around }, box.plot);
  }
  const wanted = data.target >= data.floor;
  if (wanted && panel.name === "kept") {
    drawn("line", { class: "dg-target", x1: x0, x2: x1, y1: ay(data.target), y2: ay(data.target) }, box.plot);
  } else if (wanted) {
    drawn("line", { class: "dg-target", x1: ax(data.target), x2: ax(data.target), y1: y0, y2: y1 }, box.plot);
  }
  const line = box.place.map((at) => at.join()).join(" ");
  drawn("polyline", { class: "dg-line", points: line }, box.plot);
  box.handle.setAttribute("aria-valuemax", String(data.points.length - 1));
}

// What stays while the rest is drawn anew: a point that is held, or has the keyboard, is kept.
function buildPanel(panel, svg) {
  const plot = drawn("g", {}, svg);
  const ghost = drawn("circle", { class: "dg-ghost", r: 6 }, svg);
  const handle = drawn("g", { class: "dg-handle", role: "slider", tabindex: "0" }, svg);
  handle.setAttribute("aria-label", `Working point, ${panel.title.toLowerCase()}`);
  handle.setAttribute("aria-valuemin", "0");
  drawn("circle", { class: "dg-reach", r: 22 }, handle);
  drawn("circle", { r: 9 }, handle);
  drawn("circle", { class: "dg-ring", r: 13 }, handle);
  return { svg, plot, ghost, handle };
}

// The place on a panel's curve that is nearest to a pointer.
function nearest(root, panel, event) {
  const box = root.dg.panels[panel.name];
  const frame = box.svg.getBoundingClientRect();
  const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
  let best = null;
  box.place.forEach(([px, py], i) => {
    const far = (px - x) ** 2 + (py - y) ** 2;
    if (best === null || far < best.far) best = { far, place: box.seen[i] };
  });
  return best?.place ?? null;
}

function say(root, point, there) {
  root.dg.said.replaceChildren();
  root.dg.said.className = there ? "dg-said dg-there" : "dg-said";
  element("span", "", root.dg.said, there ? "There it " : "The filter ");
  words(point).forEach(([before, strong, after], i) => {
    if (i) root.dg.said.append(" · ");
    root.dg.said.append(before);
    if (strong) element("b", "", root.dg.said, strong);
    if (after) root.dg.said.append(after);
  });
}

function show(root) {
  const { data } = root.component;
  const point = data.points[root.at];
  for (const panel of PANELS) {
    const box = root.dg.panels[panel.name];
    const i = box.seen.indexOf(root.at);
    box.handle.style.display = i < 0 ? "none" : "";
    if (i >= 0) box.handle.setAttribute("transform", `translate(${box.place[i].join(" ")})`);
    box.handle.setAttribute("aria-valuenow", String(root.at));
    box.handle.setAttribute("aria-valuetext", sentence(point));
  }
  say(root, point, false);
}

function ghost(root, panel, place) {
  for (const each of PANELS) {
    const box = root.dg.panels[each.name];
    const i = place === null ? -1 : box.seen.indexOf(place);
    box.ghost.style.visibility = i < 0 || place === root.at ? "hidden" : "visible";
    if (i < 0) continue;
    box.ghost.setAttribute("cx", box.place[i][0]);
    box.ghost.setAttribute("cy", box.place[i][1]);
  }
  const { points } = root.component.data;
  if (place === null || place === root.at) say(root, points[root.at], false);
  else say(root, points[place], true);
}

function leave(root) {
  clearTimeout(root.waiting);
  root.waiting = null;
  if (root.at === root.left) return;
  root.left = root.at;
  const { revision } = root.component.data;
  root.component.setStateValue("event", { seq: nextSeq(), revision, place: root.at });
}

function listenTo(root, panel, svg) {
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const place = nearest(root, panel, event);
    if (place === null) return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    root.dragged = event.pointerId;
    root.classList.add("dg-dragging");
    ghost(root, panel, null);
    root.at = place;
    show(root);
    root.dg.panels[panel.name].handle.focus({ preventScroll: true });
  });
  svg.addEventListener("pointermove", (event) => {
    const place = nearest(root, panel, event);
    if (root.dragged === event.pointerId) {
      root.at = place ?? root.at;
      show(root);
    } else if (root.dragged === null && event.pointerType === "mouse") ghost(root, panel, place);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    svg.addEventListener(end, (event) => {
      if (root.dragged !== event.pointerId) return;
      root.dragged = null;
      root.classList.remove("dg-dragging");
      leave(root);
    });
  }
  svg.addEventListener("pointerleave", () => {
    if (root.dragged === null) ghost(root, panel, null);
  });
  svg.addEventListener("keydown", (event) => {
    const { seen } = root.dg.panels[panel.name];
    const [first, last] = [seen[0], seen.at(-1)];
    let to = null;
    if (STEPS[event.key]) {
      const [right, up] = STEPS[event.key];
      to = root.at + right * panel.threshold[0] + up * panel.threshold[1];
    } else if (event.key === "PageUp") to = root.at + 10;
    else if (event.key === "PageDown") to = root.at - 10;
    else if (event.key === "Home") to = first;
    else if (event.key === "End") to = last;
    if (to === null || first === undefined) return;
    event.preventDefault();
    root.at = Math.min(Math.max(to, first), last);
    show(root);
    clearTimeout(root.waiting);
    root.waiting = setTimeout(() => leave(root), PAUSE);
  });
  svg.addEventListener("focusout", () => {
    if (root.waiting) leave(root);
  });
}

function build(root) {
  root.replaceChildren();
  root.dg = { panels: {} };
  for (const panel of PANELS) {
    const outer = element("div", "dg-panel", root);
    element("div", "dg-title", outer, panel.title);
    const svg = drawn("svg", { role: "group", "aria-label": panel.title }, outer);
    root.dg.panels[panel.name] = buildPanel(panel, svg);
    listenTo(root, panel, svg);
  }
  root.dg.said = element("div", "dg-said", root);
  root.dg.said.setAttribute("aria-live", "off"); // the sliders say it
}

function draw(root) {
  for (const panel of PANELS) drawPanel(root, panel);
  show(root);
}

export default function (component) {
  const root = component.parentElement.querySelector(".dg-root");
  const fresh = !root.component;
  root.component = component;
  const { data } = component;
  if (fresh) {
    Object.assign(root, { dragged: null, waiting: null });
    build(root);
    root.observer = new ResizeObserver(() => {
      const width = root.clientWidth;
      if (width && width !== root.wide) {
        root.wide = width;
        draw(root);
      }
    });
    root.observer.observe(root);
  }
  const told = JSON.stringify([data.revision, data.at, data.floor, data.target]);
  if (told === root.told) return;
  root.told = told;
  // what is being moved just now is newer than what Python knows
  if (fresh || (root.dragged === null && root.waiting === null)) root.at = root.left = data.at;
  root.at = Math.min(root.at, data.points.length - 1);
  draw(root);
}

// What is taken for what, as a table whose cells are buttons. Streamlit calls the default export
// on every rerun with the same parentElement.
let lastSeq = 0;
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

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

function told(data, cell) {
  const total = data.totals[cell.row].toLocaleString("en");
  const [is, as] = [data.kinds[cell.row], data.kinds[cell.column]];
  const images = cell.count.toLocaleString("en");
  return cell.row === cell.column
    ? `${is}: ${images} of ${total} taken for what they are`
    : `${is} taken for ${as}: ${images} of ${total}`;
}

function build(root, component) {
  const { data } = component;
  root.replaceChildren();
  root.style.setProperty("--mx-n", data.kinds.length);
  const table = element("table", "mx-table", root);
  table.setAttribute("aria-label", data.label);
  const head = element("tr", "", element("thead", "", table));
  element("td", "mx-corner", head, "is ↓  taken for →");
  const columns = data.kinds.map((kind) => {
    const th = element("th", "mx-column", head);
    th.scope = "col";
    th.title = kind;
    element("span", "", th, kind);
    return th;
  });
  const body = element("tbody", "", table);
  const cells = new Map();
  for (const cell of data.cells) cells.set(`${cell.row} ${cell.column}`, cell);
  const rows = data.kinds.map((kind, row) => {
    const tr = element("tr", "", body);
    const th = element("th", "mx-row", tr, kind);
    th.scope = "row";
    th.title = `${kind}: ${data.totals[row].toLocaleString("en")} images`;
    data.kinds.forEach((_, column) => {
      const cell = cells.get(`${row} ${column}`);
      const td = element("td", row === column ? "mx-right" : "mx-wrong", tr);
      if (!cell) return;
      const share = cell.count / data.totals[row];
      const button = element("button", share > 0.5 ? "mx-cell mx-strong" : "mx-cell", td, cell.count);
      button.type = "button";
      button.tabIndex = -1;
      button.title = told(data, cell);
      button.setAttribute("aria-label", button.title);
      // a single image among many is still to be seen
      button.style.setProperty("--mx-share", `${Math.round(100 * Math.max(share, 0.06))}%`);
      Object.assign(button.dataset, { row, column });
    });
    return th;
  });
  return { columns, rows, buttons: [...table.querySelectorAll(".mx-cell")] };
}

function mark(root, data) {
  const { buttons } = root.mx;
  const [row, column] = data.chosen ?? [-1, -1];
  for (const button of buttons) {
    const is = Number(button.dataset.row) === row && Number(button.dataset.column) === column;
    button.setAttribute("aria-pressed", String(is));
    button.tabIndex = -1;
    if (is) button.tabIndex = 0;
  }
  if (buttons.length && !buttons.some((button) => button.tabIndex === 0)) buttons[0].tabIndex = 0;
}

// A large matrix leaves its pictures below the edge of the window: bring them half way up.
function showBelow(root) {
  const main = root.getRootNode().host?.closest("[data-testid=stMain]");
  const below = root.getBoundingClientRect().bottom - 0.45 * window.innerHeight;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (below > 0) main?.scrollBy({ top: below, behavior: calm ? "auto" : "smooth" });
}

function light(root, target) {
  const button = target?.closest?.(".mx-cell");
  const [row, column] = button ? [Number(button.dataset.row), Number(button.dataset.column)] : [-1, -1];
  root.mx.rows.forEach((th, i) => th.classList.toggle("mx-lit", i === row));
  root.mx.columns.forEach((th, i) => th.classList.toggle("mx-lit", i === column));
}

// The next button that way, in the same row or column; empty cells are passed over.
function step(root, from, [down, right]) {
  const at = (button) => [Number(button.dataset.row), Number(button.dataset.column)];
  const [row, column] = at(from);
  const ahead = root.mx.buttons.filter((button) => {
    const [r, c] = at(button);
    return down ? c === column && (r - row) * down > 0 : r === row && (c - column) * right > 0;
  });
  const far = (button) => Math.abs(at(button)[0] - row) + Math.abs(at(button)[1] - column);
  ahead.sort((a, b) => far(a) - far(b))[0]?.focus();
}

function listen(root) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest(".mx-cell");
    if (!button) return;
    const { data } = root.component;
    const clicked = [Number(button.dataset.row), Number(button.dataset.column)];
    mark(root, { ...data, chosen: clicked });
    root.clicked = clicked.join();
    root.component.setStateValue("event", { seq: nextSeq(), revision: data.revision, clicked });
  });
  root.addEventListener("mouseover", (event) => light(root, event.target));
  root.addEventListener("mouseleave", () => light(root, null));
  root.addEventListener("focusin", (event) => light(root, event.target));
  root.addEventListener("keydown", (event) => {
    const button = event.target.closest(".mx-cell");
    if (!button || !STEPS[event.key]) return;
    event.preventDefault();
    step(root, button, STEPS[event.key]);
  });
}

export default function (component) {
  const root = component.parentElement.querySelector(".mx-root");
  if (!root.component) listen(root);
  root.component = component;
  if (root.revision !== component.data.revision) {
    root.revision = component.data.revision;
    root.mx = build(root, component);
  }
  mark(root, component.data);
  if (root.clicked && root.clicked === component.data.chosen?.join()) {
    root.clicked = null;
    setTimeout(() => showBelow(root), 150); // once they are there
  }
}

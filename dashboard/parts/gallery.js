// The image grid. Streamlit calls the default export on every rerun with the same parentElement:
// the DOM is kept and only what differs is touched, so nothing flickers and focus stays.
const grids = new WeakMap();
const DRAG_PX = 6; // a click trembles less than this
const EDGE_PX = 44; // how near the edge a drag makes the grid scroll
const DWELL_MS = 350;
const WARM_MS = 150; // the next card, once one was looked at
const ANSWER_MS = 250; // a card waits no longer for what the server knows
const PICTURE_PX = 320;
const SENT_MS = 120; // many steps of the keyboard are one event
let lastSeq = 0;

// Grows even across remounts within one page load, so that Python never meets a number twice.
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

// The longest of 1, 2, 5 x 10^n that is at most `limit`.
function niceLength(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  const step = [5, 2, 1].find((s) => s * power <= limit * (1 + 1e-9)) ?? 1;
  return step * power;
}

function lengthText(um) {
  const round = (value) => String(Number(value.toPrecision(3)));
  return um >= 1000 ? `${round(um / 1000)} mm` : `${round(um)} µm`;
}

// Names of one run begin alike: when there is no room it is their end that stays.
function fillTitle(node, title) {
  const kept = title.length > 12 && !/\s/.test(title) ? 8 : 0;
  element("span", "begin", node).textContent = kept ? title.slice(0, -kept) : title;
  if (kept) element("span", "end", node).textContent = title.slice(-kept);
}

// What scrolls the element: itself or the nearest around it, through shadow roots.
function scrollerOf(node) {
  for (let at = node; at; at = at.parentNode ?? at.host) {
    if (!(at instanceof Element) || at.scrollHeight <= at.clientHeight + 1) continue;
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return document.scrollingElement;
}

function sameSet(a, b) {
  return a.size === b.size && [...a].every((one) => b.has(one));
}

// A scale bar for a picture of `side_w` x `side_h` shown whole; hidden when the size is not known.
function drawScale({ scale, text, bar }, picture, sideW, sideH) {
  const known = picture.um_per_px > 0 && picture.width > 0 && picture.height > 0 && sideW > 0;
  scale.classList.toggle("known", known);
  if (!known) return;
  const zoom = Math.min(sideW / picture.width, sideH / picture.height);
  const umPerShown = picture.um_per_px / zoom;
  // beside a narrow picture there is room for a bar long enough to see
  const span = Math.max(picture.width * zoom, sideW / 2);
  const length = niceLength(0.4 * span * umPerShown);
  bar.style.width = `${length / umPerShown}px`;
  text.textContent = lengthText(length);
}

function makeScale(parent) {
  const scale = element("span", "scale", parent);
  return { scale, text: element("span", "length", scale), bar: element("div", "bar", scale) };
}

// The larger picture with what is known of it, beside the tile one rests on. It lies above
// everything and lets every click through.
class Card {
  constructor(grid) {
    this.grid = grid;
    this.hiddenAt = -Infinity;
    const { root } = grid;
    const node = element("div", "card", root.parentNode);
    node.id = `card-${nextSeq()}`;
    node.setAttribute("role", "tooltip");
    node.popover = "manual";
    const frame = element("div", "picture", node);
    const img = element("img", "", frame);
    img.alt = "";
    img.addEventListener("error", () => frame.classList.add("broken"));
    img.addEventListener("load", () => frame.classList.remove("broken"));
    element("span", "none", frame).textContent = "no picture";
    this.parts = { frame, img, ...makeScale(frame), about: element("div", "about", node) };
    this.node = node;
    this.scrolled = () => this.onScroll();
    this.key = (event) => {
      if (event.key !== "Escape" || !this.tile) return;
      this.hide();
      event.preventDefault();
      event.stopPropagation();
    };
    root.addEventListener("pointermove", (event) => this.onMove(event));
    root.addEventListener("pointerleave", () => this.leave());
    root.addEventListener("pointerdown", () => this.hide());
    addEventListener("scroll", this.scrolled, { capture: true, passive: true });
    document.addEventListener("keydown", this.key, true);
  }

  // A card is worth its place where it tells or shows more than the tile does.
  tellsMore(node) {
    return Boolean(node.tile.about) || PICTURE_PX > 1.3 * node.parts.frame.clientWidth;
  }

  // The browser also makes up a move when the page scrolls under a mouse at rest.
  onMove(event) {
    if (event.pointerType === "touch" || event.buttons || this.grid.drag) return;
    const at = `${event.clientX} ${event.clientY}`;
    if (at === this.at) return;
    this.at = at;
    const node = event.target.closest(".tile");
    if (node === this.over) return;
    this.leave();
    this.over = node;
    if (node) this.wait(node);
  }

  leave() {
    this.over = null;
    this.hide();
  }

  wait(node) {
    if (!this.tellsMore(node)) return;
    const warm = performance.now() - this.hiddenAt < 300;
    this.hide();
    this.waiting = node;
    this.timer = setTimeout(() => this.show(node), warm ? WARM_MS : DWELL_MS);
  }

  onScroll() {
    const { waiting, tile } = this;
    if (tile) this.hide();
    else if (waiting) this.wait(waiting);
  }

  async show(node) {
    this.hide();
    const { tile } = node;
    const stop = new AbortController();
    this.asked = stop;
    this.tile = node;
    const slow = new Promise((done) => { setTimeout(done, ANSWER_MS); });
    const answer = tile.about ? this.ask(tile.about, stop.signal) : Promise.resolve(null);
    const early = await Promise.race([answer, slow]);
    if (stop.signal.aborted) return;
    this.fill(node, early ?? null);
    if (tile.about && early === undefined) {
      const late = await answer;
      if (late && !stop.signal.aborted) this.fill(node, late);
    }
  }

  // null when it cannot be had: the card then says what the tile says
  async ask(address, signal) {
    try {
      const answer = await fetch(address, { signal });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }

  fill(node, known) {
    const { tile } = node;
    const { frame, img, about } = this.parts;
    const width = Math.min(PICTURE_PX, innerWidth - 40);
    const ratio = tile.width > 0 && tile.height > 0 ? tile.height / tile.width : 0.75;
    const height = Math.max(90, Math.min(width * ratio, 300, innerHeight * 0.42));
    frame.style.width = `${width}px`;
    frame.style.height = `${height}px`;
    drawScale(this.parts, tile, width, height);
    if (this.shownOf !== node || img.src === "") img.src = tile.thumb;
    this.shownOf = node;
    if (known?.picture) this.sharpen(known.picture, this.asked.signal);
    about.replaceChildren();
    element("div", "name", about).textContent = known?.title || tile.title;
    if (tile.hint) element("div", "said", about).textContent = tile.hint;
    if (known?.lines) {
      if (tile.score !== null) element("div", "said", about).textContent = tile.lines[0] ?? "";
      const facts = element("dl", "", about);
      for (const [name, value] of known.lines) {
        element("dt", "", facts).textContent = name;
        element("dd", "", facts).textContent = value;
      }
    } else for (const line of tile.lines) element("div", "said", about).textContent = line;
    if (!this.node.matches(":popover-open")) this.node.showPopover();
    node.setAttribute("aria-describedby", this.node.id);
    this.place(node);
  }

  // The thumbnail stays until the larger picture is whole.
  sharpen(address, signal) {
    const whole = new Image();
    whole.addEventListener("load", () => {
      if (!signal.aborted) this.parts.img.src = address;
    });
    signal.addEventListener("abort", () => { if (!whole.complete) whole.src = ""; });
    whole.src = address;
  }

  // Beside the tile on the side with room, else under or over it, cut where there is none.
  place(node) {
    const { style } = this.node;
    const gap = 10;
    const box = node.getBoundingClientRect();
    style.maxHeight = `${innerHeight - 2 * gap}px`;
    const { width, height } = this.node.getBoundingClientRect();
    let left = box.right + gap;
    let top = box.top;
    if (left + width > innerWidth - gap) left = box.left - gap - width;
    if (left < gap) {
      left = Math.max(gap, Math.min(box.left, innerWidth - gap - width));
      const [above, below] = [box.top - 2 * gap, innerHeight - box.bottom - 2 * gap];
      const under = below >= Math.min(height, above);
      style.maxHeight = `${Math.max(60, under ? below : above)}px`;
      top = under ? box.bottom + gap : box.top - gap - Math.min(height, above);
    } else top = Math.max(gap, Math.min(top, innerHeight - gap - height));
    style.left = `${left}px`;
    style.top = `${top}px`;
  }

  hide() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.waiting = null;
    this.tile?.removeAttribute("aria-describedby");
    if (this.node.matches(":popover-open")) {
      this.node.hidePopover();
      this.hiddenAt = performance.now();
    }
    this.tile = null;
  }

  destroy() {
    this.hide();
    removeEventListener("scroll", this.scrolled, { capture: true });
    document.removeEventListener("keydown", this.key, true);
    this.node.remove();
  }
}

// A rubber band drawn with mouse or pen; fingers scroll.
class Drag {
  constructor(grid) {
    this.grid = grid;
    const { root } = grid;
    root.addEventListener("pointerdown", (event) => this.press(event));
    this.move = (event) => this.onMove(event);
    this.up = (event) => this.onUp(event);
    this.cancel = () => this.end(false);
    this.key = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.end(false);
    };
    // the click that follows a drag is none; it lands on whatever is under the pointer
    root.addEventListener("click", (event) => {
      if (!this.over) return;
      this.over = false;
      event.stopImmediatePropagation();
    }, true);
  }

  press(event) {
    this.over = false;
    const { root, data, nodes } = this.grid;
    if (!data.selectable || !nodes.length || event.button !== 0 || event.pointerType === "touch") return;
    const box = root.getBoundingClientRect();
    if (event.clientX - box.left >= root.clientLeft + root.clientWidth) return; // its scrollbar
    this.from = this.inside(event.clientX, event.clientY);
    this.started = [event.clientX, event.clientY];
    this.adds = event.ctrlKey || event.metaKey || event.shiftKey;
    this.listen(true);
  }

  listen(on) {
    const change = on ? addEventListener : removeEventListener;
    change("pointermove", this.move);
    change("pointerup", this.up);
    change("pointercancel", this.cancel);
    change("keydown", this.key, true);
  }

  // a place of the window as a place of the grid's whole content
  inside(x, y) {
    const { root } = this.grid;
    const box = root.getBoundingClientRect();
    return [x - box.left + root.scrollLeft, y - box.top + root.scrollTop];
  }

  onMove(event) {
    this.pointer = [event.clientX, event.clientY];
    if (!this.band) {
      const [x, y] = this.started;
      if (Math.hypot(event.clientX - x, event.clientY - y) < DRAG_PX) return;
      this.begin(event);
    }
    this.draw();
  }

  begin(event) {
    const { grid } = this;
    grid.drag = this;
    grid.card.hide();
    grid.root.classList.add("dragging");
    try { grid.root.setPointerCapture(event.pointerId); } catch { /* the pointer is gone */ }
    getSelection()?.removeAllRanges();
    this.band = element("div", "band", grid.root);
    this.band.setAttribute("aria-hidden", "true");
    this.count = element("span", "count", this.band);
    this.before = new Set(grid.selected);
    this.kept = this.adds ? this.before : new Set();
    this.places = grid.nodes.map((node) => [
      node.offsetLeft, node.offsetTop, node.offsetLeft + node.offsetWidth, node.offsetTop + node.offsetHeight,
    ]);
    this.bounds = [grid.root.scrollWidth, grid.root.scrollHeight];
    this.scroller = scrollerOf(grid.root);
    this.frame = requestAnimationFrame(() => this.scroll());
  }

  draw() {
    const { grid, from, band } = this;
    const [x, y] = this.inside(...this.pointer);
    const left = Math.max(0, Math.min(from[0], x));
    const top = Math.max(0, Math.min(from[1], y));
    const right = Math.min(this.bounds[0], Math.max(from[0], x));
    const bottom = Math.min(this.bounds[1], Math.max(from[1], y));
    Object.assign(band.style, {
      left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
    });
    const caught = new Set(this.kept);
    this.nearest = null;
    let least = Infinity;
    this.places.forEach(([l, t, r, b], index) => {
      if (l > right || r < left || t > bottom || b < top) return;
      caught.add(index);
      const far = Math.hypot((l + r) / 2 - x, (t + b) / 2 - y);
      if (far < least) [least, this.nearest] = [far, index];
    });
    this.count.textContent = String(caught.size);
    grid.selected = caught;
    grid.drawSelection();
  }

  // Near an edge of what scrolls the grid goes on under the band.
  scroll() {
    if (!this.band) return;
    const { scroller } = this;
    const whole = scroller === document.scrollingElement;
    const box = whole ? { top: 0, bottom: innerHeight } : scroller.getBoundingClientRect();
    const y = this.pointer[1];
    const [top, bottom] = [Math.max(0, box.top), Math.min(innerHeight, box.bottom)];
    const over = y < top + EDGE_PX ? y - top - EDGE_PX : Math.max(0, y - bottom + EDGE_PX);
    const was = scroller.scrollTop;
    if (over) scroller.scrollTop = was + Math.sign(over) * Math.min(24, Math.ceil(Math.abs(over) / 3));
    if (scroller.scrollTop !== was) this.draw();
    this.frame = requestAnimationFrame(() => this.scroll());
  }

  onUp() {
    this.end(true);
  }

  end(kept) {
    this.listen(false);
    if (!this.band) return;
    const { grid, before } = this;
    cancelAnimationFrame(this.frame);
    this.band.remove();
    this.band = null;
    this.over = true;
    setTimeout(() => { this.over = false; });
    grid.drag = null;
    grid.root.classList.remove("dragging");
    const found = grid.selected;
    if (!kept || sameSet(found, before)) {
      grid.selected = before;
      grid.drawSelection();
      return;
    }
    if (this.nearest !== null) {
      grid.nodes[this.nearest].focus({ preventScroll: true });
      grid.anchor = this.nearest;
    }
    grid.base = found;
    grid.extending = false;
    grid.select(found);
  }
}

class Grid {
  constructor(root) {
    this.root = root;
    this.nodes = [];
    this.selected = new Set();
    this.base = this.selected; // what was selected when the anchor was set
    this.focus = 0;
    this.anchor = 0;
    this.extending = false;
    this.sent = null;
    this.lastClick = null;
    this.drag = null;
    this.card = new Card(this);
    this.dragging = new Drag(this);
    this.live = element("div", "live", root.parentNode);
    this.live.setAttribute("role", "status");
    root.addEventListener("click", (event) => this.onClick(event));
    root.addEventListener("keydown", (event) => this.onKey(event));
    root.addEventListener("focusin", (event) => {
      const node = event.target.closest(".tile");
      if (!node) return;
      this.moveTabStop(node.index);
      if (node.matches(":focus-visible") && !this.sorting) this.card.wait(node);
    });
    root.addEventListener("focusout", () => this.card.hide());
    // images do not bubble their errors: listen on the way down
    root.addEventListener("error", (event) => {
      event.target.closest?.(".frame")?.classList.add("broken");
    }, true);
    root.addEventListener("load", (event) => {
      event.target.closest?.(".frame")?.classList.remove("broken");
    }, true);
    this.resize = new ResizeObserver(() => this.drawScales());
    this.resize.observe(root);
  }

  update(component) {
    const { data } = component;
    const renewed = this.data?.revision !== data.revision;
    this.component = component;
    this.data = data;
    const { root } = this;
    root.style.setProperty("--tile", `${data.tile_px}px`);
    root.style.maxHeight = data.max_height ? `${data.max_height}px` : "";
    root.classList.toggle("scrolls", Boolean(data.max_height));
    root.classList.toggle("selectable", data.selectable);
    root.setAttribute("role", data.tiles.length ? "listbox" : "note");
    root.setAttribute("aria-label", data.label);
    root.setAttribute("aria-multiselectable", String(data.selectable));

    if (renewed) {
      this.dragging.end(false);
      this.card.hide();
      clearTimeout(this.later);
      this.selected = this.base = new Set();
      this.anchor = 0;
      this.extending = false;
      this.lastClick = null;
      this.live.textContent = "";
      root.scrollTop = 0;
    }
    // A selection that Python drew before it heard of the newest click would undo that click.
    const heard = this.sent === null || this.sent === data.ack;
    if (data.selected !== null && (heard || renewed) && !this.drag) {
      const told = new Set(data.selected);
      if (!sameSet(told, this.selected)) this.selected = this.base = told;
    }

    this.drawTiles();
    this.moveTabStop(renewed && !this.holdsFocus() ? 0 : Math.min(this.focus, this.last()));
    this.drawSelection();
    this.drawScales();
    if (data.answers) (this.sorting ??= new Sorting(this)).update(renewed);
  }

  last() {
    return Math.max(0, this.nodes.length - 1);
  }

  holdsFocus() {
    return this.root.contains(this.root.getRootNode().activeElement);
  }

  drawTiles() {
    const { tiles, empty } = this.data;
    this.note?.remove();
    this.note = null;
    if (!tiles.length) {
      this.note = element("div", "empty", this.root);
      this.note.textContent = empty;
    }
    if (this.nodes.length !== tiles.length) {
      this.dragging.end(false);
      this.card.hide();
    }
    while (this.nodes.length > tiles.length) this.nodes.pop().remove();
    const fresh = document.createDocumentFragment();
    tiles.forEach((tile, index) => {
      const drawn = JSON.stringify(tile);
      let node = this.nodes[index];
      if (!node) {
        node = this.makeTile(fresh, index);
        this.nodes.push(node);
      }
      if (node.drawn !== drawn) {
        node.drawn = drawn;
        this.fillTile(node, tile);
      }
    });
    this.root.append(fresh);
  }

  makeTile(parent, index) {
    const node = element("div", "tile", parent);
    node.index = index;
    node.tabIndex = -1;
    node.setAttribute("role", "option");
    const frame = element("div", "frame", node);
    const img = element("img", "", frame);
    img.loading = "lazy";
    img.decoding = "async";
    img.draggable = false;
    element("span", "none", frame).textContent = "no picture";
    const { scale, text, bar } = makeScale(frame);
    const mark = element("span", "mark", frame);
    element("span", "tick", frame).setAttribute("aria-hidden", "true");
    const caption = element("div", "caption", node);
    node.parts = { frame, img, scale, text, bar, mark, caption };
    return node;
  }

  fillTile(node, tile) {
    const { frame, img, mark, caption } = node.parts;
    if (node.thumb !== tile.thumb) {
      node.thumb = tile.thumb;
      frame.classList.remove("broken");
      img.src = tile.thumb;
    }
    img.alt = tile.title;
    node.setAttribute("aria-label", [tile.hint ?? tile.mark, tile.title, ...tile.lines].filter(Boolean).join(", "));
    node.classList.toggle("marked", Boolean(tile.mark));
    mark.textContent = tile.mark ?? "";
    mark.hidden = !tile.mark;
    mark.style.display = tile.mark ? "" : "none";
    caption.replaceChildren();
    if (tile.title) fillTitle(element("div", "title", caption), tile.title);
    for (const line of tile.lines) element("div", "line", caption).textContent = line;
    if (tile.score !== null) {
      element("div", "score", caption).style.setProperty("--score", `${100 * tile.score}%`);
    }
    node.tile = tile;
  }

  // Sizes are read first and written after, so that 500 tiles cost one layout.
  drawScales() {
    const sizes = this.nodes.map(({ parts }) => [parts.frame.clientWidth, parts.frame.clientHeight]);
    this.nodes.forEach(({ tile, parts }, index) => drawScale(parts, tile, ...sizes[index]));
  }

  drawSelection() {
    this.root.classList.toggle("some", this.selected.size > 0);
    this.nodes.forEach((node, index) => {
      const on = this.selected.has(index);
      if (node.on === on) return;
      node.on = on;
      node.classList.toggle("selected", on);
      node.setAttribute("aria-selected", String(on));
    });
  }

  moveTabStop(index) {
    if (this.nodes[this.focus]) this.nodes[this.focus].tabIndex = -1;
    this.focus = index;
    if (this.nodes[index]) this.nodes[index].tabIndex = 0;
  }

  // Every event carries the last click too, under its own number: one that is overtaken by the next
  // event before the server saw it is not lost, and Python hands out each click once.
  send(clicked, { later = false } = {}) {
    if (this.sorting) return; // tells all of a screen at once
    const seq = nextSeq();
    if (clicked !== null) this.lastClick = { seq, row: clicked };
    clearTimeout(this.later);
    const tell = () => this.tell({
      clicked: this.lastClick,
      selected: [...this.selected].sort((a, b) => a - b),
    }, seq);
    this.sent = seq;
    if (later) this.later = setTimeout(tell, SENT_MS);
    else tell();
  }

  tell(event, seq = nextSeq()) {
    this.sent = seq;
    this.component.setStateValue("event", { seq, revision: this.data.revision, ...event });
  }

  select(selected, how) {
    this.selected = selected;
    this.drawSelection();
    this.live.textContent = `${selected.size} of ${this.nodes.length} selected`;
    this.send(null, how);
  }

  toggle(index) {
    const selected = new Set(this.selected);
    if (!selected.delete(index)) selected.add(index);
    this.anchor = index;
    this.base = selected;
    this.extending = false;
    this.select(selected);
  }

  // From the anchor to here, beside what was selected before; going back takes away again.
  range(index, how) {
    const selected = new Set(this.base);
    const [low, high] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
    for (let i = low; i <= high; i += 1) selected.add(i);
    this.select(selected, how);
  }

  open(index) {
    this.anchor = index;
    this.base = this.selected;
    this.extending = false;
    this.send(index);
  }

  onClick(event) {
    const node = event.target.closest(".tile");
    if (!node) return;
    node.focus({ preventScroll: true });
    this.card.hide();
    const ticked = event.target.closest(".tick");
    if (this.data.selectable && event.shiftKey) this.range(node.index);
    else if (this.data.selectable && (ticked || event.ctrlKey || event.metaKey)) this.toggle(node.index);
    else if (this.sorting) this.sorting.clicked(node.index);
    else if (event.detail < 2) this.open(node.index); // a double-click is one click
  }

  // How many rows are seen at once, to turn a page by.
  page() {
    const scroller = scrollerOf(this.root);
    const columns = this.columns();
    const next = this.nodes[columns];
    const high = next ? next.offsetTop - this.nodes[0].offsetTop : 1;
    const seen = Math.min(scroller.clientHeight, innerHeight);
    return columns * Math.max(1, Math.floor(seen / high) - 1);
  }

  // A page further in the same column, stopping in the last or first row.
  turned(index, by) {
    const columns = this.columns();
    const column = index % columns;
    const rowsOfIt = Math.floor((this.last() - column) / columns);
    const at = Math.floor(index / columns) + (by * this.page()) / columns;
    return Math.max(0, Math.min(rowsOfIt, at)) * columns + column;
  }

  columns() {
    const top = this.nodes[0].offsetTop;
    const second = this.nodes.findIndex((node) => node.offsetTop > top);
    return second < 0 ? this.nodes.length : second;
  }

  onKey(event) {
    const node = event.target.closest(".tile");
    if (!node || event.altKey) return;
    const { index } = node;
    const steps = {
      ArrowLeft: () => index - 1,
      ArrowRight: () => index + 1,
      ArrowUp: () => index - this.columns(),
      ArrowDown: () => index + this.columns(),
      Home: () => 0,
      End: () => this.last(),
      PageUp: () => this.turned(index, -1),
      PageDown: () => this.turned(index, +1),
    };
    const { selectable } = this.data;
    if (["Shift", "Control", "Meta"].includes(event.key)) return;
    const letter = event.key.toLowerCase();
    const told = this.card.tile;
    this.card.hide();
    if (this.sorting?.onKey(event)) {
      // done
    } else if (event.key in steps) {
      const target = steps[event.key]();
      if (this.nodes[target]) {
        this.nodes[target].focus();
        if (event.shiftKey && selectable) {
          if (!this.extending) [this.anchor, this.base, this.extending] = [index, this.selected, true];
          this.range(target, { later: true });
        } else this.extending = false;
      }
    } else if (event.key === "Enter") {
      this.open(index);
    } else if (event.key === " " && selectable) {
      if (event.shiftKey) this.range(index);
      else this.toggle(index);
    } else if (letter === "i" && !event.ctrlKey && !event.metaKey) {
      if (told !== node) this.card.show(node);
    } else if (letter === "a" && selectable) {
      const all = this.selected.size === this.nodes.length;
      this.base = new Set(all ? [] : this.nodes.keys());
      this.extending = false;
      this.select(this.base);
    } else if (event.key === "Escape" && selectable && this.selected.size) {
      this.base = new Set();
      this.extending = false;
      this.select(this.base);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  destroy() {
    this.resize.disconnect();
    this.dragging.end(false);
    this.card.destroy();
    this.live.remove();
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".gallery");
  let grid = grids.get(root);
  if (!grid) {
    grid = new Grid(root);
    grids.set(root, grid);
  }
  grid.update(component);
  // Streamlit also calls this for a call that a newer one overtook: only a root that is gone ends.
  return () => setTimeout(() => {
    if (root.isConnected) return;
    grids.delete(root);
    grid.destroy();
  });
}

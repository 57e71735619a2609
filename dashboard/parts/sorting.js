// Sorting a screen of images that should all be one kind: what is wrong gets its own label by a
// number, or is sent back; Enter accepts the rest. Nothing travels before that.
const BACK = 0; // sent back: nobody says what it is
const WORDS = "Enter accepts, 1 to 9 give another label, 0 sends back, U takes back the last screen";

class Sorting {
  constructor(grid) {
    this.grid = grid;
    this.given = new Map(); // tile -> number of a label, or BACK
    const { root } = grid;
    this.bar = element("div", "sorting", root.parentNode);
    root.before(this.bar);
    const button = (name, text, key, act) => {
      const made = element("button", name, this.bar);
      made.type = "button";
      element("span", "does", made).textContent = text;
      element("kbd", "", made).textContent = key;
      made.addEventListener("click", () => act());
      return made;
    };
    this.accept = button("accept", "", "Enter", () => this.done("accept"));
    this.skip = button("skip", "Skip this screen", "S", () => this.done("skip"));
    this.undo = button("undo", "Undo", "U", () => this.done("undo"));
    this.numbers = element("div", "numbers", this.bar);
    this.numbers.setAttribute("role", "group");
    root.addEventListener("focusin", () => this.drawNumbers());
  }

  update(renewed) {
    const { root, data, nodes } = this.grid;
    root.classList.add("sorted");
    root.setAttribute("aria-description", WORDS);
    this.undo.hidden = !data.undoable;
    if (renewed) {
      this.given.clear();
      this.waiting = false;
      // Enter accepts at once, but whoever is typing goes on, until what was missing is said
      const typing = document.activeElement?.matches("input, textarea, select, [contenteditable]");
      const said = this.missing && !data.missing;
      if (nodes.length && !data.missing && (!typing || said)) nodes[0].focus({ preventScroll: true });
    }
    this.missing = data.missing;
    this.draw();
  }

  labels(index) {
    return this.grid.data.answers[index] ?? [];
  }

  text(index) {
    const number = this.given.get(index);
    if (number === undefined) return "";
    return number === BACK ? this.grid.data.back ?? "sent back" : this.labels(index)[number - 1];
  }

  draw() {
    const { nodes, data } = this.grid;
    nodes.forEach((node, index) => {
      const text = this.text(index);
      if (node.answer === text) return;
      node.answer = text;
      node.parts.answer ??= element("span", "answer", node.parts.frame);
      node.parts.answer.textContent = text;
      node.classList.toggle("answered", Boolean(text));
      node.classList.toggle("back", this.given.get(index) === BACK);
    });
    const rest = nodes.length - this.given.size;
    const does = this.accept.firstChild;
    does.textContent = data.missing ? data.missing : rest ? `${rest} ${rest === 1 ? "is" : "are"} ${data.kind}` : "Next screen";
    this.accept.disabled = this.waiting || !nodes.length || Boolean(data.missing);
    this.skip.disabled = this.waiting || !nodes.length;
    this.drawNumbers();
  }

  // What the numbers mean for the image that has the focus.
  drawNumbers() {
    const { focus, nodes } = this.grid;
    this.numbers.replaceChildren();
    if (!nodes.length) return;
    this.numbers.setAttribute("aria-label", `What image ${focus + 1} is instead`);
    [this.grid.data.back ?? "send back", ...this.labels(focus)].forEach((label, number, all) => {
      const made = element("button", "number", this.numbers);
      made.type = "button";
      element("kbd", "", made).textContent = String(number);
      element("span", "does", made).textContent = label;
      made.title = number || this.grid.data.back ? `It is ${label}` : "Not that, and nobody says what it is";
      made.setAttribute("aria-pressed", String(this.given.get(focus) === number));
      made.addEventListener("click", () => {
        this.give(number);
        nodes[Math.min(this.grid.focus, nodes.length - 1)].focus({ preventScroll: true });
      });
      if (!number && all.length > 1) made.style.order = 1; // last in sight, as on the keyboard
    });
  }

  // To those that are selected, else to the one that has the focus; the same again takes it back.
  give(number, clicked = null) {
    const { grid } = this;
    const some = clicked ?? (grid.selected.size ? [...grid.selected] : [grid.focus]);
    const own = some.filter((index) => number === BACK || this.labels(index)[number - 1]);
    if (!own.length || this.waiting) return;
    const same = own.every((index) => this.given.get(index) === number);
    const label = number === BACK ? null : this.labels(own[0])[number - 1];
    for (const index of own) {
      const place = label === null ? BACK : this.labels(index).indexOf(label) + 1; // each has its own order
      if (same) this.given.delete(index);
      else if (label === null || place) this.given.set(index, place);
    }
    const next = grid.nodes[grid.focus + 1];
    if (!clicked && !grid.selected.size && !same && next) next.focus();
    grid.selected = grid.base = new Set();
    grid.drawSelection();
    this.draw();
    const said = same ? "taken back" : this.text(own[0]);
    grid.live.textContent = `${own.length} ${said}; ${grid.nodes.length - this.given.size} to accept`;
  }

  done(kind) {
    const { grid } = this;
    if (this.waiting || (kind === "undo" ? !grid.data.undoable : !grid.nodes.length)) return;
    if (kind === "accept" && grid.data.missing) return;
    this.waiting = true; // until the next screen is here: one press is one screen
    this.draw();
    grid.tell({ kind, answers: [...this.given] });
  }

  // Whether the key was one of these.
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const letter = event.key.toLowerCase();
    if (/^[0-9]$/.test(letter)) this.give(Number(letter));
    else if (letter === "backspace" || letter === "delete") this.give(BACK);
    else if (event.repeat && "enter s u".split(" ").includes(letter)) return true; // held down is not twice
    else if (letter === "enter") this.done("accept");
    else if (letter === "s") this.done("skip");
    else if (letter === "u") this.done("undo");
    else return false;
    return true;
  }
}

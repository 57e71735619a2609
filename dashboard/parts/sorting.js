// Sorting a screen of images that should all be one kind: what is wrong gets its own label by a
// number, or is sent back; Enter accepts the rest. Nothing travels before that.
const BACK = 0; // sent back: nobody says what it is
const HOW = "Enter accepts, 1 to 9 give another label, 0 sends back, U takes back the last screen";

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
    this.all = button("all", "Likelier label for all", "T", () => this.takeAll());
    this.skip = button("skip", "Skip this screen", "S", () => this.done("skip"));
    this.undo = button("undo", "Undo", "U", () => this.done("undo"));
    this.numbers = element("div", "numbers", this.bar);
    this.numbers.setAttribute("role", "group");
    this.evidence = element("div", "evidence", this.bar);
    root.addEventListener("focusin", () => this.drawNumbers());
  }

  update(renewed) {
    const { root, data, nodes } = this.grid;
    root.classList.add("sorted");
    root.setAttribute("aria-description", data.words?.how ?? HOW);
    this.all.hidden = !data.apart;
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
    return number === BACK ? this.word("backed", "sent back") : this.labels(index)[number - 1];
  }

  word(name, otherwise) {
    return this.grid.data.words?.[name] ?? otherwise;
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
    const accepts = this.word("accept", `{n} ${rest === 1 ? "is" : "are"} ${data.kind}`);
    does.textContent = data.missing ? data.missing : rest ? accepts.replace("{n}", rest) : "Next screen";
    this.accept.disabled = this.waiting || !nodes.length || Boolean(data.missing);
    this.skip.disabled = this.all.disabled = this.waiting || !nodes.length;
    this.drawNumbers();
  }

  // What the numbers mean for the image that has the focus.
  drawNumbers() {
    const { focus, nodes } = this.grid;
    this.numbers.replaceChildren();
    this.drawEvidence();
    if (!nodes.length) return;
    this.numbers.setAttribute("aria-label", `What image ${focus + 1} is instead`);
    [this.word("back", "send back"), ...this.labels(focus)].forEach((label, number, all) => {
      const made = element("button", "number", this.numbers);
      made.type = "button";
      element("kbd", "", made).textContent = String(number);
      element("span", "does", made).textContent = label;
      made.title = number ? `It is ${label}` : this.word("backHint", "Not that, and nobody says what it is");
      made.setAttribute("aria-pressed", String(this.given.get(focus) === number));
      made.addEventListener("click", () => {
        this.give(number);
        nodes[Math.min(this.grid.focus, nodes.length - 1)].focus({ preventScroll: true });
      });
      if (!number && all.length > 1) made.style.order = 1; // last in sight, as on the keyboard
    });
  }

  // The image that has the focus beside others it may be like: what was concluded from what.
  drawEvidence() {
    const { focus, nodes, data } = this.grid;
    const groups = nodes.length ? data.evidence?.[focus] : null;
    const key = groups ? JSON.stringify([nodes[focus].tile.thumb, groups]) : "";
    if (key === this.shown) return;
    this.shown = key;
    this.evidence.replaceChildren();
    if (!groups) return;
    for (const [title, thumbs] of [["this one", [nodes[focus].tile.thumb]], ...groups]) {
      const group = element("div", "like", this.evidence);
      element("span", "said", group).textContent = title;
      const row = element("div", "row", group);
      for (const address of thumbs) {
        const img = element("img", "", row);
        img.alt = "";
        img.src = address;
      }
    }
  }

  // A click: what is likeliest instead where each image has its own label, else sent back.
  clicked(index) {
    this.give(this.grid.data.apart ? 1 : BACK, [index]);
  }

  // Every image not decided on yet takes its own first label; again, none does.
  takeAll() {
    const { nodes, data } = this.grid;
    if (this.waiting || !data.apart) return;
    const open = [...nodes.keys()].filter((i) => !this.given.has(i) && this.labels(i).length);
    if (open.length) for (const index of open) this.given.set(index, 1);
    else for (const index of nodes.keys()) if (this.given.get(index) === 1) this.given.delete(index);
    this.draw();
    this.grid.live.textContent = `${nodes.length - this.given.size} to accept`;
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
      // each has its own order; where each has its own label, the number is what is meant
      const place = label === null ? BACK : this.grid.data.apart ? number : this.labels(index).indexOf(label) + 1;
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
    else if (event.repeat && "enter s u t".split(" ").includes(letter)) return true; // held down is not twice
    else if (letter === "enter") this.done("accept");
    else if (letter === "s") this.done("skip");
    else if (letter === "t" && this.grid.data.apart) this.takeAll();
    else if (letter === "u") this.done("undo");
    else return false;
    return true;
  }
}

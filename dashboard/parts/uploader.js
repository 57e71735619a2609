// Files, a folder or a zip on their way to the server: one request a file, one file after the
// other, each sent as it is read, so that neither browser nor server holds it in memory.
const HIDDEN = new Set(["__macosx", "thumbs.db", "desktop.ini"]);
const AGAIN_MS = 1000; // a connection that broke is tried once more after this
const NAMED = 5;
const DRAWN_MS = 100;
const ENDS = new Set([0, 401, 403, 404, 413, 507]); // what goes wrong with one goes wrong with all
const uploads = new WeakMap();

function element(tag, className, parent, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text) node.textContent = text;
  parent.append(node);
  return node;
}

const number = (n) => n.toLocaleString("en");
const files = (n) => (n === 1 ? "1 file" : `${number(n)} files`);
function size(bytes) {
  if (bytes < 1e6) return `${number(Math.ceil(bytes / 1e3))} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
const isHidden = (name) => name.startsWith(".") || HIDDEN.has(name.toLowerCase());
const suffixOf = (name) => (/.(\.[^.]*)$/.exec(name)?.[1] ?? "").toLowerCase();
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// Everything in the folders that were dropped, as {file, path}; hidden ones are only counted.
async function gather(entries, most) {
  const found = { items: [], hidden: 0, unread: 0, more: false };
  const waiting = entries.map((entry) => [entry, entry.name]).reverse();
  while (waiting.length) {
    const [entry, path] = waiting.pop();
    if (isHidden(entry.name)) {
      found.hidden += 1;
      continue;
    }
    try {
      if (entry.isFile) {
        found.items.push({ file: await new Promise((ok, no) => entry.file(ok, no)), path });
        if (found.items.length > most) return { ...found, more: true };
        continue;
      }
      const reader = entry.createReader();
      for (;;) { // a hundred at a time, until none is left
        const some = await new Promise((ok, no) => reader.readEntries(ok, no));
        if (!some.length) break;
        for (const each of some) waiting.push([each, `${path}/${each.name}`]);
      }
    } catch {
      found.unread += 1;
    }
  }
  return found;
}

class Upload {
  constructor(root) {
    this.root = root;
    this.drop = element("div", "drop", root);
    const words = element("div", "words", this.drop);
    element("strong", "", words, "Drop files, a folder or a zip here");
    this.small = element("small", "", words);
    const buttons = element("div", "buttons", this.drop);
    this.pick(buttons, "Choose files", (input) => { input.multiple = true; });
    this.pick(buttons, "Choose a folder", (input) => { input.webkitdirectory = true; });

    this.bar = element("progress", "", root);
    this.bar.max = 1;
    this.bar.hidden = true;
    this.said = element("div", "said", root);
    this.said.setAttribute("role", "status");
    this.aside = element("div", "aside", root);
    this.wrong = element("ul", "wrong", root);
    const after = element("div", "buttons", root);
    this.retry = this.button(after, "Try again", () => this.again());
    this.cancel = this.button(after, "Cancel", () => this.stop());
    this.retry.hidden = this.cancel.hidden = true;

    this.drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.drop.classList.add("over");
    });
    this.drop.addEventListener("dragleave", () => this.drop.classList.remove("over"));
    this.drop.addEventListener("drop", (event) => this.onDrop(event));
    this.reset();
  }

  button(parent, text, act) {
    const made = element("button", "", parent, text);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  pick(parent, text, how) {
    const input = element("input", "", parent);
    input.type = "file";
    input.hidden = true;
    how(input);
    input.addEventListener("change", () => {
      const items = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
      input.value = ""; // so that the same choice counts again
      if (items.length) this.begin({ items, hidden: 0, unread: 0, more: false });
    });
    this.button(parent, text, () => input.click());
  }

  update(component) {
    this.component = component; // the newest: after a restart of the server its secret is another
    const { bytes_limit: bytes, files_limit: most } = component.data;
    this.small.textContent = `pictures, FlowCam, IFCB or EcoTaxa files, a table; up to ${(bytes / 2 ** 30).toFixed(0)} GB and ${number(most)} files`;
  }

  reset() {
    this.queue = [];
    this.failed = [];
    this.batch = "";
    this.sent = this.sentBytes = this.files = this.bytes = 0;
    this.running = false;
    this.request = null;
  }

  async onDrop(event) {
    event.preventDefault();
    this.drop.classList.remove("over");
    const { items, files: plain } = event.dataTransfer;
    const loose = [...plain].map((file) => ({ file, path: file.name })); // both are gone after this
    const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (this.running) {
      this.said.textContent = "An upload is on its way; wait for it, or cancel it first.";
      return;
    }
    if (!entries.length) {
      if (loose.length) this.begin({ items: loose, hidden: 0, unread: 0, more: false });
      return;
    }
    this.clear("Looking through what was dropped ...");
    this.begin(await gather(entries, 10 * this.component.data.files_limit));
  }

  clear(text) {
    clearTimeout(this.later);
    this.said.textContent = text;
    this.aside.textContent = "";
    this.wrong.replaceChildren();
    this.retry.hidden = this.cancel.hidden = this.bar.hidden = true;
  }

  begin({ items, hidden, unread, more }) {
    if (this.running) return;
    this.reset();
    this.clear("");
    this.tell(null);
    const { data } = this.component;
    const taken = new Set(data.taken);
    const left = new Map();
    const leave = (why) => left.set(why, (left.get(why) ?? 0) + 1);
    const whole = items.length === 1; // a zip is sent on its own
    for (const item of items) {
      const suffix = suffixOf(item.file.name);
      if (item.path.split("/").some(isHidden)) hidden += 1;
      else if (!taken.has(suffix)) leave(suffix || "no extension");
      else if (suffix === ".zip" && !whole) leave(".zip among other files");
      else this.queue.push(item);
    }
    if (hidden) left.set("hidden", hidden);
    if (unread) left.set("could not be read", unread);
    const names = [...left].sort((a, b) => b[1] - a[1]).map(([why, n]) => `${why} (${number(n)})`);
    const shown = names.slice(0, 8).join(", ") + (names.length > 8 ? ", ..." : "");
    this.files = this.queue.length;
    this.bytes = this.queue.reduce((sum, item) => sum + item.file.size, 0);
    if (more || this.files > data.files_limit) {
      this.said.textContent = `${more ? "Too many" : number(this.files)} files; up to ${number(data.files_limit)} can be uploaded. Pack them in a zip, or put them into a folder on this computer and name that.`;
    } else if (this.bytes > data.bytes_limit) {
      this.said.textContent = `${(this.bytes / 2 ** 30).toFixed(1)} GB; up to ${(data.bytes_limit / 2 ** 30).toFixed(0)} GB can be uploaded. Put it into a folder on this computer and name that.`;
    } else if (!this.files) {
      this.said.textContent = shown.includes(".zip")
        ? "Nothing to upload: drop one zip at a time, on its own."
        : "Nothing to upload: no pictures, files of an instrument, table or zip among it.";
    }
    if (names.length) this.aside.textContent = `Left out: ${shown}.`;
    if (this.said.textContent) {
      this.queue = [];
      return;
    }
    this.run();
  }

  async run() {
    const mine = {}; // another run, or a cancel, takes over by replacing it
    this.running = mine;
    this.cancel.hidden = false;
    this.retry.hidden = true;
    let ended = "";
    while (this.queue.length && !ended) {
      const item = this.queue[0];
      let answer = await this.post(item);
      if (this.running === mine && answer.status === 0) {
        await wait(AGAIN_MS);
        if (this.running === mine) answer = await this.post(item);
      }
      if (this.running !== mine) return;
      if (answer.status === 200) {
        this.batch = answer.batch;
        this.sent += 1;
        this.sentBytes += item.file.size;
      } else if (ENDS.has(answer.status)) {
        ended = answer.why;
        break;
      } else {
        this.failed.push({ ...item, why: answer.why });
      }
      this.queue.shift();
    }
    this.running = false;
    this.finish(ended);
  }

  post(item) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      this.request = request;
      const query = new URLSearchParams({ name: item.path, batch: this.batch });
      request.open("POST", `/upload?${query}`);
      request.setRequestHeader("X-Plankton", this.component.data.secret);
      this.progress(item, 0);
      request.upload.onprogress = (event) => this.progress(item, event.loaded);
      request.onload = () => {
        if (request.status === 200) done({ status: 200, batch: JSON.parse(request.responseText).batch });
        else done({ status: request.status, why: request.responseText || "it was refused" });
      };
      request.onerror = () => done({ status: 0, why: "The connection was lost, or the file cannot be read." });
      request.onabort = () => done({ status: -1, why: "cancelled" });
      request.send(item.file);
    });
  }

  progress(item, loaded) {
    clearTimeout(this.later);
    const now = performance.now();
    if (now - (this.drawn ?? 0) < DRAWN_MS) { // many small files, drawn no faster than they are read
      this.later = setTimeout(() => this.progress(item, loaded), DRAWN_MS);
      return;
    }
    this.drawn = now;
    const came = this.sentBytes + Math.min(loaded, item.file.size);
    this.bar.hidden = false;
    this.bar.value = this.bytes ? came / this.bytes : 0;
    this.said.textContent = `${number(this.sent)} of ${files(this.files)} · ${size(came)} of ${size(this.bytes)} · ${item.path}`;
  }

  finish(ended) {
    clearTimeout(this.later);
    this.bar.hidden = true;
    this.request = null;
    const missing = this.failed.length + this.queue.length;
    this.cancel.hidden = !missing || !this.batch;
    this.retry.hidden = !missing;
    this.wrong.replaceChildren();
    if (ended) {
      this.said.textContent = `Stopped after ${number(this.sent)} of ${files(this.files)}: ${ended}`;
    } else if (missing) {
      this.said.textContent = `${number(this.sent)} of ${files(this.files)} are here, ${number(missing)} failed.`;
    } else {
      this.said.textContent = this.files === 1
        ? "The file is here." : `All ${files(this.files)} are here (${size(this.sentBytes)}).`;
    }
    for (const item of this.failed.slice(0, NAMED)) element("li", "", this.wrong, `${item.path}: ${item.why}`);
    if (this.failed.length > NAMED) element("li", "", this.wrong, `and ${number(this.failed.length - NAMED)} more`);
    if (!ended && this.sent) this.tell({ batch: this.batch, files: this.sent, bytes: this.sentBytes });
  }

  again() {
    if (this.running) return;
    this.queue = [...this.failed, ...this.queue];
    this.failed = [];
    this.wrong.replaceChildren();
    this.run();
  }

  async stop() {
    const { batch } = this;
    this.running = false;
    this.request?.abort();
    this.tell(null);
    this.reset();
    this.clear("Cancelled; nothing was kept.");
    if (batch) {
      const headers = { "X-Plankton": this.component.data.secret };
      await fetch(`/upload?batch=${batch}`, { method: "DELETE", headers }).catch(() => {});
    }
  }

  tell(done) {
    this.component.setStateValue("done", done);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".uploader");
  let upload = uploads.get(root);
  if (!upload) {
    upload = new Upload(root);
    uploads.set(root, upload);
  }
  upload.update(component);
}

// What the server answers about points, and where they lie. See core/mapwire.py.
const OUTSIDE = 0xffff; // the group of points that do not pass the filter

async function ask(url, signal) {
  const answer = await fetch(url, { signal, credentials: "same-origin" });
  if (answer.status === 410) throw new Error("The map has changed since this page was drawn. Reload the page.");
  if (!answer.ok) throw new Error(`The points could not be loaded (the server answered ${answer.status}).`);
  return answer.arrayBuffer();
}

// The header, and a way to take one array after the other.
function unpack(buffer) {
  try {
    const size = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
    let start = 4 + size;
    const take = (Kind, length) => {
      const array = new Kind(buffer, start, length);
      start += Math.ceil(array.byteLength / 4) * 4;
      return array;
    };
    return { header, take, more: () => start < buffer.byteLength };
  } catch {
    throw new Error("The points that came from the server cannot be read.");
  }
}

// Points in the order of their rows. Where all are drawn, place and row are the same number.
class Points {
  constructor({ x, y, group, rows }) {
    Object.assign(this, { x, y, group, rows });
  }

  static read(buffer) {
    const { header, take, more } = unpack(buffer);
    const { drawn } = header;
    const [x, y, group] = [take(Float32Array, drawn), take(Float32Array, drawn), take(Uint16Array, drawn)];
    const bits = "selected" in header;
    const rows = bits || more() ? take(Uint32Array, drawn) : null;
    return {
      ...header,
      points: new Points({ x, y, group, rows }),
      bits: bits ? take(Uint8Array, Math.ceil(header.n / 8)) : null,
    };
  }

  get length() {
    return this.x.length;
  }

  row(place) {
    return this.rows ? this.rows[place] : place;
  }

  // The place of a row, -1 when it is not among these.
  find(row) {
    if (!Number.isInteger(row) || row < 0) return -1;
    if (!this.rows) return row < this.length ? row : -1;
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle] < row) low = middle + 1;
      else high = middle;
    }
    return this.rows[low] === row ? low : -1;
  }

  // These and others, each row once; both are in the order of their rows.
  with(others) {
    const most = this.length + others.length;
    const [x, y, group] = [new Float32Array(most), new Float32Array(most), new Uint16Array(most)];
    const rows = new Uint32Array(most);
    let n = 0;
    for (let [i, j] = [0, 0]; i < this.length || j < others.length; n += 1) {
      const [mine, other] = [i < this.length ? this.row(i) : Infinity, j < others.length ? others.row(j) : Infinity];
      const [from, place] = mine <= other ? [this, i] : [others, j];
      rows[n] = Math.min(mine, other);
      [x[n], y[n], group[n]] = [from.x[place], from.y[place], from.group[place]];
      if (mine <= other) i += 1;
      if (other <= mine) j += 1;
    }
    return new Points({
      x: x.slice(0, n), y: y.slice(0, n), group: group.slice(0, n), rows: rows.slice(0, n),
    });
  }
}

// Rows as one bit each.
class Chosen {
  constructor(n) {
    this.bits = new Uint8Array(Math.ceil(n / 8));
    this.count = 0;
  }

  has(row) {
    return (this.bits[row >> 3] & (1 << (row & 7))) !== 0;
  }

  add(row) {
    if (this.has(row)) return;
    this.bits[row >> 3] |= 1 << (row & 7);
    this.count += 1;
  }

  static of(bits, count) {
    return Object.assign(new Chosen(0), { bits, count });
  }

  copy() {
    return Chosen.of(this.bits.slice(), this.count);
  }
}

// Whether a point lies inside a box, given by two opposite corners, or a polygon; as the server does.
function insideOf(xs, ys) {
  if (xs.length === 2) {
    const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
    const [y0, y1] = [Math.min(...ys), Math.max(...ys)];
    return (px, py) => px >= x0 && px <= x1 && py >= y0 && py <= y1;
  }
  return (px, py) => {
    let inside = false;
    for (let i = 0, j = xs.length - 1; i < xs.length; j = i, i += 1) {
      const crosses = ys[i] > py !== ys[j] > py;
      if (crosses && px < ((xs[j] - xs[i]) * (py - ys[i])) / (ys[j] - ys[i]) + xs[i]) inside = !inside;
    }
    return inside;
  };
}

function pick(values, places) {
  return Float32Array.from(places, (place) => values[place]);
}

function same(a, b) {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

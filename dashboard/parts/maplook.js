// How the map looks: sizes, shades and the light shading under dense parts.
const SHADING = 0.42; // how much of the text's colour the densest part gets

// Few points are drawn large and solid, many small and clear, so that density shows.
function markerFor(n) {
  const steps = [[60, 14, 0.95], [400, 11, 0.9], [2500, 8, 0.85], [10000, 6, 0.75], [40000, 4.5, 0.65], [120000, 3.5, 0.55]];
  const [, size, opacity] = steps.find(([most]) => n <= most) ?? [0, 2.5, 0.4];
  return { size, opacity };
}

// [smallest, largest], widened a little; a single point gets room too.
function widened([low, high]) {
  const margin = 0.05 * (high - low) || 1;
  return [low - margin, high + margin];
}

function isGrey(colour) {
  const parts = /^#(..)(..)(..)$/.exec(colour)?.slice(1).map((hex) => parseInt(hex, 16));
  return parts ? Math.max(...parts) - Math.min(...parts) < 16 : false;
}

// Whether one has all groups of the other: the same colouring, of more or fewer points.
function sameKinds(a, b) {
  const [fewer, more] = [a, b].map((groups) => groups.map((g) => g.name)).sort((x, y) => x.length - y.length);
  return fewer.every((name) => more.includes(name));
}

function canvasOf(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  return [canvas, canvas.getContext("2d", { willReadFrequently: true })];
}

function rgb(...layers) {
  const [, brush] = canvasOf(1, 1);
  for (const [colour, share] of layers) {
    brush.globalAlpha = share;
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
  }
  return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

// A faint shade of the text on its ground, opaque so that points in heaps do not add up to black.
function faint({ ground, text }) {
  return `rgb(${rgb([ground, 1], [text, 0.16]).join(", ")})`;
}

// The shades as a picture that lies under the points, in their coordinates: it moves with them.
function shading({ width, height, x, y, shades }, { text }) {
  const [r, g, b] = rgb([text, 1]);
  const [small, brush] = canvasOf(width, height);
  const pixels = brush.createImageData(width, height);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const shade = shades[(height - 1 - row) * width + column]; // pictures begin at the top
      pixels.data.set([r, g, b, Math.round(shade * SHADING)], 4 * (row * width + column));
    }
  }
  brush.putImageData(pixels, 0, 0);
  const [large, smooth] = canvasOf(width * 4, height * 4);
  smooth.imageSmoothingQuality = "high";
  smooth.drawImage(small, 0, 0, large.width, large.height);
  return {
    source: large.toDataURL(),
    xref: "x",
    yref: "y",
    x: x[0],
    y: y[1],
    sizex: x[1] - x[0],
    sizey: y[1] - y[0],
    sizing: "stretch",
    layer: "below",
  };
}

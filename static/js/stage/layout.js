/**
 * The positions of a stage's tiles: pure geometry, no DOM. Every tile lies inside the box, none overlaps another.
 * @module stage/layout
 */

/** @typedef {{x: number, y: number, width: number, height: number}} Box */

/** The aspect ratio of most cameras, width per height; no tile is wider. */
export const CAMERA = 16 / 9;
const PORTRAIT = 4 / 5; // a tile on a phone; no tile is narrower
const WHOLE_FROM = 200; // a tile whose sides are at least this long shows the whole frame: a seller's hands, and the goods in them
const WIDE_BOX = 1.25; // from this ratio on the filmstrip is beside the main video, below it otherwise

/** The largest rectangle of a pleasant shape in a cell. */
function fit(width, height, narrowest) {
  const ratio = width / height;
  if (ratio > CAMERA) return { width: height * CAMERA, height };
  if (ratio < narrowest) return { width, height: width / narrowest };
  return { width, height };
}

/**
 * Whether a tile shows the whole frame, or as much as fills it. A frame that would lose much is shown whole in a small
 * tile, too.
 */
export function showsWhole({ width, height }, ratio) {
  return Math.min(width, height) >= WHOLE_FROM || Math.min(width / height / ratio, ratio / (width / height)) < 0.6;
}

/** Rate the visible area: large tiles are good, tiles of another shape than the ideal one less so. */
function worth(tile, ideal) {
  return tile.width * tile.height * (1 - 0.22 * Math.abs(Math.log2(tile.width / tile.height / ideal)));
}

/**
 * Rows and columns for tiles of the same size: in a camera's aspect ratio where they are large, otherwise filling the
 * box.
 * @param {{count: number, width: number, height: number, gap?: number, crop?: boolean}} space crop: upright tiles, as
 *   on a phone; otherwise large ones show all of a camera's picture
 * @returns {{columns: number, rows: number, tile: {width: number, height: number}, boxes: Box[]}}
 */
export function grid({ count, width, height, gap = 6, crop = false }) {
  const none = { columns: 0, rows: 0, tile: { width: 0, height: 0 }, boxes: [] };
  if (count < 1 || width < 1 || height < 1) return none;
  if (count === 1) return { columns: 1, rows: 1, tile: { width, height }, boxes: [{ x: 0, y: 0, width, height }] };
  if (crop) return rows({ count, width, height, gap, narrowest: PORTRAIT, ideal: 1 });
  const full = rows({ count, width, height, gap, narrowest: width / height >= WIDE_BOX ? 4 / 3 : PORTRAIT });
  return showsWhole(full.tile, CAMERA) ? rows({ count, width, height, gap, narrowest: CAMERA }) : full;
}

/**
 * @param {{count: number, width: number, height: number, gap: number, narrowest: number, ideal?: number}} space narrowest:
 *   least width per height; ideal: the best, where there is a choice
 */
function rows({ count, width, height, gap, narrowest, ideal = CAMERA }) {
  let best = null;
  for (let columns = 1; columns <= count; columns += 1) {
    const lines = Math.ceil(count / columns);
    if (Math.ceil(count / lines) < columns) continue; // the same lines need fewer columns
    const cell = { width: (width - gap * (columns - 1)) / columns, height: (height - gap * (lines - 1)) / lines };
    if (cell.width < 1 || cell.height < 1) continue;
    const tile = fit(cell.width, cell.height, narrowest);
    if (!best || worth(tile, ideal) > worth(best.tile, ideal)) best = { columns, rows: lines, tile };
  }
  if (!best) return rows({ count, width, height, gap: 0, narrowest, ideal });
  return { ...best, boxes: boxes({ ...best, count, width, height, gap }) };
}

/** Rows one below the other in the middle; an incomplete last row is centred too. */
function boxes({ columns, rows, tile, count, width, height, gap }) {
  const top = (height - rows * tile.height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = (width - inRow * tile.width - (inRow - 1) * gap) / 2;
    return { x: left + (index % columns) * (tile.width + gap), y: top + row * (tile.height + gap), width: tile.width, height: tile.height };
  });
}

/** The filmstrip's share of the box. */
function share(others, wide) {
  if (wide) return others > 12 ? 0.3 : others > 5 ? 0.25 : 0.2;
  return others > 8 ? 0.44 : others > 3 ? 0.36 : 0.27;
}

/**
 * One main tile, the others in a strip beside or below it.
 * @param {{others: number, width: number, height: number, gap?: number}} space
 * @returns {{main: Box, boxes: Box[]}}
 */
export function focus({ others, width, height, gap = 6 }) {
  if (others < 1) return { main: { x: 0, y: 0, width, height }, boxes: [] };
  const wide = width / height >= WIDE_BOX;
  const strip = (wide ? width : height) * share(others, wide);
  const main = wide ? { x: 0, y: 0, width: width - strip - gap, height } : { x: 0, y: 0, width, height: height - strip - gap };
  const at = wide ? { x: main.width + gap, y: 0 } : { x: 0, y: main.height + gap };
  const film = others === 1
    ? { boxes: [alone(wide ? { width: strip, height } : { width, height: strip })] }
    : grid({ count: others, gap, ...(wide ? { width: strip, height } : { width, height: strip }) });
  return { main, boxes: film.boxes.map((box) => ({ ...box, x: box.x + at.x, y: box.y + at.y })) };
}

function alone({ width, height }) {
  const tile = fit(width, height, PORTRAIT);
  return { x: (width - tile.width) / 2, y: (height - tile.height) / 2, ...tile };
}

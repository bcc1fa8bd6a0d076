/** The stage with the product's style sheets, as large as the window, and the rules of its tiles at any size. */
const SLACK = 1;

const people = (count) => Array.from({ length: count }, (_, index) => [`person-${index}`, index ? "guest" : "host"]);
const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

const loaded = (name) => new Promise((resolve, reject) => {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `/static/css/${name}.css`, onload: resolve, onerror: reject });
  document.head.append(link);
});

/** Show the stage of a live show, in a player that fills the window, as in full screen. */
export async function begin(pass) {
  for (const name of ["tokens", "base", "components", "player", "stage"]) await loaded(name);
  window.harness.stage({ pass, people: people(1) });
  const player = document.createElement("div");
  player.className = "player staged";
  Object.assign(player.style, { position: "fixed", inset: "0", aspectRatio: "auto" });
  window.view.root.removeAttribute("style");
  window.view.root.className = "stage";
  player.append(window.view.root);
  document.body.replaceChildren(player);
}

/** Change the number of people on stage. The viewer chooses a tile as the main one, or none (-1). */
export function set({ count, main }) {
  window.harness.change(people(count), { user: "", what: "joined" });
  const pressed = document.querySelector(".tile-pick[aria-pressed=true]");
  const wanted = main < 0 ? null : document.querySelector(`.tile[data-user="id-of-person-${main % count}"] .tile-pick`);
  if (pressed !== wanted) (wanted || pressed).click();
}

/** Return the rules that do not hold at the present size of the window. */
export async function rules({ count, main }) {
  await frame();
  await frame();
  for (const animation of document.getAnimations()) animation.finish();
  const stage = window.view.root.getBoundingClientRect();
  const boxes = [...document.querySelectorAll(".tile")].map((tile) => ({ big: tile.classList.contains("main"), ...tile.getBoundingClientRect().toJSON() }));
  const found = [];
  const rule = (holds, text) => { if (!holds) found.push(`${text} (${innerWidth} x ${innerHeight})`); };
  const inside = (box, { left, top, right, bottom }) => box.left >= left - SLACK && box.top >= top - SLACK && box.right <= right + SLACK && box.bottom <= bottom + SLACK;
  const apart = (one, two) => one.right <= two.left + SLACK || two.right <= one.left + SLACK || one.bottom <= two.top + SLACK || two.bottom <= one.top + SLACK;
  const area = ({ width, height }) => width * height;
  rule(boxes.length === count, `${boxes.length} tiles for ${count} people`);
  rule(inside(stage, { left: 0, top: 0, right: innerWidth, bottom: innerHeight }), "the stage is inside the window");
  rule(boxes.every((box) => inside(box, stage)), "every tile is inside the stage");
  rule(boxes.every((box) => box.width >= 1 && box.height >= 1), "every tile is visible");
  rule(boxes.every((one, at) => boxes.slice(at + 1).every((two) => apart(one, two))), "no tile covers another");
  rule(document.documentElement.scrollWidth <= innerWidth, "nothing sticks out of the page");
  const [large] = boxes.filter(({ big }) => big);
  if (main < 0 || count === 1) rule(boxes.every((box) => Math.abs(area(box) - area(boxes[0])) <= 2 * (box.width + box.height)), "all tiles are the same size");
  else rule(large && boxes.every((box) => box.big || area(box) < area(large)), "the main video is the largest");
  return found;
}

Object.assign(window, { turned: { begin, rules, set } });

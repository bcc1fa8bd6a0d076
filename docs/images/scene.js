// Runs before the studio's own scripts: the camera becomes a painted pottery table, so that pictures of the product
// show something pleasant and nobody's face.
(() => {
  const WIDTH = 1280, HEIGHT = 720;
  const seconds = () => performance.now() / 1000;

  function shade(context, x, y, x2, y2, stops) {
    const gradient = context.createLinearGradient(x, y, x2, y2);
    stops.forEach(([at, colour]) => gradient.addColorStop(at, colour));
    return gradient;
  }

  function glow(context, x, y, radius, colour) {
    const gradient = context.createRadialGradient(x, y, 0, x, y, radius);
    gradient.addColorStop(0, colour);
    gradient.addColorStop(1, "rgba(255,230,190,0)");
    context.fillStyle = gradient;
    context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  }

  // A turned pot: half a profile [height, radius], mirrored, shaded from left to right.
  function pot(context, x, base, profile, dark, body, light, band) {
    context.save();
    context.filter = "blur(7px)";
    context.fillStyle = "rgba(40,18,8,.45)";
    context.beginPath();
    context.ellipse(x + 18, base + 3, profile[0][1] * 1.35, 15, 0, 0, 7);
    context.fill();
    context.restore();
    const side = (sign) => profile.map(([height, radius]) => [x + sign * radius, base - height]);
    const right = side(1), left = side(-1).reverse();
    const wide = Math.max(...profile.map(([, radius]) => radius));
    const through = (points) => {
      for (let i = 1; i < points.length - 1; i += 1) {
        const [px, py] = points[i], [nx, ny] = points[i + 1];
        context.quadraticCurveTo(px, py, (px + nx) / 2, (py + ny) / 2);
      }
      context.lineTo(...points.at(-1));
    };
    context.beginPath();
    context.moveTo(...right[0]);
    through(right);
    context.lineTo(...left[0]);
    through(left);
    context.closePath();
    context.fillStyle = shade(context, x - wide, 0, x + wide, 0, [[0, body], [.28, light], [.55, body], [1, dark]]);
    context.fill();
    context.save();
    context.clip();
    if (band) {
      const top = base - profile.at(-1)[0];
      context.fillStyle = band;
      context.globalAlpha = .85;
      context.fillRect(x - wide, top, 2 * wide, (base - top) * .42);
      for (let i = -wide; i < wide; i += 26) {
        context.beginPath();
        context.ellipse(x + i + 13, top + (base - top) * .42, 12, 14 + 9 * Math.sin(i), 0, 0, 7);
        context.fill();
      }
      context.globalAlpha = 1;
      context.fillStyle = shade(context, x - wide, 0, x + wide, 0,
        [[0, "rgba(255,255,255,.02)"], [.26, "rgba(255,255,255,.38)"], [.42, "rgba(255,255,255,0)"], [1, "rgba(20,10,5,.5)"]]);
      context.fillRect(x - wide, top, 2 * wide, base - top);
    }
    context.restore();
    const [height, radius] = profile.at(-1);
    context.beginPath();
    context.ellipse(x, base - height, radius, radius * .2, 0, 0, 7);
    context.fillStyle = dark;
    context.fill();
    context.lineWidth = 4;
    context.strokeStyle = light;
    context.stroke();
  }

  function branch(context, x, y, sway) {
    context.strokeStyle = "#5b4a2c";
    context.lineWidth = 4;
    for (const [dx, dy] of [[-95, -190], [8, -235], [105, -170]]) {
      const ex = x + dx + sway * (dy / -190), ey = y + dy;
      context.beginPath();
      context.moveTo(x, y);
      context.quadraticCurveTo(x + dx * .2, y + dy * .6, ex, ey);
      context.stroke();
      for (let i = 2; i <= 7; i += 1) {
        const t = i / 7, bx = x + (ex - x) * t * t * .8 + (ex - x) * t * .2, by = y + dy * t;
        for (const turn of [-1, 1]) {
          context.save();
          context.translate(bx, by);
          context.rotate(turn * (.9 + .05 * sway) + dx / 300);
          context.fillStyle = turn < 0 ? "#6f8a5e" : "#86a06f";
          context.beginPath();
          context.ellipse(0, -17, 8, 19, 0, 0, 7);
          context.fill();
          context.restore();
        }
      }
    }
  }

  function still(draw) {
    const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
    draw(canvas.getContext("2d"));
    return canvas;
  }

  function room(context) {
    context.fillStyle = shade(context, 0, 0, WIDTH, HEIGHT, [[0, "#e7cfae"], [.55, "#cfa982"], [1, "#8a5f45"]]);
    context.fillRect(0, 0, WIDTH, HEIGHT);
    glow(context, 250, 120, 620, "rgba(255,244,214,.85)");
    context.fillStyle = "rgba(110,66,40,.55)";
    context.fillRect(0, 232, WIDTH, 14);
    context.fillStyle = shade(context, 0, 216, 0, 232, [[0, "#b98458"], [1, "#8d5c39"]]);
    context.fillRect(0, 214, WIDTH, 20);
    const bowls = [[700, "#2f5d62", "#4b8388", "#8dbbb8"], [820, "#7b3f2c", "#b0614a", "#dc9a7f"], [935, "#6d6a5c", "#a8a491", "#dbd8c8"],
      [1060, "#37506e", "#5b7ba1", "#9fb9d5"], [1185, "#8a6a2b", "#c79d4b", "#ecd08e"]];
    for (const [x, dark, body, light] of bowls) pot(context, x, 212, [[0, 20], [14, 36], [44, 46], [62, 47]], dark, body, light);
    context.fillStyle = shade(context, 0, 520, 0, HEIGHT, [[0, "#a8683f"], [.12, "#8d5332"], [1, "#4c2817"]]);
    context.fillRect(0, 520, WIDTH, 200);
    context.fillStyle = "rgba(255,225,180,.28)";
    context.fillRect(0, 520, WIDTH, 3);
  }

  function pots(context) {
    pot(context, 300, 600, [[0, 62], [40, 100], [120, 132], [190, 112], [240, 52], [278, 42]], "#243f4d", "#3f6a7c", "#93b9c4", "#e9dfcc");
    pot(context, 660, 640, [[0, 84], [20, 122], [80, 168], [132, 186], [150, 190]], "#7a3d25", "#b9653f", "#eaa67c", "#f0e4d0");
    pot(context, 985, 606, [[0, 56], [60, 84], [150, 92], [215, 62], [250, 40], [292, 50]], "#4e5b42", "#7d8f68", "#bccba4", "#f3ead9");
    pot(context, 1150, 652, [[0, 40], [22, 58], [66, 60], [92, 56]], "#5f5a4f", "#a39c8b", "#e4ddcb");
  }

  const layers = [];

  function paint(context) {
    if (!layers.length) layers.push(still(room), still(pots));
    const t = seconds(), sway = 4 * Math.sin(t * .8);
    context.drawImage(layers[0], 0, 0);
    branch(context, 300, 330, sway);
    context.drawImage(layers[1], 0, 0);
    for (let i = 0; i < 22; i += 1) { // dust in the light
      const x = (i * 137 + t * (6 + i % 5)) % WIDTH, y = 80 + ((i * 71 + t * (3 + i % 3)) % 420);
      context.fillStyle = `rgba(255,246,220,${.18 + .14 * Math.sin(t + i)})`;
      context.beginPath();
      context.arc(x, y, 1.6 + (i % 3) * .7, 0, 7);
      context.fill();
    }
  }

  if (!navigator.mediaDevices) return;
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await original(constraints);
    const camera = stream.getVideoTracks()[0];
    if (!camera) return stream;
    const settings = camera.getSettings();
    camera.stop();
    stream.removeTrack(camera);
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    const context = canvas.getContext("2d");
    setInterval(() => paint(context), 1000 / 20);
    paint(context);
    const track = canvas.captureStream(20).getVideoTracks()[0];
    track.getSettings = () => ({ ...settings, width: WIDTH, height: HEIGHT });
    track.applyConstraints = async () => undefined;
    stream.addTrack(track);
    return stream;
  };
})();

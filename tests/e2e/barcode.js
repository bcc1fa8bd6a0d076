// Runs before the page's own scripts. On the seller's side the camera becomes a moving canvas that carries the time as
// a barcode of 40 cells; on the viewer's side every presented frame is read back, which gives the delay glass to glass.
(() => {
  const WIDTH = 640, HEIGHT = 360, CELL = 32, BITS = 40, PER_ROW = 20;
  const now = () => BigInt(Math.round(performance.timeOrigin + performance.now()));
  const MASK = (1n << BigInt(BITS)) - 1n;

  function paint(context, frame) {
    context.fillStyle = `hsl(${frame % 360} 55% 42%)`;
    context.fillRect(0, 0, WIDTH, HEIGHT);
    for (let i = 0; i < 12; i += 1) {
      context.fillStyle = `hsl(${(i * 30 + frame * 2) % 360} 70% 60%)`;
      context.fillRect((i * 57 + frame * 3) % WIDTH, 110 + ((i * 41) % 200), 70, 36);
    }
    const time = now() & MASK;
    for (let i = 0; i < BITS; i += 1) {
      context.fillStyle = (time >> BigInt(i)) & 1n ? "#fff" : "#000";
      context.fillRect((i % PER_ROW) * CELL, Math.floor(i / PER_ROW) * CELL, CELL, CELL);
    }
  }

  function barcodeTrack() {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    const context = canvas.getContext("2d");
    let frame = 0;
    setInterval(() => { frame += 1; paint(context, frame); }, 1000 / 15);
    paint(context, frame);
    return canvas.captureStream(15).getVideoTracks()[0];
  }

  if (navigator.mediaDevices) {
    const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await original(constraints);
      const camera = stream.getVideoTracks()[0];
      if (!camera) return stream;
      const settings = camera.getSettings();
      camera.stop();
      stream.removeTrack(camera);
      const track = barcodeTrack();
      track.getSettings = () => ({ ...settings, width: WIDTH, height: HEIGHT });
      stream.addTrack(track);
      return stream;
    };
  }

  const reader = document.createElement("canvas");
  reader.width = WIDTH;
  reader.height = 2 * CELL;
  const context = reader.getContext("2d", { willReadFrequently: true });
  window.glass = { delays: [], unreadable: 0, luminance: [] };

  window.watchGlass = (video) => {
    const read = () => {
      context.drawImage(video, 0, 0, video.videoWidth, (2 * CELL * video.videoHeight) / HEIGHT, 0, 0, WIDTH, 2 * CELL);
      const pixels = context.getImageData(0, 0, WIDTH, 2 * CELL).data;
      let time = 0n;
      for (let i = 0; i < BITS; i += 1) {
        const x = (i % PER_ROW) * CELL + CELL / 2, y = Math.floor(i / PER_ROW) * CELL + CELL / 2;
        const at = (y * WIDTH + x) * 4;
        if (pixels[at] + pixels[at + 1] + pixels[at + 2] > 384) time |= 1n << BigInt(i);
      }
      const delay = Number((now() & MASK) - time);
      if (delay >= 0 && delay < 60000) window.glass.delays.push(delay);
      else window.glass.unreadable += 1;
      video.requestVideoFrameCallback(read);
    };
    video.requestVideoFrameCallback(read);
  };

  window.lookAt = (video) => {
    const small = document.createElement("canvas");
    small.width = 64;
    small.height = 36;
    const pen = small.getContext("2d");
    pen.drawImage(video, 0, 0, 64, 36);
    const data = pen.getImageData(0, 0, 64, 36).data;
    let low = 255, high = 0, sum = 0;
    for (let i = 0; i < data.length; i += 4) {
      const light = (data[i] + data[i + 1] + data[i + 2]) / 3;
      low = Math.min(low, light);
      high = Math.max(high, light);
      sum += data[i] * 3 + data[i + 1] * 5 + data[i + 2] * 7;
    }
    return { low, high, fingerprint: Math.round(sum) };
  };
})();

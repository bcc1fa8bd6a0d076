// A cheap camera: 480x270, ten frames a second, a colour of its own each time it is opened, and moving bars. The
// machine that runs the tests encodes four of them and decodes twenty.
(() => {
  if (!navigator.mediaDevices) return;
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  let hue = Math.floor(Math.random() * 360);

  function moving(width, height, light) {
    const own = hue = (hue + 137) % 360;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const pen = canvas.getContext("2d");
    let turn = 0;
    const paint = () => {
      turn += 1;
      pen.fillStyle = `hsl(${own} 60% ${light}%)`;
      pen.fillRect(0, 0, width, height);
      pen.fillStyle = "#fff";
      for (let bar = 0; bar < 3; bar += 1) pen.fillRect((turn * 9 + bar * width / 3) % width, 0, width / 10, height);
      pen.fillStyle = "#000";
      pen.fillRect(0, (turn * 7) % height, width, height / 9);
    };
    setInterval(paint, 100);
    paint();
    return canvas.captureStream(10).getVideoTracks()[0];
  }

  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await original(wanted);
    const camera = stream.getVideoTracks()[0];
    if (!camera) return stream;
    const settings = camera.getSettings();
    camera.stop();
    stream.removeTrack(camera);
    const track = moving(480, 270, 42);
    track.getSettings = () => ({ ...settings, width: 480, height: 270 });
    stream.addTrack(track);
    return stream;
  };
  navigator.mediaDevices.getDisplayMedia = async () => new MediaStream([moving(480, 270, 62)]);
})();

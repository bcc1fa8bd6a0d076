// A camera held upright: 360x640 by default, of another shape once the page sets window.camera's width and height.
(() => {
  if (!navigator.mediaDevices) return;
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 360, height: 640 });
  window.camera = canvas;
  const pen = canvas.getContext("2d");
  let turn = 0;
  const paint = () => {
    turn += 1;
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = "#b33";
    pen.fillRect((turn * 9) % canvas.width, 0, 40, canvas.height);
  };

  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await original(wanted);
    const camera = stream.getVideoTracks()[0];
    if (!camera) return stream;
    const { deviceId } = camera.getSettings();
    camera.stop();
    stream.removeTrack(camera);
    setInterval(paint, 100);
    const track = canvas.captureStream(10).getVideoTracks()[0];
    track.getSettings = () => ({ deviceId, width: canvas.width, height: canvas.height });
    stream.addTrack(track);
    return stream;
  };
})();

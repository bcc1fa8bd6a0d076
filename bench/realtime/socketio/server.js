// Socket.IO with its default settings: a room by the handshake's query, every message to everybody in it.
const { Server } = require("socket.io");

const io = new Server();
io.on("connection", (socket) => {
  const room = String(socket.handshake.query.room);
  socket.join(room);
  socket.on("message", (text) => io.to(room).emit("message", text));
});
io.listen(Number(process.argv[2]));

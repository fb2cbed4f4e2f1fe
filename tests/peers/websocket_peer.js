// A WebSocket client in Node that says the same to every server, and prints what comes back.
//
// Arguments: "ws" or "global", for the package or for what Node has itself (with
// --experimental-websocket); the folder whose node_modules hold the package; a URL.

"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const { talk, echo } = require("./websocket_talk.js");

const [kind, folder, url] = process.argv.slice(2);
const packages = createRequire(path.join(path.resolve(folder), "package.json"));

const print = (...words) => console.log(words.join(" "));

// What a browser's interface has no words for.
async function more(socket) {
  await echo(socket, print, "fragmented", () => {
    socket.send("one, ", { fin: false });
    socket.send("", { fin: false });
    socket.ping("between");
    socket.send("two", { fin: true });
  });
  const pong = new Promise((resolve) => socket.once("pong", resolve));
  socket.ping("hello");
  print("pong", await pong);
}

if (kind === "ws") {
  talk(packages("ws"), url, print, more);
} else {
  talk(WebSocket, url, print);
}

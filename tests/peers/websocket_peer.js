// A WebSocket client that says the same to every server, and prints what comes back, a line each.
//
// Arguments: "ws" or "global", for the package or for what Node has itself (with
// --experimental-websocket); the folder whose node_modules hold the package; a URL.

"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");

const [kind, folder, url] = process.argv.slice(2);
const packages = createRequire(path.join(path.resolve(folder), "package.json"));
const Client = kind === "ws" ? packages("ws") : WebSocket;

const socket = new Client(url, ["chat", "mqtt"]);
socket.binaryType = "arraybuffer";

const print = (...words) => console.log(words.join(" "));

// Each waits for the next event of its kind.
const next = (name) =>
  new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));

async function echo(what, send) {
  const coming = next("message");
  send();
  const { data } = await coming;
  const got = typeof data === "string" ? data : Buffer.from(data).toString("hex");
  print(what, got.length > 100 ? `${got.length} characters, ${got.slice(-8)}` : got);
}

async function talk() {
  await next("open");
  print("open", socket.protocol);
  await echo("text", () => socket.send("Grüße, 世界"));
  await echo("empty", () => socket.send(""));
  await echo("binary", () => socket.send(Uint8Array.of(0, 127, 128, 255)));
  await echo("long", () => socket.send(new Uint8Array(70000).fill(0xa5)));
  if (kind === "ws") {
    // What a browser's interface has no words for.
    await echo("fragmented", () => {
      socket.send("one, ", { fin: false });
      socket.send("", { fin: false });
      socket.ping("between");
      socket.send("two", { fin: true });
    });
    const pong = new Promise((resolve) => socket.once("pong", resolve));
    socket.ping("hello");
    print("pong", await pong);
  }
  const closed = next("close");
  socket.close(4001, "done");
  const { code, reason, wasClean } = await closed;
  print("close", code, reason, wasClean);
}

socket.addEventListener("error", (event) => {
  print("error", event.message ?? event.error);
  process.exitCode = 1;
});
talk();

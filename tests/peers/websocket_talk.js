// What every WebSocket client says to the server of the tests, and a line for each thing that comes
// back: nothing here needs more than a browser has.

"use strict";

// Each promise is for the next event of its kind; an error comes in place of any.
const next = (socket, name) =>
  new Promise((resolve, reject) => {
    socket.addEventListener(name, resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error(`no ${name}`)), { once: true });
  });

const hex = (bytes) =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function echo(socket, print, what, send) {
  const coming = next(socket, "message");
  send();
  const { data } = await coming;
  const got = typeof data === "string" ? data : hex(data);
  print(what, got.length > 100 ? `${got.length} characters, ${got.slice(-8)}` : got);
}

// Prints how a connection ends that `end` has been told to end.
async function close(socket, print, end) {
  const closed = next(socket, "close");
  end();
  const { code, reason, wasClean } = await closed;
  print("close", code, reason, wasClean);
}

// A whole conversation, and a second one that the server ends; `more` comes in the midst.
async function talk(Client, url, print, more = async () => {}) {
  const open = async () => {
    const socket = new Client(url, ["chat", "mqtt"]);
    socket.binaryType = "arraybuffer";
    await next(socket, "open");
    print("open", socket.protocol);
    return socket;
  };
  const socket = await open();
  await echo(socket, print, "text", () => socket.send("Grüße, 世界"));
  await echo(socket, print, "empty", () => socket.send(""));
  await echo(socket, print, "binary", () => socket.send(Uint8Array.of(0, 127, 128, 255)));
  await echo(socket, print, "long", () => socket.send(new Uint8Array(70000).fill(0xa5)));
  await echo(socket, print, "large", () => socket.send("x".repeat(200000)));
  await more(socket);
  await close(socket, print, () => socket.close(4001, "done"));
  const other = await open();
  await close(other, print, () => other.send("close 4002 enough"));
}

if (typeof module !== "undefined") {
  module.exports = { talk, echo };
}

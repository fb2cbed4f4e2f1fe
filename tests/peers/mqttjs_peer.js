// MQTT.js, driven line by line: commands in, events out, as described in paho_peer.py beside it.
//
// The first argument is the folder whose node_modules hold MQTT.js.

"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const folder = path.resolve(process.argv[2]);
const mqtt = createRequire(path.join(folder, "package.json"))("mqtt");

const BINARY = ["correlation_data", "authentication_data"];

// Where MQTT.js does not write the name of a property as the standard does.
const NAMES = {
  maximum_qos: "maximumQoS",
  user_property: "userProperties",
  subscription_identifier_available: "subscriptionIdentifiersAvailable",
};

// What MQTT.js takes as true or false, and the wire as 1 or 0.
const TRUTHS = [
  "payload_format_indicator",
  "request_problem_information",
  "request_response_information",
];

function emit(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

function camelCase(name) {
  return NAMES[name] ?? name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

function snakeCase(name) {
  const special = Object.keys(NAMES).find((key) => NAMES[key] === name);
  return special ?? name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
}

// What a packet's properties hold, ready for JSON.
function told(properties) {
  const fields = {};
  for (const [camel, value] of Object.entries(properties ?? {})) {
    const name = snakeCase(camel);
    if (BINARY.includes(name)) {
      fields[name] = value.toString("base64");
    } else if (name === "user_property") {
      const entries = Object.entries(value);
      fields[name] = entries.flatMap(([key, one]) => [one].flat().map((text) => [key, text]));
    } else if (name === "subscription_identifier") {
      fields[name] = [value].flat();
    } else {
      fields[name] = typeof value === "boolean" ? Number(value) : value;
    }
  }
  return fields;
}

// The properties of a packet to send.
function made(fields) {
  const properties = {};
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (BINARY.includes(name)) {
      properties[camelCase(name)] = Buffer.from(value, "base64");
    } else if (name === "user_property") {
      const pairs = {};
      value.forEach(([key, one]) => (pairs[key] = [...(pairs[key] ?? []), one]));
      properties.userProperties = pairs;
    } else {
      properties[camelCase(name)] = TRUTHS.includes(name) ? value === 1 : value;
    }
  }
  return properties;
}

let client;
// Both outlive connections, also those that were ended in good order.
let stores;
let isV5;
// CONNACK came on this connection: before it, its end is a command that failed.
let connected;
// Why the connection ends, as far as somebody says it.
let farewell;
let doing;
let lastMid = 0;

function onPacket(packet) {
  if (packet.cmd === "connack") {
    connected = true;
    const code = isV5 ? packet.reasonCode : packet.returnCode;
    if (code === 0) {
      // Behind MQTT.js's own handling of it: a command that follows finds a connected client.
      client.once("connect", () => emitConnected(packet, "Success"));
    } else {
      client.once("error", (error) => {
        emitConnected(packet, error.message.replace("Connection refused: ", ""));
      });
    }
  } else if (packet.cmd === "suback") {
    emit("subscribed", { granted: packet.granted });
  } else if (packet.cmd === "unsuback") {
    emit("unsubscribed");
  } else if (packet.cmd === "disconnect") {
    farewell = `reason code ${packet.reasonCode}`;
  }
}

function emitConnected(packet, reason) {
  const properties = told(packet.properties);
  emit("connected", { session_present: packet.sessionPresent, reason, properties });
}

function onMessage(topic, payload, packet) {
  emit("message", {
    topic,
    payload_b64: payload.toString("base64"),
    qos: packet.qos,
    retain: packet.retain,
    dup: packet.dup,
    properties: told(packet.properties),
  });
}

function onClose() {
  if (connected) {
    connected = false;
    emit("disconnected", { reason: farewell });
  } else {
    emit("failed", { what: `${doing}: ${farewell}` });
  }
}

function begin(command) {
  doing = command;
  connected = false;
  farewell = "the connection was lost";
}

// Node names an address that refuses in an error without a message of its own.
function said(error) {
  return error.message || error.code;
}

function connect(command) {
  stores = {
    incomingStore: new mqtt.Store({ clean: false }),
    outgoingStore: new mqtt.Store({ clean: false }),
  };
  isV5 = command.version === 5;
  const options = {
    ...stores,
    protocolVersion: command.version,
    clientId: command.client_id,
    clean: command.clean,
    keepalive: command.keep_alive_s,
    username: command.user ?? undefined,
    password: command.password ?? undefined,
    properties: isV5 ? made(command.properties) : undefined,
    will: command.will ? message(command.will) : undefined,
    // A lost connection is the test's to see, and to mend; a session is what the broker kept.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
  };
  const websockets = command.transport === "websockets";
  const address = `${command.host}:${command.port}`;
  const url = websockets ? `ws://${address}${command.path}` : `mqtt://${address}`;
  begin("connect");
  client = mqtt.connect(url, options);
  client.on("packetreceive", onPacket);
  client.on("message", onMessage);
  client.on("close", onClose);
  client.on("error", (error) => (farewell = said(error)));
}

function message({ topic, payload_b64, qos, retain, properties }) {
  const payload = Buffer.from(payload_b64, "base64");
  return { topic, payload, qos, retain, ...(isV5 ? { properties: made(properties) } : {}) };
}

function reconnect() {
  begin("reconnect");
  client.reconnect(stores);
}

function subscribe(command) {
  const options = { qos: command.qos };
  if (isV5) {
    options.nl = command.no_local;
    options.rap = command.retain_as_published;
    options.rh = command.retain_handling;
    options.properties = made(command.properties);
  }
  client.subscribe(command.filter, options, (error) => {
    // A refusal is in the SUBACK already.
    if (error && error.code === undefined) fail("subscribe", error);
  });
}

function unsubscribe(command) {
  client.unsubscribe(command.filter, (error) => {
    if (error) fail("unsubscribe", error);
  });
}

function publish(command) {
  const { topic, payload, ...options } = message(command);
  const mid = ++lastMid;
  emit("queued", { mid });
  client.publish(topic, payload, options, (error) => {
    if (error && error.code === undefined) fail("publish", error);
    else emit("published", { mid, code: error ? error.code : 0 });
  });
}

function disconnect(command) {
  if (!client.connected) throw new Error("not connected");
  farewell = "Normal disconnection";
  const properties = made(command.properties);
  client.end(false, isV5 ? { reasonCode: command.code, properties } : {});
}

function abort() {
  // Under MQTT.js, which sends nothing: the socket is gone.
  client.stream.destroy();
}

function fail(what, error) {
  emit("failed", { what: `${what}: ${said(error)}` });
}

const COMMANDS = { connect, reconnect, subscribe, unsubscribe, publish, disconnect, abort };

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  try {
    COMMANDS[command.do](command);
  } catch (error) {
    fail(command.do, error);
  }
});
lines.on("close", () => process.exit(0));

// Amplify's provider for AWS IoT, driven line by line as described in aws_iot_peer.py beside it.
//
// The first argument is the folder whose node_modules hold Amplify. The CA is in NODE_EXTRA_CA_CERTS.
// A text travels as {"text": ...}: Amplify has words for JSON only. Nor does it say when a
// subscription stands: "subscribe" is done when it was asked for.

"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const packages = createRequire(path.join(path.resolve(process.argv[2]), "package.json"));
// Before Amplify looks for one: what Node 20 has is an experiment.
globalThis.WebSocket = packages("ws");
const { Amplify } = packages("@aws-amplify/core");
const { PubSub } = packages("@aws-amplify/pubsub");

function emit(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

let provider;
const subscriptions = [];

function connect(command) {
  const credentials = {
    accessKeyId: command.access_key_id,
    secretAccessKey: command.secret_access_key,
    sessionToken: command.session_token ?? undefined,
  };
  const credentialsProvider = {
    getCredentialsAndIdentityId: async () => ({ credentials, identityId: "us-east-1:somebody" }),
    clearCredentialsAndIdentityId() {},
  };
  Amplify.configure({}, { Auth: { credentialsProvider } });
  provider = new PubSub({
    region: command.region,
    endpoint: `wss://localhost:${command.port}/mqtt`,
    clientId: command.client_id,
  });
}

function subscribe({ topic }) {
  const observer = {
    next: ({ text }) => emit("message", { topic, text }),
    error: (error) => emit("ended", { what: String(error) }),
  };
  subscriptions.push(provider.subscribe({ topics: [topic] }).subscribe(observer));
}

async function publish({ topic, text }) {
  await provider.publish({ topics: [topic], message: { text } });
}

function disconnect() {
  subscriptions.forEach((subscription) => subscription.unsubscribe());
}

const COMMANDS = { connect, subscribe, publish, disconnect };

// One after another, whatever each of them waits for.
let last = Promise.resolve();
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  last = last
    .then(() => COMMANDS[command.do](command))
    .then(() => emit("done"))
    .catch((error) => emit("failed", { what: String(error) }));
});
lines.on("close", () => process.exit(0));

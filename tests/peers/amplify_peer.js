// Amplify's PubSub, driven line by line: commands in, events out, as JSON.
//
// Arguments: the folder whose node_modules hold the packages; 6 or 5, Amplify's version; "real", or
// "virtual" for timers that stand still until they are told to go on.
//
// A provider is opened under an id, a subscription made under a name: both are this script's, for
// Amplify has no words for them. Whatever changes a state, brings a message or ends a subscription is
// an event of its own; each command ends with "done" or "failed".

"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");
const { mock } = require("node:test");

const [folder, version, clock] = process.argv.slice(2);
const packages = createRequire(path.join(path.resolve(folder), "package.json"));
const isV6 = version === "6";

// In a browser, whether there is a network is told by the window.
const page = new EventTarget();
page.navigator = { onLine: true };
if (isV6) globalThis.window = page;
// Before Amplify looks for one: what Node 20 has is an experiment.
globalThis.WebSocket = packages("ws");

const amplify = isV6 ? packages("@aws-amplify/pubsub/mqtt") : packages("amplify5-pubsub");
// Each version has a hub of its own, in the core that it came with.
const core = isV6
  ? packages("@aws-amplify/core")
  : createRequire(packages.resolve("amplify5-pubsub"))("@aws-amplify/core");

let elapsedMs = 0;
if (clock === "virtual") mock.timers.enable({ apis: ["setTimeout", "setInterval"] });

function emit(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

const ids = new Map();
const providers = new Map();
const subscriptions = new Map();
// The first state is told while the provider is being made.
let opening;

core.Hub.listen("pubsub", ({ payload }) => {
  if (payload.event !== amplify.CONNECTION_STATE_CHANGE && payload.event !== "ConnectionStateChange") {
    return;
  }
  const { provider, connectionState } = payload.data;
  emit("state", { id: ids.get(provider) ?? opening, state: connectionState, at_ms: elapsedMs });
});

// Under a symbol that the package does not export.
function hiddenTopic(value) {
  if (typeof value !== "object" || value === null) return null;
  const symbol = Object.getOwnPropertySymbols(value).find((one) => one.description === "topic");
  return symbol === undefined ? null : value[symbol];
}

function open({ id, url, client_id }) {
  opening = id;
  const shared = {
    clientId: client_id ?? undefined,
    aws_appsync_dangerously_connect_to_http_endpoint_for_testing: true,
  };
  const provider = isV6
    ? new amplify.PubSub({ endpoint: url, ...shared })
    : new amplify.MqttOverWSProvider({ aws_pubsub_endpoint: url, ...shared });
  ids.set(provider, id);
  providers.set(id, provider);
  if (!isV6) amplify.PubSub.addPluggable(provider);
}

function subscribe({ id, name, topics, provider }) {
  const observable = isV6
    ? providers.get(id).subscribe({ topics })
    : amplify.PubSub.subscribe(topics, provider ? { provider } : {});
  const subscription = observable.subscribe({
    next: (value) => {
      // What one has to go by, apart from the value itself.
      const from = isV6 ? id : ids.get(value.provider);
      const provider_name = isV6 ? null : value.provider.getProviderName();
      const inner = isV6 ? value : value.value;
      const shown = JSON.parse(JSON.stringify(inner));
      emit("message", { name, value: shown, from, provider_name, hidden_topic: hiddenTopic(inner) });
    },
    error: (error) => emit("ended", { name, how: "error", what: String(error) }),
    complete: () => emit("ended", { name, how: "complete" }),
  });
  subscriptions.set(name, subscription);
}

function unsubscribe({ name }) {
  subscriptions.get(name).unsubscribe();
}

async function publish({ id, topics, value, provider }) {
  if (isV6) await providers.get(id).publish({ topics, message: value });
  else await amplify.PubSub.publish(topics, value, provider ? { provider } : {});
}

function remove({ provider }) {
  amplify.PubSub.removePluggable(provider);
}

function network({ online }) {
  page.navigator.onLine = online;
  page.dispatchEvent(new Event(online ? "online" : "offline"));
}

// One second after another, with time between them for what is no timer.
async function pass({ seconds }) {
  for (let second = 0; second < seconds; second++) {
    elapsedMs += 1000;
    mock.timers.tick(1000);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

const COMMANDS = { open, subscribe, unsubscribe, publish, remove, network, pass };

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

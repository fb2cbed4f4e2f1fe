// The page: shows what the demo says under dunlin-demo/, and asks it for changes there.
"use strict";

const OWN = "dunlin-demo/";
const ROWS_MAX = 200;
const broker = document.querySelector("meta[name=broker]").content;
const $ = (selector) => document.querySelector(selector);

const element = (name, text, className = "") => {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
};

const row = (...cells) => {
  const made = document.createElement("tr");
  made.append(
    ...cells.map((cell) => {
      const data = document.createElement("td");
      data.append(cell);
      return data;
    }),
  );
  return made;
};

const quiet = (text, name, act) => {
  const button = element("button", text, "quiet");
  button.setAttribute("aria-label", `${text} ${name}`);
  button.onclick = act;
  return button;
};

const page = crypto.randomUUID();
let requests = 0;
function ask(what) {
  requests += 1;
  $("#outcome").textContent = "";
  const sent = mqtt.publish(`${OWN}request`, JSON.stringify({ request: `${page}-${requests}`, ...what }));
  if (!sent) {
    $("#outcome").textContent = "There is no connection to the demo just now.";
  }
}

function showMessage(by, topic, payload) {
  const time = new Date().toLocaleTimeString();
  $("#messages").prepend(row(time, by, topic, payload));
  while ($("#messages").rows.length > ROWS_MAX) {
    $("#messages").lastElementChild.remove();
  }
}

function showState({ providers, subscriptions }) {
  $("#providers").replaceChildren(
    ...providers.map(({ id, url, state }) => {
      const made = row(id, url, element("span", state, `state ${state}`),
        quiet("Remove", id, () => ask({ do: "remove", id })));
      made.dataset.id = id;
      return made;
    }),
  );
  $("#subscriptions").replaceChildren(
    ...subscriptions.map((filter) => {
      const made = element("li", "");
      made.dataset.filter = filter;
      made.append(element("code", filter),
        quiet("Unsubscribe", filter, () => ask({ do: "unsubscribe", filter })));
      return made;
    }),
  );
  const choice = $("select[name=by]");
  const chosen = choice.value;
  const names = ["this page", "all providers", ...providers.map(({ id }) => id)];
  const options = names.map((name, at) => new Option(name, at < 2 ? ["", "*"][at] : name));
  choice.replaceChildren(...options);
  choice.value = options.some(({ value }) => value === chosen) ? chosen : "";
  [...mqtt.filters]
    .filter((filter) => !filter.startsWith(OWN) && !subscriptions.includes(filter))
    .forEach((filter) => mqtt.unsubscribe(filter));
  subscriptions.forEach((filter) => mqtt.subscribe(filter));
}

function heard(topic, text) {
  if (!topic.startsWith(OWN)) {
    showMessage("this page", topic, text);
    return;
  }
  const said = JSON.parse(text);
  if (topic === `${OWN}state`) {
    showState(said);
  } else if (topic === `${OWN}message`) {
    showMessage(said.provider, said.topic, said.payload);
  } else if (topic === `${OWN}outcome` && [undefined, `${page}-${requests}`].includes(said.request)) {
    $("#outcome").textContent = said.error ?? "";
  }
}

function changed(state) {
  const shown = state[0].toUpperCase() + state.slice(1);
  $("#page-state").textContent = shown;
  $("#page-state").className = `state ${shown}`;
}

const mqtt = new Mqtt(broker, heard, changed);
["state", "message", "outcome"].forEach((topic) => mqtt.subscribe(OWN + topic));
$("#add [name=url]").value = broker;

// Calls `act` with the fields of a form that is sent.
const on = (form, act) =>
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    act(Object.fromEntries(new FormData(event.target)));
  });

on("#add", ({ id, url }) => ask({ do: "add", id, url }));
on("#subscribe", ({ filter }) => ask({ do: "subscribe", filter }));
on("#publish", ({ topic, payload, by }) => {
  if (by === "") {
    mqtt.publish(topic, payload);
  } else {
    ask({ do: "publish", topic, payload, by });
  }
});

"""Paho's client, driven line by line: commands in, events out, one JSON object each.

Commands on stdin:
  {"do": "connect", "version": 4|5, "transport": "tcp"|"websockets", "host", "port", "path",
   "client_id", "clean", "keep_alive_s", "user", "password", "properties",
   "will": {"topic", "payload_b64", "qos", "retain", "properties"}}
  {"do": "reconnect"}                      the last connection again, with the same client
  {"do": "subscribe", "filter", "qos", "no_local", "retain_as_published", "retain_handling",
   "properties"}
  {"do": "unsubscribe", "filter"}
  {"do": "publish", "topic", "payload_b64", "qos", "retain", "properties"}
  {"do": "disconnect", "code", "properties"}
  {"do": "abort"}                          drops the socket without DISCONNECT, so that a will fires
Events on stdout:
  {"event": "connected", "session_present", "reason", "properties"}
  {"event": "subscribed", "granted"}
  {"event": "unsubscribed"}
  {"event": "queued", "mid"}               the command was taken; published follows
  {"event": "published", "mid", "code"}    QoS 0: written; QoS 1 and 2: acknowledged
  {"event": "message", "topic", "payload_b64", "qos", "retain", "dup", "properties"}
  {"event": "disconnected", "reason"}
  {"event": "failed", "what"}              a command could not be carried out
"properties" are an object with the names of MQTT 5.0 in lower case with underscores; binary data is
base64, "user_property" an array of pairs. MQTT 3.1.1 has none, nor the options behind "qos".
The process ends with its stdin.
"""

import base64
import json
import os
import socket
import sys
import threading

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

# Below the limit of whoever waits for the answer, so that this side says what is wrong.
SETTLE_S = 10

BINARY = ["correlation_data", "authentication_data"]

lock = threading.Lock()


def emit(event, **fields):
    line = json.dumps({"event": event, **fields})
    with lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def told(properties):
    """What a packet's properties hold, ready for JSON."""
    fields = {}
    for name in properties.names if properties is not None else []:
        value = getattr(properties, name.replace(" ", ""), None)
        if value is not None:
            name = name.lower().replace(" ", "_")
            fields[name] = base64.b64encode(value).decode() if name in BINARY else value
    return fields


def made(packet_type, fields):
    """The properties of a packet to send, or none."""
    if not fields:
        return None
    properties = Properties(packet_type)
    names = {name.lower().replace(" ", "_"): name for name in properties.names}
    for name, value in fields.items():
        if name in BINARY:
            value = base64.b64decode(value)
        elif name == "user_property":
            value = [tuple(pair) for pair in value]
        setattr(properties, names[name], value)
    return properties


def on_connect(_client, _data, flags, reason, properties):
    emit(
        "connected",
        session_present=flags.session_present,
        reason=str(reason),
        properties=told(properties),
    )


def on_disconnect(_client, _data, _flags, reason, _properties):
    emit("disconnected", reason=str(reason))


def on_subscribe(_client, _data, _mid, reasons, _properties):
    emit("subscribed", granted=[reason.value for reason in reasons])


def on_unsubscribe(_client, _data, _mid, _reasons, _properties):
    emit("unsubscribed")


def on_publish(_client, _data, mid, reason, _properties):
    emit("published", mid=mid, code=reason.value)


def on_message(_client, _data, message: MQTTMessage):
    emit(
        "message",
        topic=message.topic,
        payload_b64=base64.b64encode(message.payload).decode(),
        qos=message.qos,
        retain=message.retain,
        dup=message.dup,
        properties=told(getattr(message, "properties", None)),
    )


class Peer:
    def __init__(self):
        self.client = None

    def connect(self, command):
        settle()
        is_v5 = command["version"] == 5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=command["client_id"],
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
            # MQTT 5 says it when it connects.
            clean_session=None if is_v5 else command["clean"],
            transport=command["transport"],
            # A lost connection is the test's to see, and to mend.
            reconnect_on_failure=False,
        )
        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        client.on_subscribe = on_subscribe
        client.on_unsubscribe = on_unsubscribe
        client.on_publish = on_publish
        client.on_message = on_message
        if command["transport"] == "websockets":
            client.ws_set_options(path=command["path"])
        if command.get("user") is not None:
            client.username_pw_set(command["user"], command.get("password"))
        if command.get("will") is not None:
            will = command["will"]
            payload = base64.b64decode(will["payload_b64"])
            properties = made(PacketTypes.WILLMESSAGE, will["properties"])
            client.will_set(will["topic"], payload, will["qos"], will["retain"], properties)
        self.client = client
        starting = {}
        if is_v5:
            starting["clean_start"] = command["clean"]
            starting["properties"] = made(PacketTypes.CONNECT, command["properties"])
        client.connect(command["host"], command["port"], command["keep_alive_s"], **starting)
        client.loop_start()

    def reconnect(self, _command):
        settle()
        self.client.reconnect()
        self.client.loop_start()

    def subscribe(self, command):
        if self.client.protocol != MQTTProtocolVersion.MQTTv5:
            check(self.client.subscribe(command["filter"], command["qos"])[0])
            return
        options = SubscribeOptions(
            command["qos"],
            command["no_local"],
            command["retain_as_published"],
            command["retain_handling"],
        )
        properties = made(PacketTypes.SUBSCRIBE, command["properties"])
        check(self.client.subscribe(command["filter"], options=options, properties=properties)[0])

    def unsubscribe(self, command):
        check(self.client.unsubscribe(command["filter"])[0])

    def publish(self, command):
        payload = base64.b64decode(command["payload_b64"])
        properties = made(PacketTypes.PUBLISH, command["properties"])
        topic, qos, retain = command["topic"], command["qos"], command["retain"]
        info = self.client.publish(topic, payload, qos, retain, properties)
        # Without a connection QoS 1 and 2 are queued all the same.
        if info.rc != MQTTErrorCode.MQTT_ERR_NO_CONN or qos == 0:
            check(info.rc)
        emit("queued", mid=info.mid)

    def disconnect(self, command):
        if not self.client.is_connected():
            raise RuntimeError("not connected")
        # Its code is no answer: the loop may have written and hung up before it looks.
        if self.client.protocol == MQTTProtocolVersion.MQTTv5:
            reason = ReasonCode(PacketTypes.DISCONNECT, identifier=command["code"])
            self.client.disconnect(reason, made(PacketTypes.DISCONNECT, command["properties"]))
        else:
            self.client.disconnect()

    def abort(self, _command):
        # A second handle on the same socket: the loop sees the end of the stream, Paho sends nothing.
        with socket.socket(fileno=os.dup(self.client.socket().fileno())) as handle:
            handle.shutdown(socket.SHUT_RDWR)


def settle():
    """Waits for the thread of the last connection, which still runs when `disconnected` is seen."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(SETTLE_S)
            if thread.is_alive():
                raise RuntimeError("the last connection is still up")


def check(code):
    if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
        raise RuntimeError(code.name)


def main():
    peer = Peer()
    commands = {
        "connect": peer.connect,
        "reconnect": peer.reconnect,
        "subscribe": peer.subscribe,
        "unsubscribe": peer.unsubscribe,
        "publish": peer.publish,
        "disconnect": peer.disconnect,
        "abort": peer.abort,
    }
    for line in sys.stdin:
        command = json.loads(line)
        try:
            commands[command["do"]](command)
        except Exception as error:
            emit("failed", what=f"{command['do']}: {type(error).__name__}: {error}")


main()

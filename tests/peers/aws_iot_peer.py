"""The AWS IoT device SDK for Python, driven line by line: commands in, events out, as JSON.

Commands on stdin:
  {"do": "connect", "version": 4|5, "port", "ca_file", "region", "client_id",
   "access_key_id", "secret_access_key", "session_token"}
  {"do": "subscribe", "topic"}             at QoS 1
  {"do": "publish", "topic", "text"}       at QoS 1
  {"do": "disconnect"}
Events on stdout, where each command ends with one of the first two:
  {"event": "done"}
  {"event": "failed", "what"}
  {"event": "message", "topic", "text"}
The endpoint is localhost. The process ends with its stdin.
"""

import json
import sys
import threading

from awscrt import auth, mqtt, mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder

# Below the limit of whoever waits for the answer, so that this side says what is wrong.
LIMIT_S = 20

lock = threading.Lock()


def emit(event, **fields):
    line = json.dumps({"event": event, **fields})
    with lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def provider(command):
    return auth.AwsCredentialsProvider.new_static(
        command["access_key_id"], command["secret_access_key"], command["session_token"]
    )


def shared(command):
    return {
        "region": command["region"],
        "credentials_provider": provider(command),
        "endpoint": "localhost",
        "port": command["port"],
        "ca_filepath": command["ca_file"],
        "client_id": command["client_id"],
    }


class Three:
    """The client of MQTT 3.1.1."""

    def __init__(self, command):
        make = mqtt_connection_builder.websockets_with_default_aws_signing
        self.connection = make(clean_session=True, keep_alive_secs=30, **shared(command))
        self.connection.connect().result(LIMIT_S)

    def subscribe(self, topic):
        def on_message(topic, payload, **_rest):
            emit("message", topic=topic, text=payload.decode())

        future, _ = self.connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE, on_message)
        future.result(LIMIT_S)

    def publish(self, topic, text):
        self.connection.publish(topic, text, mqtt.QoS.AT_LEAST_ONCE)[0].result(LIMIT_S)

    def disconnect(self):
        self.connection.disconnect().result(LIMIT_S)


class Five:
    """The client of MQTT 5."""

    def __init__(self, command):
        up, self.down = threading.Event(), threading.Event()
        self.failure = None

        def on_failure(data):
            self.failure = str(data.exception)
            up.set()

        def on_message(data):
            packet = data.publish_packet
            emit("message", topic=packet.topic, text=packet.payload.decode())

        self.client = mqtt5_client_builder.websockets_with_default_aws_signing(
            on_publish_received=on_message,
            on_lifecycle_connection_success=lambda _data: up.set(),
            on_lifecycle_connection_failure=on_failure,
            on_lifecycle_stopped=lambda _data: self.down.set(),
            **shared(command),
        )
        self.client.start()
        if not up.wait(LIMIT_S) or self.failure is not None:
            self.client.stop()
            raise RuntimeError(self.failure or "no connection")

    def subscribe(self, topic):
        one = mqtt5.Subscription(topic_filter=topic, qos=mqtt5.QoS.AT_LEAST_ONCE)
        packet = mqtt5.SubscribePacket(subscriptions=[one])
        self.client.subscribe(packet).result(LIMIT_S)

    def publish(self, topic, text):
        packet = mqtt5.PublishPacket(topic=topic, payload=text, qos=mqtt5.QoS.AT_LEAST_ONCE)
        self.client.publish(packet).result(LIMIT_S)

    def disconnect(self):
        self.client.stop()
        if not self.down.wait(LIMIT_S):
            raise RuntimeError("it does not stop")


def main():
    client = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "connect":
                client = (Three if command["version"] == 4 else Five)(command)
            elif command["do"] == "subscribe":
                client.subscribe(command["topic"])
            elif command["do"] == "publish":
                client.publish(command["topic"], command["text"])
            else:
                client.disconnect()
            emit("done")
        except Exception as error:
            emit("failed", what=f"{type(error).__name__}: {error}")


main()

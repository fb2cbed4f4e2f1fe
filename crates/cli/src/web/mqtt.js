// MQTT 3.1.1 over WebSocket, as much of it as the page needs: QoS 0, and one connection after another.
"use strict";

class Mqtt {
  static KEEP_ALIVE_S = 30;
  static RETRY_MS = 1000;

  // `heard` is called with topic and text of each message, `changed` with the state's name.
  constructor(url, heard, changed) {
    Object.assign(this, { url, heard, changed, filters: new Set(), packetId: 0 });
    this.connect();
  }

  connect() {
    this.changed("connecting");
    this.bytes = new Uint8Array();
    this.open = false;
    this.socket = new WebSocket(this.url, "mqtt");
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.sendConnect();
    this.socket.onmessage = ({ data }) => this.take(new Uint8Array(data));
    this.socket.onclose = () => this.lost();
  }

  lost() {
    clearInterval(this.pings);
    this.changed("disconnected");
    setTimeout(() => this.connect(), Mqtt.RETRY_MS);
  }

  subscribe(filter) {
    if (!this.filters.has(filter)) {
      this.filters.add(filter);
      this.sendSubscribe(filter);
    }
  }

  unsubscribe(filter) {
    if (this.filters.delete(filter)) {
      this.send(0xa2, this.nextId(), Mqtt.text(filter));
    }
  }

  publish(topic, text) {
    return this.send(0x30, Mqtt.text(topic), new TextEncoder().encode(text));
  }

  sendConnect() {
    const id = "page-" + Math.random().toString(36).slice(2, 12);
    const head = [0, 4, 77, 81, 84, 84, 4, 2, 0, Mqtt.KEEP_ALIVE_S];
    this.open = true;
    this.send(0x10, head, Mqtt.text(id));
    this.open = false;
  }

  sendSubscribe(filter) {
    this.send(0x82, this.nextId(), Mqtt.text(filter), [0]);
  }

  nextId() {
    this.packetId = (this.packetId % 0xffff) + 1;
    return [this.packetId >> 8, this.packetId & 0xff];
  }

  // One packet in one frame; whether there is a connection that takes it.
  send(first, ...parts) {
    if (!this.open || this.socket.readyState !== WebSocket.OPEN) {
      return false;
    }
    const body = parts.flatMap((part) => [...part]);
    const header = [first];
    let rest = body.length;
    do {
      header.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
      rest >>= 7;
    } while (rest > 0);
    this.socket.send(Uint8Array.from([...header, ...body]));
    return true;
  }

  // Frames end where they like: bytes wait until their packet is whole.
  take(bytes) {
    const all = new Uint8Array(this.bytes.length + bytes.length);
    all.set(this.bytes);
    all.set(bytes, this.bytes.length);
    let at = 0;
    for (;;) {
      const packet = Mqtt.packet(all, at);
      if (packet === undefined) {
        break;
      }
      this.handle(all[at], all.subarray(packet.body, packet.end));
      at = packet.end;
    }
    this.bytes = all.slice(at);
  }

  // Where the packet at `at` has its body and its end, once all of it is there.
  static packet(bytes, at) {
    let length = 0;
    for (let digit = 0; digit < 4 && at + 1 + digit < bytes.length; digit += 1) {
      const byte = bytes[at + 1 + digit];
      length += (byte & 0x7f) * 128 ** digit;
      if (byte < 0x80) {
        const body = at + 2 + digit;
        return body + length <= bytes.length ? { body, end: body + length } : undefined;
      }
    }
    return undefined;
  }

  handle(first, body) {
    if (first === 0x20 && body[1] === 0) {
      this.open = true;
      this.pings = setInterval(() => this.send(0xc0), (Mqtt.KEEP_ALIVE_S / 2) * 1000);
      this.filters.forEach((filter) => this.sendSubscribe(filter));
      this.changed("connected");
    } else if (first === 0x20) {
      this.socket.close();
    } else if (first >> 4 === 3) {
      const topic = 2 + ((body[0] << 8) | body[1]);
      const decoder = new TextDecoder();
      this.heard(decoder.decode(body.subarray(2, topic)), decoder.decode(body.subarray(topic)));
    }
  }

  // A string with its length in front.
  static text(text) {
    const bytes = new TextEncoder().encode(text);
    return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
  }
}

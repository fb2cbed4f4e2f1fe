//! Events of packets, made where they stay.

use super::{Connection, intake::Front};
use crate::{
    Connect, Error, Event, Head, Instant, Malformed, Message, ReasonCode, Session, mqtt,
    timers::Timers,
};
use dunlin_mqtt::{Aliases, Packet, PacketId, PacketType, Publish, Version};
use dunlin_octet::{Buffer, Inbox};

impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
    /// Makes an event of what is ready.
    #[inline]
    pub(super) fn surface<'t, S: Buffer, const N: usize>(
        &'t mut self,
        front: Front,
        session: &mut Session<S, N>,
        now: Instant,
    ) -> Result<Option<Event<'t>>, Error> {
        // Borrowed field by field: the event lies in the inbox, the rest may change beside it.
        let Self {
            inbox,
            transmit,
            surfaced,
            failed,
            ended_by_packet,
            aliases,
            timers,
            connect,
            ..
        } = self;
        *surfaced = front.len;
        let handled = match front.header.packet_type {
            PacketType::Publish => {
                on_message(connect.version.in_build(), front, inbox, aliases, session)
            }
            _ => on_other(connect, front, inbox, session, timers, now),
        };
        if let Err(error) = &handled {
            *ended_by_packet = true;
            *failed = Some(*error);
            transmit.queue_last(
                disconnect_reason(connect.version.in_build(), *error),
                error.close_code(),
            );
        }
        handled
    }
}

/// Hands over the message at the front of the inbox.
// Nothing here but the event is ever in memory: a message is large, and moving one costs more than
// decoding it.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn on_message<'t, B: Buffer, A: Buffer, S: Buffer, const N: usize>(
    version: Version,
    front: Front,
    inbox: &'t Inbox<B>,
    aliases: &'t mut Aliases<A>,
    session: &mut Session<S, N>,
) -> Result<Option<Event<'t>>, Error> {
    let publish = Publish::decode(version, front.header.flags, front.body(inbox))?;
    let Publish { message: Message { head, payload }, duplicate, packet_id } = publish;
    if version == Version::V3 || head.properties.is_empty() {
        return hand_over(publish, session);
    }
    // By its fields, for the same reason.
    let Head { topic, qos, retain, properties } = head;
    let head = Head { topic, qos, retain, properties };
    on_rich_message(head, payload, (duplicate, packet_id), aliases, session)
}

/// The same for a message with properties.
#[inline(never)]
fn on_rich_message<'t, A: Buffer, S: Buffer, const N: usize>(
    head: Head<'t>,
    payload: &'t [u8],
    (duplicate, packet_id): (bool, Option<PacketId>),
    aliases: &'t mut Aliases<A>,
    session: &mut Session<S, N>,
) -> Result<Option<Event<'t>>, Error> {
    let publish = Publish { message: Message { head, payload }, duplicate, packet_id };
    hand_over(resolve(aliases, publish)?, session)
}

#[cfg_attr(target_pointer_width = "64", inline(always))]
fn hand_over<'t, S: Buffer, const N: usize>(
    publish: Publish<'t>,
    session: &mut Session<S, N>,
) -> Result<Option<Event<'t>>, Error> {
    let delivery = session.handle_publish(&publish)?;
    Ok(delivery.event(publish.message, publish.duplicate))
}

/// Hands over any other packet at the front of the inbox.
#[inline(never)]
fn on_other<'t, B: Buffer, S: Buffer, const N: usize>(
    connect: &Connect<'_>,
    front: Front,
    inbox: &'t Inbox<B>,
    session: &mut Session<S, N>,
    timers: &mut Timers,
    now: Instant,
) -> Result<Option<Event<'t>>, Error> {
    let version = connect.version.in_build();
    let packet = match front.header.packet_type {
        // Whatever a client sends is refused by the session, however it is made.
        PacketType::Connect
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::Pingreq => Packet::Pingreq,
        _ => Packet::decode_from_server(version, front.header, front.body(inbox))?,
    };
    check(connect, &packet)?;
    let event = session.handle_packet(&packet)?;
    timers.handle_packet(front.header.packet_type, now);
    if version == Version::V5
        && let Some(keep_alive_s) = packet.properties().server_keep_alive_s()
    {
        timers.set_keep_alive(keep_alive_s);
    }
    Ok(event)
}

/// The message with its topic, which may be known by an alias only.
pub(super) fn resolve<'t, A: Buffer>(
    aliases: &'t mut Aliases<A>,
    publish: Publish<'t>,
) -> Result<Publish<'t>, Error> {
    if publish.message.head.properties.is_empty() {
        return Ok(publish);
    }
    let Message { head, payload } = publish.message;
    let topic = aliases.resolve(&publish)?;
    Ok(Publish { message: Message { head: Head { topic, ..head }, payload }, ..publish })
}

/// What a packet must be beside well-formed.
fn check(connect: &Connect<'_>, packet: &Packet<'_>) -> Result<(), Error> {
    if connect.version.in_build() == Version::V3 {
        return Ok(());
    }
    check_unasked(connect, packet)?;
    let properties = match packet {
        Packet::Connack(connack) if !connack.reason.is_error() => connack.properties,
        Packet::Auth(auth) if !auth.properties.is_empty() => auth.properties,
        _ => return Ok(()),
    };
    // [MQTT-4.12.0-5], [MQTT-4.12.0-6] The method of the CONNECT, or none.
    if properties.authentication_method() == connect.properties.authentication_method() {
        Ok(())
    } else {
        Err(mqtt::Misbehaved::Authentication.into())
    }
}

/// [MQTT-3.1.2-29] No reason strings and user properties that were not asked for.
pub(super) fn check_unasked(connect: &Connect<'_>, packet: &Packet<'_>) -> Result<(), Error> {
    if connect.version.in_build() == Version::V3 {
        return Ok(());
    }
    let free = matches!(packet, Packet::Publish(_) | Packet::Connack(_) | Packet::Disconnect(_));
    let properties = packet.properties();
    if free || properties.is_empty() {
        return Ok(());
    }
    let unasked = connect.properties.request_problem_information() == Some(false);
    let said =
        properties.reason_string().is_some() || properties.user_properties().next().is_some();
    if unasked && said { Err(mqtt::Misbehaved::ProblemInformation.into()) } else { Ok(()) }
}

/// Why to hang up, where MQTT can say it: the peer broke its rules (MQTT 5.0 §4.13).
pub(super) fn disconnect_reason(version: Version, error: Error) -> Option<ReasonCode> {
    let at_fault = matches!(error, Error::Malformed(Malformed::Packet(_)) | Error::Misbehaved(_));
    (at_fault && version == Version::V5).then(|| error.reason())
}

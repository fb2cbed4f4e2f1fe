//! AUTH in each phase (MQTT 5.0 §4.12).

use super::*;

const WITH_METHOD: &[Property<'_>] = &[METHOD, KEPT[0]];

/// AUTH with a method, and the data of a step.
const fn auth(reason: u8) -> [u8; 12] {
    [0xf0, 10, reason, 8, 0x15, 0, 1, b'm', 0x16, 0, 1, b'd']
}

const CONTINUE: [u8; 12] = auth(0x18);
const AGAIN: [u8; 12] = auth(0x19);
const DONE: [u8; 12] = auth(0);
const NOT_NOW: Result<(), SendError> = Err(SendError::NotNow);

fn step(five: &mut Five, reason: ReasonCode) -> Result<(), SendError> {
    let list = [METHOD, Property::AuthenticationData(b"d")];
    five.session.authenticate(reason, Properties::new(&list))
}

fn asked(five: &mut Five) {
    match five.give(&CONTINUE) {
        Ok(Some(Event::Authentication { reason, properties })) => {
            assert_eq!(reason, ReasonCode::CONTINUE_AUTHENTICATION);
            assert_eq!(properties.authentication_data(), Some(&b"d"[..]));
        }
        other => panic!("{other:?}"),
    }
}

/// Accepted after one step.
fn authenticated() -> Five {
    let mut five = Five::new(Config::new());
    five.ask(false, WITH_METHOD);
    asked(&mut five);
    step(&mut five, ReasonCode::CONTINUE_AUTHENTICATION).unwrap();
    five.publish(b"x", Qos::AtLeastOnce);
    assert_eq!(five.sent(), [CONTINUE], "nothing else goes out before CONNACK");
    five.answer(&accepted(false, &[])).unwrap();
    assert_eq!(five.sent().len(), 1);
    five
}

/// [MQTT-3.1.2-30]
#[test]
fn step_before_connack_goes_out_and_nothing_else_does() {
    authenticated();
}

#[test]
fn authentication_begins_anew_on_a_connection_that_stands_and_goes_ahead() {
    let mut five = authenticated();
    five.publish(b"y", Qos::AtMostOnce);
    step(&mut five, ReasonCode::RE_AUTHENTICATE).unwrap();
    assert_eq!(step(&mut five, ReasonCode::RE_AUTHENTICATE), NOT_NOW, "one at a time");
    let sent = five.sent();
    assert_eq!((sent.len(), &sent[0][..]), (2, &AGAIN[..]));
    asked(&mut five);
    assert_eq!(step(&mut five, ReasonCode::RE_AUTHENTICATE), NOT_NOW);
    step(&mut five, ReasonCode::CONTINUE_AUTHENTICATION).unwrap();
    assert_eq!(five.sent(), [CONTINUE]);
    match five.give(&DONE) {
        Ok(Some(Event::Authentication { reason, .. })) => assert_eq!(reason, ReasonCode::SUCCESS),
        other => panic!("{other:?}"),
    }
    step(&mut five, ReasonCode::RE_AUTHENTICATE).unwrap();
}

/// [MQTT-4.12.0-7]
#[test]
fn step_that_belongs_to_nothing_is_refused() {
    let steps = [ReasonCode::CONTINUE_AUTHENTICATION, ReasonCode::RE_AUTHENTICATE];
    for reason in steps {
        let mut five = Five::new(Config::new());
        assert_eq!(step(&mut five, reason), NOT_NOW, "before the first connection");
        five.ask(false, WITH_METHOD);
        assert_eq!(step(&mut five, reason), NOT_NOW, "the server has asked for nothing");
        let mut five = Five::open(&[]);
        assert_eq!(step(&mut five, reason), NOT_NOW, "CONNECT has no method");
        let mut five = authenticated();
        five.session.disconnect(ReasonCode::SUCCESS);
        five.sent();
        assert_eq!(step(&mut five, reason), NOT_NOW, "after the good-bye");
    }
    let mut five = authenticated();
    assert_eq!(step(&mut five, steps[0]), NOT_NOW, "nothing is under way");
    let success = step(&mut five, ReasonCode::SUCCESS);
    assert_eq!(success, NOT_NOW);
    step(&mut five, steps[1]).unwrap();
    five.sent();
    asked(&mut five);
    let success = step(&mut five, ReasonCode::SUCCESS);
    assert_eq!(success, Err(SendError::Properties(Malformed::Value)), "only the server is done");
    let nameless = five.session.authenticate(steps[0], Properties::NONE);
    assert_eq!(nameless, Err(SendError::Properties(Malformed::NoMethod)));
}

/// [MQTT-4.12.0-6] [MQTT-4.12.0-3]
#[test]
fn auth_of_the_server_out_of_turn_is_misbehaved() {
    let wrong = || Err(Misbehaved::Authentication.into());
    for packet in [CONTINUE, AGAIN, DONE] {
        let mut five = Five::new(Config::new());
        five.ask(false, KEPT);
        assert_eq!(five.give(&packet), wrong(), "CONNECT has no method");
        let mut five = Five::open(&[]);
        assert_eq!(five.give(&packet), wrong(), "nor does it afterwards");
        let mut five = authenticated();
        assert_eq!(five.give(&packet), wrong(), "the client begins");
        five.session.disconnect(ReasonCode::SUCCESS);
        five.sent();
        assert_eq!(five.give(&packet), wrong(), "after the good-bye");
    }
    for packet in [AGAIN, DONE] {
        let mut five = Five::new(Config::new());
        five.ask(false, WITH_METHOD);
        assert_eq!(five.give(&packet), wrong(), "only CONNACK says that it is done");
    }
    let mut five = Five::new(Config::new());
    five.ask(false, WITH_METHOD);
    asked(&mut five);
    assert_eq!(five.give(&CONTINUE), wrong(), "twice in a row");
    let mut five = authenticated();
    step(&mut five, ReasonCode::RE_AUTHENTICATE).unwrap();
    five.sent();
    assert_eq!(five.give(&AGAIN), wrong());
}

/// [MQTT-3.15.2-2] [MQTT-3.15.2-3]
#[test]
fn auth_that_would_be_too_large_is_refused() {
    let mut five = Five::new(Config::new());
    five.ask(false, WITH_METHOD);
    five.answer(&accepted(false, &[0x27, 0, 0, 0, 20])).unwrap();
    let long = "0123456789";
    for extra in [Property::ReasonString(long), Property::UserProperty((long, ""))] {
        let list = [METHOD, extra];
        let refused =
            five.session.authenticate(ReasonCode::RE_AUTHENTICATE, Properties::new(&list));
        assert_eq!(refused, Err(SendError::TooLarge));
        assert_eq!(five.sent(), NOTHING);
    }
    step(&mut five, ReasonCode::RE_AUTHENTICATE).unwrap();
    // Found here: the limit of an earlier connection held until CONNACK.
    five.ask(false, WITH_METHOD);
    asked(&mut five);
    let list = [METHOD, Property::AuthenticationData(b"0123456789")];
    let properties = Properties::new(&list);
    five.session.authenticate(ReasonCode::CONTINUE_AUTHENTICATION, properties).unwrap();
}

#[test]
fn step_that_finds_no_room_can_be_sent_later_and_dies_with_its_connection() {
    let mut five = Five::new(Config::new());
    five.ask(false, WITH_METHOD);
    let token = five.publish(&[0; 360], Qos::AtLeastOnce);
    asked(&mut five);
    let full = step(&mut five, ReasonCode::CONTINUE_AUTHENTICATION);
    assert_eq!(full, Err(SendError::OutboxFull));
    five.answer(&accepted(false, &[])).unwrap();
    five.sent();
    assert_eq!(five.give(&[0x40, 2, 0, 1]), done(token, ReasonCode::SUCCESS));
    step(&mut five, ReasonCode::RE_AUTHENTICATE).unwrap();
    five.resume(&[]);
    five.assert_idle();
}

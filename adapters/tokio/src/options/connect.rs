//! The CONNECT that options make.

use super::{Options, Persistence};
use crate::{
    authentication::{First, Make},
    message::user_properties,
};
use dunlin_drive::dunlin::{Connect, Head, Message, Properties, Property, Version};
use std::num::NonZeroU16;

/// What a CONNECT of MQTT 5.0 asks for beside what MQTT 3.1.1 has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wants {
    pub(super) session_expiry_s: Option<u32>,
    pub(super) receive_maximum: Option<NonZeroU16>,
    pub(super) problem_information: Option<bool>,
    pub(super) response_information: Option<bool>,
    pub(super) user_properties: Vec<(String, String)>,
    pub(crate) authenticator: Option<Make>,
}

/// The lists that a CONNECT lends its properties from.
#[derive(Debug)]
pub(crate) struct Lists<'a> {
    connect: Vec<Property<'a>>,
    will: Vec<Property<'a>>,
}

impl<'a> Lists<'a> {
    pub(crate) fn new(options: &'a Options, first: Option<&'a First>) -> Self {
        let wants = &options.wants;
        let for_ever = options.version == Version::V5 && options.persistence == Persistence::Kept;
        let expiry_s = wants.session_expiry_s.or(for_ever.then_some(u32::MAX));
        let own = [
            expiry_s.map(Property::SessionExpiryInterval),
            wants.receive_maximum.map(Property::ReceiveMaximum),
            wants.problem_information.map(Property::RequestProblemInformation),
            wants.response_information.map(Property::RequestResponseInformation),
        ];
        Self {
            connect: own
                .into_iter()
                .flatten()
                .chain(first.into_iter().flat_map(First::properties))
                .chain(user_properties(&wants.user_properties))
                .collect(),
            will: options.will.as_ref().map(crate::Will::list).unwrap_or_default(),
        }
    }

    /// The CONNECT; `resumes` says that the server has a session of this client's life.
    pub(crate) fn connect(
        &'a self,
        options: &'a Options,
        client_id: &'a str,
        resumes: bool,
    ) -> Connect<'a> {
        Connect {
            version: options.version,
            client_id,
            clean_session: options.persistence == Persistence::Clean && !resumes,
            keep_alive_s: options.keep_alive_s,
            user_name: options.user_name.as_deref(),
            password: options.password.as_ref().map(|password| password.as_slice()),
            will: options.will.as_ref().map(|will| Message {
                head: Head {
                    topic: &will.topic,
                    qos: will.qos,
                    retain: will.retain,
                    properties: Properties::new(&self.will),
                },
                payload: &will.payload,
            }),
            properties: Properties::new(&self.connect),
        }
    }
}

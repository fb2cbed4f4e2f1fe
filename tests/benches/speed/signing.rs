//! A signed request target.

use crate::group::{Group, OURS};
use dunlin_octet::{Text, Writer};
use dunlin_sigv4::{Credentials, Presign, UnixTime, presign};
use std::hint::black_box;

const HOST: &str = "a1b2c3d4e5f6g7-ats.iot.eu-central-1.amazonaws.com";

pub(crate) fn groups() -> Vec<Group> {
    let token: &'static str = "IQoJb3JpZ2luX2VjEJr/".repeat(40).leak();
    vec![signing("sigv4: presign", None), signing("sigv4: presign, token of 800 B", Some(token))]
}

fn signing(title: &str, session_token: Option<&'static str>) -> Group {
    let mut memory = vec![0; 4096];
    let mut at = 1_704_164_645;
    Group::new(title)
        .case(OURS, move || {
            at += 1;
            let credentials = Credentials {
                access_key_id: "AKIDEXAMPLE",
                secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                session_token,
            };
            let at = UnixTime::from_secs(at);
            let request = Presign::iot(credentials, "eu-central-1", HOST, at);
            let target = presign(black_box(&request)).unwrap();
            let mut out = Writer::new(&mut memory);
            target.write(&mut out);
            black_box(out.written());
        })
        .counted()
}

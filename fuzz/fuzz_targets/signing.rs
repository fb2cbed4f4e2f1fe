#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dunlin_sigv4::fuzzing::request(data));

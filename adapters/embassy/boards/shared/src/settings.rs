//! What the environment of the build says.

/// The host of AWS IoT Core, `DUNLIN_ENDPOINT`.
pub(crate) const ENDPOINT: &str = match option_env!("DUNLIN_ENDPOINT") {
    Some(endpoint) => endpoint,
    None => "example-ats.iot.eu-central-1.amazonaws.com",
};

/// The identity pool whose guests the boards are, `DUNLIN_POOL`.
pub(crate) const POOL: &str = match option_env!("DUNLIN_POOL") {
    Some(pool) => pool,
    None => "eu-central-1:00000000-0000-0000-0000-000000000000",
};

/// The identity of this board in that pool, `DUNLIN_IDENTITY`; without one, each start makes another.
pub(crate) const IDENTITY: Option<&str> = option_env!("DUNLIN_IDENTITY");

/// The client identifier, and the first level of all topics, `DUNLIN_THING`.
pub(crate) const THING: &str = match option_env!("DUNLIN_THING") {
    Some(thing) => thing,
    None => "board",
};

/// Who is asked for the time, `DUNLIN_TIME`.
pub(crate) const TIME_SERVER: &str = match option_env!("DUNLIN_TIME") {
    Some(server) => server,
    None => "time.aws.com",
};

/// The name of the Wi-Fi network, `DUNLIN_SSID`, for boards that have no cable.
pub const SSID: &str = match option_env!("DUNLIN_SSID") {
    Some(ssid) => ssid,
    None => "",
};

/// The passphrase of that network, `DUNLIN_PASSPHRASE`.
pub const PASSPHRASE: &str = match option_env!("DUNLIN_PASSPHRASE") {
    Some(passphrase) => passphrase,
    None => "",
};

/// The one root that is trusted: the file at `DUNLIN_ROOT`, a certificate of P-256 or P-384 in DER.
pub(crate) const ROOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/root.der"));

//! Credentials of a guest, from Amazon Cognito.

use dunlin_aws::{
    Answer, Expiring, Reply, ServiceHost, UnixTime,
    cognito::{GetCredentials, GetId, SERVICE, region_of},
};
use dunlin_embassy::{
    Connector, Talk, Unavailable,
    dunlin::octet::{Inbox, Text, Window},
};
use embedded_io_async::{Read, Write};
use heapless::String;
use zeroize::Zeroize;

/// Longest request, in bytes: a head of some 250, and a name or two.
const REQUEST_MAX: usize = 512;
/// Longest answer that is understood, in bytes: a session token is by far the longest part of it.
pub const ANSWER_MAX: usize = 4096;
/// Longest access key, its secret and its session token together, in bytes.
pub const CREDENTIALS_MAX: usize = 2048;
/// Longest name of an identity, in bytes (`IdentityId`, Amazon Cognito Federated Identities API
/// Reference).
pub const IDENTITY_MAX: usize = 55;
/// Longest name of a host of the service, in bytes: regions have at most 20.
const HOST_MAX: usize = 64;

/// The name of an identity.
pub type Identity = String<IDENTITY_MAX>;
/// Credentials that are kept as long as they are good.
pub type Kept = Expiring<[u8; CREDENTIALS_MAX]>;

/// The host that serves a pool.
pub fn host_of(pool: &str) -> Option<String<HOST_MAX>> {
    let mut memory = [0; HOST_MAX];
    let mut window = Window::new(&mut memory, 0);
    ServiceHost { service: SERVICE, region: region_of(pool)? }.write(&mut window);
    let (len, whole) = (window.filled(), !window.overflowed());
    let name = core::str::from_utf8(memory.get(..len)?).ok()?;
    whole.then(|| String::try_from(name).ok()).flatten()
}

/// A new guest of `pool`, from `host`, to which `door` leads.
pub async fn fetch_identity(
    host: &str,
    pool: &str,
    door: &mut impl Connector,
    memory: &mut [u8],
) -> Result<Identity, Unavailable> {
    let request = GetId::new(host, pool).map_err(|_| Unavailable)?;
    let mut inbox = Inbox::new(memory);
    call(request, door, &mut inbox).await?;
    let answer = Answer::parse(inbox.stream()).ok_or(Unavailable)?;
    let name = GetId::read(&answer).map_err(|_| Unavailable)?;
    name.plain().and_then(|name| Identity::try_from(name).ok()).ok_or(Unavailable)
}

/// Credentials of `identity`, got at `now`.
pub async fn fetch_credentials(
    host: &str,
    identity: &str,
    now: UnixTime,
    door: &mut impl Connector,
    memory: &mut [u8],
) -> Result<Kept, Unavailable> {
    let request = GetCredentials::new(host, identity).map_err(|_| Unavailable)?;
    let mut inbox = Inbox::new(&mut *memory);
    let called = call(request, door, &mut inbox).await;
    let kept = Answer::parse(inbox.stream()).and_then(|answer| {
        let issued = GetCredentials::read(&answer).ok()?;
        issued.keep([0; CREDENTIALS_MAX], now)
    });
    memory.zeroize();
    called.and(kept.ok_or(Unavailable))
}

/// One exchange over a connection of its own, so that its answer is in `inbox`.
async fn call(
    request: impl Text,
    door: &mut impl Connector,
    inbox: &mut Inbox<&mut [u8]>,
) -> Result<(), Unavailable> {
    door.carry(Call { request, inbox }).await.map_err(|_| Unavailable)?
}

struct Call<'c, 'm, R> {
    request: R,
    inbox: &'c mut Inbox<&'m mut [u8]>,
}

impl<R: Text> Talk for Call<'_, '_, R> {
    type Output = Result<(), Unavailable>;

    async fn talk<I: Read, O: Write<Error = I::Error>>(
        self,
        reader: &mut I,
        writer: &mut O,
    ) -> Self::Output {
        let Self { request, inbox } = self;
        send(&request, writer).await?;
        let mut reply = Reply::new();
        // Ends with the answer, or when the inbox is full.
        while reply.poll(inbox).map_err(|_| Unavailable)?.is_none() {
            let len = reader.read(inbox.spare()).await.map_err(|_| Unavailable)?;
            if len == 0 {
                return reply.handle_eof(inbox).map(drop).map_err(|_| Unavailable);
            }
            inbox.commit(len);
        }
        Ok(())
    }
}

async fn send<O: Write>(request: &impl Text, writer: &mut O) -> Result<(), Unavailable> {
    let mut memory = [0; REQUEST_MAX];
    let mut window = Window::new(&mut memory, 0);
    request.write(&mut window);
    if window.overflowed() {
        return Err(Unavailable);
    }
    let len = window.filled();
    let request = memory.get(..len).ok_or(Unavailable)?;
    writer.write_all(request).await.map_err(|_| Unavailable)?;
    writer.flush().await.map_err(|_| Unavailable)
}

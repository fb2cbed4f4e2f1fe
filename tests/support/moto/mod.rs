//! moto's server as a child process: Cognito's identities and the control plane of AWS IoT.
//!
//! It gives the same key to every identity; what stands before it here makes each key another one, and
//! remembers whose it is, so that a gateway can tell identities apart and know when a key expires. Nor
//! does it look at signatures: that is done here as well.

mod front;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::aws_iot::{Document, Key};
use crate::peer::python_with;

/// How long a start may take before the test fails; a loaded machine needs several seconds.
pub const START_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a server that is not ready yet.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How often a start is tried with another port when somebody took the first one.
const PORT_TRIES: usize = 4;

/// A running server; it dies with this value.
#[derive(Debug)]
pub struct Moto {
    registry: Registry,
    front: SocketAddr,
    region: String,
    listener: AbortHandle,
    _child: Child,
}

/// A key that was given to an identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Issued {
    /// The key, whose token expires with it.
    pub key: Key,
    /// Whose it is.
    pub identity: String,
    /// When it ends, in seconds since 1970.
    pub expires_s: f64,
}

/// Who may change policies.
pub fn administrator() -> Key {
    Key {
        access_key_id: "AKIDADMIN".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
    }
}

/// What a gateway asks moto for: keys, and the policies of their identities.
#[derive(Clone, Debug)]
pub struct Registry {
    server: SocketAddr,
    region: String,
    issued: Arc<Mutex<Vec<Issued>>>,
}

impl Moto {
    /// Starts a server on a free port, and returns when it answers.
    ///
    /// Panics when moto is not installed or does not start.
    pub async fn start(region: &str) -> Self {
        for _ in 0..PORT_TRIES {
            if let Some((server, child)) = launch().await {
                let issued = Arc::default();
                let registry = Registry { server, region: region.to_owned(), issued };
                let (front, listener) = front::start(registry.clone()).await;
                let region = region.to_owned();
                return Self { registry, front, region, listener, _child: child };
            }
        }
        panic!("moto found its ports taken {PORT_TRIES} times");
    }

    /// Where all of its services are, in the clear; requests to AWS IoT must be signed, by
    /// [`administrator`] or with a key of the gateway's.
    pub fn url(&self) -> String {
        format!("http://{}", self.front)
    }

    /// The port of [`Moto::url`].
    pub const fn port(&self) -> u16 {
        self.front.port()
    }

    /// What a gateway asks it for.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Makes an identity pool that lets guests in, and returns its identifier.
    pub async fn pool(&self, name: &str) -> String {
        let body = json!({"IdentityPoolName": name, "AllowUnauthenticatedIdentities": true});
        let answer = self.cognito("CreateIdentityPool", &body).await;
        answer["IdentityPoolId"].as_str().expect("a pool").to_owned()
    }

    /// Makes an identity in a pool.
    pub async fn identity(&self, pool: &str) -> String {
        let answer = self.cognito("GetId", &json!({"IdentityPoolId": pool})).await;
        answer["IdentityId"].as_str().expect("an identity").to_owned()
    }

    /// A key for an identity, for a minute and a half.
    pub async fn key(&self, identity: &str) -> Key {
        let body = json!({"IdentityId": identity});
        let answer = self.cognito("GetCredentialsForIdentity", &body).await;
        let text = |name: &str| answer["Credentials"][name].as_str().expect("a key").to_owned();
        Key {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretKey"),
            session_token: Some(text("SessionToken")),
        }
    }

    /// Makes a policy of AWS IoT.
    pub async fn policy(&self, name: &str, document: &str) {
        let body = json!({"policyDocument": document}).to_string();
        self.registry.iot("POST", &format!("/policies/{name}"), &body).await;
    }

    /// Attaches a policy to an identity.
    pub async fn attach(&self, policy: &str, identity: &str) {
        let body = json!({"target": identity}).to_string();
        self.registry.iot("PUT", &format!("/target-policies/{policy}"), &body).await;
    }

    async fn cognito(&self, operation: &str, body: &Value) -> Value {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: cognito-identity.{}.amazonaws.com\r\n\
             Content-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: AWSCognitoIdentityService.{operation}\r\n",
            self.region
        );
        front::ask(self.front, &request, &body.to_string()).await
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Registry {
    /// Every key that was given out so far.
    pub fn issued(&self) -> Vec<Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The documents of the policies that are attached to an identity.
    pub async fn policies(&self, identity: &str) -> Vec<Document> {
        let target = format!("/attached-policies/{}", identity.replace(':', "%3A"));
        let attached = self.iot("POST", &target, "").await;
        let mut documents = Vec::new();
        for policy in attached["policies"].as_array().expect("a list") {
            let name = policy["policyName"].as_str().expect("a name");
            let policy = self.iot("GET", &format!("/policies/{name}"), "").await;
            documents.push(Document::new(policy["policyDocument"].as_str().expect("a document")));
        }
        documents
    }

    fn add(&self, issued: Issued) {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).push(issued);
    }

    async fn iot(&self, method: &str, target: &str, body: &str) -> Value {
        // moto looks for the service here, and does not check the rest.
        let scope = format!("mock/20240102/{}/iot/aws4_request", self.region);
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: iot.{}.amazonaws.com\r\n\
             Content-Type: application/json\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n",
            self.region
        );
        front::ask(self.server, &request, body).await
    }
}

/// One attempt; nothing when somebody has the port.
async fn launch() -> Option<(SocketAddr, Child)> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut child = Command::new(python_with("moto"))
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
        .arg(address.port().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("python can be executed");
    let deadline = Instant::now() + START_LIMIT;
    while TcpStream::connect(address).await.is_err() {
        if child.try_wait().expect("our child").is_some() {
            return None;
        }
        assert!(Instant::now() < deadline, "moto does not answer for {START_LIMIT:?}");
        sleep(POLL_INTERVAL).await;
    }
    Some((address, child))
}

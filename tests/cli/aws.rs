//! `dunlin policy`, `identity`, `attach-policy`, and `sub` and `pub` as a guest: moto as Cognito and as
//! the control plane, the local AWS IoT Core as the endpoint.

use serde_json::Value;
use support::aws_iot::{Access, AwsIot, Key, Quirks};
use support::mosquitto::Mosquitto;
use support::moto::{Issued, Moto, administrator};
use support::process::{Command, Output, dunlin};

use super::{SECRET, assert_failed, mosquitto, published};

const REGION: &str = "us-east-1";

/// moto with a pool, and a gateway that lets in whoever has a policy.
struct Cloud {
    moto: Moto,
    pool: String,
    gateway: AwsIot,
    broker: Mosquitto,
}

impl Cloud {
    async fn start() -> Self {
        let moto = Moto::start(REGION).await;
        let pool = moto.pool("guests").await;
        let broker = mosquitto().await;
        let access = Access::Attached(moto.registry());
        let quirks = Quirks { access, issuer: Some(moto.registry()), ..Quirks::default() };
        let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
        Self { moto, pool, gateway, broker }
    }

    /// `dunlin identity`.
    async fn identity(&self, pool: &str) -> Output {
        let args = ["identity", "--pool", pool, "--endpoint-url", &self.moto.url()];
        dunlin().await.args(args).run().await
    }

    /// `dunlin attach-policy`.
    async fn attach(&self, policy: &str, identity: &str, key: &Key) -> Output {
        let args = ["attach-policy", "--policy", policy, "--target", identity];
        let command = dunlin().await.args(args).args(["--endpoint-url", &self.moto.url()]);
        command
            .env("AWS_ACCESS_KEY_ID", &key.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret_access_key)
            .run()
            .await
    }

    /// `dunlin pub` or `sub` at the gateway, as an identity of the pool.
    async fn guest(&self, command: &str, identity: &str, args: &[&str]) -> Command {
        let url = format!("wss://localhost:{}/mqtt", self.gateway.port());
        let ca = self.gateway.ca_file().to_str().unwrap();
        let guest = ["--aws-pool", &self.pool, "--aws-identity", identity];
        let command = dunlin().await.args([command, "--url", &url, "--ca", ca]).args(guest);
        command.args(["--aws-endpoint-url", &self.moto.url()]).args(args)
    }

    fn issued(&self) -> Vec<Issued> {
        self.moto.registry().issued()
    }

    /// Nothing of any key but its name was printed.
    #[track_caller]
    fn assert_no_secret(&self, outputs: &[&Output]) {
        let issued = self.issued().into_iter().map(|issued| issued.key);
        for key in issued.chain([administrator()]) {
            // The administrator's is a word that also stands in advice.
            let secret = Some(key.secret_access_key).filter(|secret| secret != "secret");
            for secret in [secret, key.session_token].into_iter().flatten() {
                for output in outputs {
                    let shown = format!("{output:?}");
                    assert!(
                        !shown.contains(secret.get(..12).unwrap_or(&secret)),
                        "{secret} in {shown}"
                    );
                }
            }
        }
    }
}

/// All that the README has a guest do, from the document to the first message.
#[tokio::test]
async fn guest_gets_a_policy_and_then_messages_by_four_commands() {
    let cloud = Cloud::start().await;
    let args = ["policy", "--region", REGION, "--account", "123456789012", "--topic", "rooms/1"];
    let document = dunlin().await.args(args).run().await.text();
    cloud.moto.policy("Guests", &document).await;

    let named = cloud.identity(&cloud.pool).await;
    let text = named.text();
    let [identity, until] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(identity.starts_with("us-east-1:") && identity != cloud.pool, "{text}");
    assert!(until.len() == 20 && until.starts_with("20") && until.ends_with('Z'), "{text}");
    assert_eq!(cloud.issued()[0].identity, identity);

    let topic = ["-t", "rooms/1", "-q", "1"];
    let early = [&topic[..], &["-m", "cold"]].concat();
    let early = cloud.guest("pub", identity, &early).await.run().await;
    assert_failed(&early, 4, "iot:Connect");

    let wrong = Key { secret_access_key: SECRET.to_owned(), ..administrator() };
    let wrong = cloud.attach("Guests", identity, &wrong).await;
    assert_failed(&wrong, 4, "check the credentials");
    let nobodys = cloud.attach("Nobodys", identity, &administrator()).await;
    assert_failed(&nobodys, 4, "check the name and the region");
    // A second time changes nothing.
    for _ in 0..2 {
        let attached = cloud.attach("Guests", identity, &administrator()).await;
        assert_eq!((attached.text().as_str(), attached.stderr.as_str()), ("", ""));
    }

    let warm = [&topic[..], &["-m", "warm"]].concat();
    let warm = cloud.guest("pub", identity, &warm).await.run().await;
    assert_eq!((warm.text().as_str(), warm.stderr.as_str()), ("", ""));
    // What the broker has kept comes at once.
    published(&cloud.broker.ws_url(), &[&topic[..], &["-m", "hot", "-r"]].concat()).await;
    let seen = [&topic[..], &["-v", "-C", "1"]].concat();
    let seen = cloud.guest("sub", identity, &seen).await.run().await;
    assert_eq!((seen.text().as_str(), seen.stderr.as_str()), ("rooms/1 hot\n", ""));
    assert!(cloud.issued().iter().all(|issued| issued.identity == identity));
    cloud.assert_no_secret(&[&named, &early, &wrong, &nobodys, &warm, &seen]);
}

#[tokio::test]
async fn identity_without_a_pool_or_a_service_says_what_to_do() {
    let cloud = Cloud::start().await;
    assert_failed(&cloud.identity("no-pool").await, 2, "no identity pool");
    let unknown = cloud.identity("us-east-1:00000000-0000-0000-0000-000000000000").await;
    cloud.assert_no_secret(&[&unknown]);
    let nowhere = ["identity", "--pool", &cloud.pool, "--endpoint-url", "http://127.0.0.1:1"];
    assert_failed(&dunlin().await.args(nowhere).run().await, 3, "refused the connection");
    let silent = ["attach-policy", "--policy", "Guests", "--target", "us-east-1:x"];
    assert_failed(&dunlin().await.args(silent).run().await, 6, "AWS_ACCESS_KEY_ID");
    assert!(cloud.issued().is_empty());
}

/// For any client and for one, of several topics.
#[tokio::test]
async fn policy_is_a_document_in_json() {
    let args = ["policy", "--region", "cn-north-1", "--account", "123456789012"];
    let topics = ["--topic", "a/+/b", "--topic", "quo\"te\\/#"];
    for (client, resource) in [(&[][..], "*"), (&["--client-id", "lamp"], "lamp")] {
        let command = dunlin().await.args(args).args(topics).args(client);
        let document: Value = serde_json::from_str(&command.run().await.text()).unwrap();
        let resources = |nth: usize| {
            let resources = document["Statement"][nth]["Resource"].as_array().unwrap();
            let own = |resource: &Value| {
                let resource = resource.as_str().unwrap();
                resource.strip_prefix("arn:aws-cn:iot:cn-north-1:123456789012:").unwrap().to_owned()
            };
            resources.iter().map(own).collect::<Vec<_>>()
        };
        assert_eq!(document["Version"], "2012-10-17");
        assert_eq!(resources(0), [format!("client/{resource}")]);
        assert_eq!(resources(1), ["topic/a/*/b", "topic/quo\"te\\/*"]);
        assert_eq!(resources(2), ["topicfilter/a/+/b", "topicfilter/quo\"te\\/#"]);
        let statements = document["Statement"].as_array().unwrap();
        assert!(statements.iter().all(|statement| statement["Effect"] == "Allow"), "{document}");
    }
}

//! How the way to the broker is found: proxies, and what the system does with TCP.

use super::Options;
use crate::proxy::{InvalidProxy, Proxies, Proxy};
use crate::tcp::TcpOptions;
use core::time::Duration;

/// How the way to a broker is found; each method takes the value and gives it back changed.
///
/// [`Options`] has the same methods; this is for [`transport::connect`](crate::transport::connect).
/// The default is without a proxy, whatever the environment says, with TCP_NODELAY on and without
/// TCP keepalive.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub(crate) proxies: Proxies,
    pub(crate) tcp: TcpOptions,
}

impl Network {
    /// Goes through `proxy`, whatever the host.
    #[must_use]
    pub fn proxy(self, proxy: Proxy) -> Self {
        Self { proxies: Proxies::always(proxy), ..self }
    }

    /// Goes through the proxy that the environment names, read now.
    ///
    /// `HTTPS_PROXY` is for wss and mqtts, `ALL_PROXY` for all that has none of its own. `NO_PROXY`
    /// holds the hosts that need none, separated by commas: `example.com` stands for its subdomains
    /// as well, `*` for every host; a port may follow. The lower-case name of a variable wins, and
    /// an empty variable is none.
    pub fn proxy_from_env(self) -> Result<Self, InvalidProxy> {
        let proxies = Proxies::from_lookup(|name| std::env::var_os(name))?;
        Ok(Self { proxies, ..self })
    }

    /// Lets the system gather small packets before it sends them (RFC 9293 §3.7.4).
    ///
    /// It saves segments where nobody waits for an answer, and delays everything else.
    #[must_use]
    pub fn without_tcp_nodelay(mut self) -> Self {
        self.tcp.nodelay = false;
        self
    }

    /// Gives up when one stage of connecting takes longer: the resolver's answer, TCP, a proxy, TLS.
    ///
    /// Beside the deadline of them all, which a slow stage would use up.
    #[must_use]
    pub fn stage_timeout(mut self, timeout: Duration) -> Self {
        self.tcp.stage = Some(timeout);
        self
    }

    /// Has the system ask after so long a silence whether the peer is alive (RFC 1122 §4.2.3.6).
    ///
    /// At least a second. MQTT has a keep alive of its own, which notices a dead peer sooner: this
    /// keeps NAT and firewalls open where that one is off or slow.
    #[must_use]
    pub fn tcp_keepalive(mut self, idle: Duration) -> Self {
        self.tcp.keepalive = Some(idle);
        self
    }
}

impl Options {
    /// Goes through `proxy`, whatever the host.
    #[must_use]
    pub fn proxy(self, proxy: Proxy) -> Self {
        Self { network: self.network.proxy(proxy), ..self }
    }

    /// Goes through the proxy that the environment names, read now: see
    /// [`Network::proxy_from_env`].
    pub fn proxy_from_env(self) -> Result<Self, InvalidProxy> {
        Ok(Self { network: self.network.proxy_from_env()?, ..self })
    }

    /// Lets the system gather small packets before it sends them (RFC 9293 §3.7.4).
    #[must_use]
    pub fn without_tcp_nodelay(self) -> Self {
        Self { network: self.network.without_tcp_nodelay(), ..self }
    }

    /// Has the system ask after so long a silence whether the peer is alive: see
    /// [`Network::tcp_keepalive`].
    #[must_use]
    pub fn tcp_keepalive(self, idle: Duration) -> Self {
        Self { network: self.network.tcp_keepalive(idle), ..self }
    }

    /// How long each stage of connecting may take: the resolver's answer, TCP, a proxy, TLS, the upgrade
    /// and CONNACK; all together have [`Self::connect_timeout`], and each as long unless told otherwise.
    #[must_use]
    pub fn stage_timeout(self, timeout: Duration) -> Self {
        Self { network: self.network.stage_timeout(timeout), ..self }
    }
}

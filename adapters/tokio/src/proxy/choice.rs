//! Which proxy a URL takes: one for all, or as the environment says.

use core::net::IpAddr;
use std::ffi::OsString;

use super::{InvalidProxy, Proxy};
use crate::url::{Url, UrlError};

/// The proxies that there are, and the hosts that need none; by default there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    /// For TLS.
    https: Option<Proxy>,
    /// For all that has none of its own.
    all: Option<Proxy>,
    exempt: Vec<Exempt>,
}

impl Proxies {
    pub(crate) fn always(proxy: Proxy) -> Self {
        Self { all: Some(proxy), ..Self::default() }
    }

    /// As variables say that are looked up by `lookup`.
    pub(crate) fn from_lookup(
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, InvalidProxy> {
        // Nobody sets a variable to bytes that are no text and means to go without a proxy.
        let text = |value: OsString| {
            value.into_string().map_err(|_| InvalidProxy::Url(UrlError::Character { at: 0 }))
        };
        let variable = |lower: &str| {
            let upper = lower.to_ascii_uppercase();
            let found = lookup(lower).filter(|value| !value.is_empty()).or_else(|| lookup(&upper));
            found.filter(|value| !value.is_empty()).map(text).transpose()
        };
        let proxy = |name| variable(name)?.map(|value| value.parse()).transpose();
        let exempt = variable("no_proxy")?.unwrap_or_default();
        let exempt = exempt.split([',', ' ']).filter(|entry| !entry.is_empty());
        Ok(Self {
            https: proxy("https_proxy")?,
            all: proxy("all_proxy")?,
            exempt: exempt.map(Exempt::new).collect(),
        })
    }

    /// The proxy on the way to the host of `url`, if there is one.
    pub(crate) fn of(&self, url: &Url) -> Option<&Proxy> {
        if self.exempt.iter().any(|exempt| exempt.matches(url.host(), url.port())) {
            return None;
        }
        let own = if url.scheme().is_tls() { self.https.as_ref() } else { None };
        own.or(self.all.as_ref())
    }
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug)]
struct Exempt {
    /// In lower case, without dot, star and brackets in front; empty is every host.
    host: String,
    port: Option<u16>,
}

impl Exempt {
    fn new(entry: &str) -> Self {
        let entry = entry.to_ascii_lowercase();
        let (host, port) = match entry.rsplit_once(':') {
            // The colons of an IPv6 address without brackets lead to no port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                match port.parse() {
                    Ok(port) => (host, Some(port)),
                    Err(_) => (entry.as_str(), None),
                }
            }
            _ => (entry.as_str(), None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = host.strip_prefix('*').unwrap_or(host);
        let host = host.strip_prefix('.').unwrap_or(host);
        Self { host: host.into(), port }
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        match (host.parse::<IpAddr>(), self.host.parse::<IpAddr>()) {
            (Ok(host), Ok(own)) => host == own,
            // An address has no subdomains.
            (Ok(_), Err(_)) => self.host.is_empty(),
            _ => {
                let host = host.strip_suffix('.').unwrap_or(host);
                match host.strip_suffix(self.host.as_str()) {
                    Some(front) => front.is_empty() || front.ends_with('.') || self.host.is_empty(),
                    None => false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, InvalidProxy> {
        Proxies::from_lookup(|name| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    fn chosen(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = proxies(variables).unwrap();
        proxies.of(&url.parse().unwrap()).map(Proxy::to_string)
    }

    #[test]
    fn scheme_decides_which_variable_counts() {
        let both = [("HTTPS_PROXY", "http://s"), ("ALL_PROXY", "socks5://a")];
        for (url, wanted) in [
            ("wss://b", "http://s:80"),
            ("mqtts://b", "http://s:80"),
            ("ws://b", "socks5://a:1080"),
            ("mqtt://b", "socks5://a:1080"),
        ] {
            assert_eq!(chosen(&both, url).as_deref(), Some(wanted), "{url}");
        }
        assert_eq!(chosen(&both[1..], "wss://b").as_deref(), Some("socks5://a:1080"));
        assert_eq!(chosen(&both[..1], "mqtt://b"), None);
        assert_eq!(chosen(&[], "wss://b"), None);
    }

    #[test]
    fn lower_case_wins_unless_it_is_empty() {
        let both = [("all_proxy", "low"), ("ALL_PROXY", "up")];
        assert_eq!(chosen(&both, "ws://b").as_deref(), Some("http://low:80"));
        let both = [("all_proxy", ""), ("ALL_PROXY", "up")];
        assert_eq!(chosen(&both, "ws://b").as_deref(), Some("http://up:80"));
        assert_eq!(chosen(&[("all_proxy", ""), ("ALL_PROXY", "")], "ws://b"), None);
    }

    #[test]
    fn variable_that_is_no_proxy_is_refused() {
        assert_eq!(proxies(&[("ALL_PROXY", "https://h")]).unwrap_err(), InvalidProxy::Scheme);
    }

    #[test]
    fn hosts_without_a_proxy_go_straight() {
        for (list, url, straight) in [
            ("*", "ws://anything", true),
            ("*", "ws://10.0.0.1", true),
            ("example.com", "ws://example.com", true),
            ("example.com", "ws://a.b.EXAMPLE.com", true),
            ("example.com", "ws://notexample.com", false),
            ("example.com", "ws://example.com.evil", false),
            (".example.com", "ws://a.example.com", true),
            ("*.example.com", "ws://a.example.com", true),
            ("Example.COM", "ws://example.com", true),
            ("a, example.com ,b", "ws://example.com", true),
            ("example.com:80", "ws://example.com", true),
            ("example.com:81", "ws://example.com", false),
            ("10.0.0.1", "ws://10.0.0.1", true),
            ("0.0.1", "ws://10.0.0.1", false),
            ("::1", "ws://[::1]", true),
            ("[::1]:80", "ws://[::1]", true),
            ("[::1]:81", "ws://[::1]", false),
            ("::1", "ws://[::2]", false),
            ("", "ws://example.com", false),
        ] {
            let chosen = chosen(&[("ALL_PROXY", "p"), ("NO_PROXY", list)], url);
            assert_eq!(chosen.is_none(), straight, "{list:?} {url}");
        }
    }
}

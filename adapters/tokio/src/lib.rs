//! .
mod connect_error;
mod tcp;
mod tls;
pub mod transport;
mod url;
pub use connect_error::{ConnectError, Stage, TlsFault};
pub use tls::{TlsOptions, TlsOptionsError};
pub use url::{Scheme, Url, UrlError};

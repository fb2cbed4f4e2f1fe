//! Why AWS IoT Core has probably hung up, where that is the broker.

#[cfg(feature = "aws")]
pub use dunlin_aws::Cause;

/// Why AWS IoT Core has probably hung up; without the feature `aws` nothing is known of it.
#[cfg(not(feature = "aws"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {}

#[cfg(not(feature = "aws"))]
impl std::fmt::Display for Cause {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

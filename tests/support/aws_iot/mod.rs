//! A local AWS IoT Core out of real parts.

//! What fuzz targets call that the crates cannot have: it needs a codec of others.

mod differential;

pub use differential::differential;

//! Bodies of fuzz targets: each takes any bytes and panics if a promise does not hold.
//!
//! They know what lies behind the engine's face: its parsers, and how to put checksums and ids right, so that what lies
//! behind these is reached too. A new parser gets a file here, and a line in `tests/fuzz`.

mod archive;
mod clock;
mod database;
mod frames;
mod history;
mod hostile;
mod index;
mod input;
mod name;
mod node;
mod object;
mod pack;
mod protocol;
mod repair;
mod script;
mod snapshot;
mod worn;

pub use archive::archive;
pub use frames::frames;
pub use history::history;
pub use hostile::hostile;
pub use index::index;
pub use name::name;
pub use node::node;
pub use object::object;
pub use pack::pack;
pub use protocol::protocol;
pub use repair::repair;
pub use script::script;
pub use snapshot::snapshot;
pub use worn::worn;

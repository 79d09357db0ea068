//! What the command says, for people and for programs.

pub(crate) mod json;
pub(crate) mod style;
pub(crate) mod table;

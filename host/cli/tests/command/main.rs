//! The command as its users run it: as a process.

mod bad_input;
mod damage;
mod interrupt;
mod output;
mod place;
mod round_trip;
mod seed;

//! End-to-end tests of Strongroom.

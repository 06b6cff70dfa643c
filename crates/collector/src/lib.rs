//! The collection server: takes what devices report, compares recognizers, shows the fleet.

pub mod export;
pub mod pages;
pub mod sketch;

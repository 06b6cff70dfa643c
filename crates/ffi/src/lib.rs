//! Earwitness for other languages. There is no logic here: only the way between [`earwitness::runtime`] and
//!
//! * C and everything that calls C ([`c`]; the header is `include/earwitness.h`),
//! * Kotlin, Swift and Python through UniFFI (`objects`, feature `uniffi`).
//!
//! | rule | how |
//! |---|---|
//! | a handle is a number, never an address | a wrong, freed or repeated one is an error, not a crash |
//! | no panic crosses the border | each is caught and becomes an error |
//! | threads | every function may be called from every thread; events of a session come from one thread of its own |

pub mod c;
#[cfg(feature = "uniffi")]
mod objects;

#[cfg(feature = "uniffi")]
pub use objects::*;

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!("earwitness");

//! A fleet of simulated devices, the network between them and a server, and what is found in the store at the end.
//!
//! ```text
//! one child process                               this process                 the program itself
//! journal on a faulty disk ─► uploader ──TCP──► network that cuts, ──TCP──► earwitness collect ─► store
//!      └► oracle: what `append` told            repeats and reorders                               │
//!              └───────────────────────────── check: each record once, or a reported loss ◄────────┘
//! ```

pub mod check;
pub mod device;
pub mod disk;
pub mod fleet;
pub mod network;
pub mod oracle;
pub mod plan;
pub mod server;

//! What this process has used, and what the machine has.

/// The most memory this process has held, MiB; `None` where the system does not tell.
pub fn peak_rss_mib() -> Option<f64> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        // Apple counts bytes, the others KiB.
        let unit = if cfg!(target_vendor = "apple") { 1.0 } else { 1024.0 };
        Some(usage.max_rss() as f64 * unit / (1024.0 * 1024.0))
    }
    #[cfg(not(unix))]
    None
}

/// Free space for this user at `folder`, or at its nearest parent that exists, MiB.
pub fn free_disk_mib(folder: &std::path::Path) -> Option<u64> {
    earwitness::device::disk_free_bytes(folder).map(|bytes| bytes >> 20)
}

/// Features of the processor that matter for speed, detected now.
pub fn cpu_features() -> Vec<&'static str> {
    #[allow(unused_mut, reason = "other architectures tell nothing")]
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detect {
            ($($name:tt),*) => { $( if std::arch::is_x86_feature_detected!($name) { found.push($name); } )* };
        }
        detect!("sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512vnni", "avxvnni");
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! detect {
            ($($name:tt),*) => { $( if std::arch::is_aarch64_feature_detected!($name) { found.push($name); } )* };
        }
        detect!("neon", "fp16", "dotprod", "i8mm", "bf16", "sve");
    }
    found
}

//! Instruction sets: which this processor has, and how one source is compiled for each of them.
//!
//! One binary starts on every x86-64 and aarch64 processor. The hot loops exist several times in it,
//! and an [`Isa`] value, made by looking at the processor, chooses among them. An `Isa` cannot be
//! made for instructions that the processor lacks: that is what makes the calls behind it sound.

use std::fmt;
use std::sync::OnceLock;

/// A set of instructions that this processor has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

/// What is told apart, from least to most capable on each architecture.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each architecture knows its own")]
pub(crate) enum Level {
    /// What every processor of the architecture has: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    /// AVX2 and FMA (2013).
    Avx2,
    /// AVX2, FMA and AVX-VNNI (laptops since 2021).
    AvxVnni,
    /// AVX-512 F, BW, DQ, VL and VNNI.
    Avx512Vnni,
    /// NEON with `sdot` (Cortex-A76, Raspberry Pi 5, phones since 2018).
    NeonDotprod,
    /// NEON with `sdot` and `smmla` (ARMv8.6).
    NeonI8mm,
}

impl Isa {
    /// The most capable set that this processor has.
    pub fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(|| Self::available().next().unwrap_or(Self(Level::Baseline)))
    }

    /// Every set that this processor has, the most capable first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Level::Avx512Vnni, Level::AvxVnni, Level::Avx2, Level::NeonI8mm, Level::NeonDotprod, Level::Baseline]
            .into_iter()
            .filter(|level| has(*level))
            .map(Self)
    }

    /// The set called `name`, if this processor has it.
    ///
    /// # Errors
    /// A sentence that lists the sets there are.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::available().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::available().map(Self::name).collect();
            format!("this processor has no instruction set `{name}`; it has {}", names.join(", "))
        })
    }

    /// `avx512-vnni`, `avx-vnni`, `avx2`, `neon-i8mm`, `neon-dotprod`, or `baseline`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Baseline => "baseline",
            Level::Avx2 => "avx2",
            Level::AvxVnni => "avx-vnni",
            Level::Avx512Vnni => "avx512-vnni",
            Level::NeonDotprod => "neon-dotprod",
            Level::NeonI8mm => "neon-i8mm",
        }
    }

    #[cfg_attr(
        not(any(target_arch = "x86_64", target_arch = "aarch64")),
        allow(dead_code, reason = "one level is all there is")
    )]
    pub(crate) fn level(self) -> Level {
        self.0
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(target_arch = "x86_64")]
fn has(level: Level) -> bool {
    use std::arch::is_x86_feature_detected as has;
    let avx2 = || has!("avx2") && has!("fma");
    match level {
        Level::Baseline => true,
        Level::Avx2 => avx2(),
        Level::AvxVnni => avx2() && has!("avxvnni"),
        Level::Avx512Vnni => {
            avx2()
                && has!("avx512f")
                && has!("avx512bw")
                && has!("avx512dq")
                && has!("avx512vl")
                && has!("avx512vnni")
        }
        Level::NeonDotprod | Level::NeonI8mm => false,
    }
}

#[cfg(target_arch = "aarch64")]
fn has(level: Level) -> bool {
    use std::arch::is_aarch64_feature_detected as has;
    match level {
        Level::Baseline => true,
        Level::NeonDotprod => has!("dotprod"),
        Level::NeonI8mm => has!("dotprod") && has!("i8mm"),
        Level::Avx2 | Level::AvxVnni | Level::Avx512Vnni => false,
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has(level: Level) -> bool {
    level == Level::Baseline
}

/// What code compiled for several sets may ask about the one it is compiled for.
pub(crate) trait Target {
    /// `a * b + c` is one instruction.
    const FMA: bool;

    /// `a * b + c`, fused where the processor can: elsewhere fusing is a slow library call.
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

/// Compiled for the architecture's baseline.
pub(crate) enum Baseline {}
/// Compiled for AVX2 and FMA.
#[allow(dead_code, reason = "other architectures do not compile for it")]
pub(crate) enum Avx2 {}
/// Compiled for AVX2, FMA and AVX-VNNI.
#[allow(dead_code, reason = "other architectures do not compile for it")]
pub(crate) enum AvxVnni {}
/// Compiled for AVX-512 with VNNI.
#[allow(dead_code, reason = "other architectures do not compile for it")]
pub(crate) enum Avx512Vnni {}
/// Compiled for NEON with `sdot`.
#[allow(dead_code, reason = "other architectures do not compile for it")]
pub(crate) enum NeonDotprod {}
/// Compiled for NEON with `smmla`.
#[allow(dead_code, reason = "other architectures do not compile for it")]
pub(crate) enum NeonI8mm {}

impl Target for Baseline {
    const FMA: bool = cfg!(target_arch = "aarch64");
}
impl Target for Avx2 {
    const FMA: bool = true;
}
impl Target for AvxVnni {
    const FMA: bool = true;
}
impl Target for Avx512Vnni {
    const FMA: bool = true;
}
impl Target for NeonDotprod {
    const FMA: bool = true;
}
impl Target for NeonI8mm {
    const FMA: bool = true;
}

/// Makes a function `name(isa, args…)` of a generic, `#[inline(always)]` function `body::<T: Target>(args…)`,
/// compiled once for each instruction set.
macro_rules! per_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident;) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "one more than its body")]
        $vis fn $name(isa: $crate::isa::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "an Isa exists only on a processor that has its instructions")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    $body::<$crate::isa::Avx2>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma,avxvnni")]
                fn avx_vnni($($arg: $ty),*) $(-> $ret)? {
                    $body::<$crate::isa::AvxVnni>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
                fn avx512_vnni($($arg: $ty),*) $(-> $ret)? {
                    $body::<$crate::isa::Avx512Vnni>($($arg),*)
                }
                match isa.level() {
                    // SAFETY: `isa` was made by finding these features on this processor.
                    $crate::isa::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    // SAFETY: as above.
                    $crate::isa::Level::AvxVnni => return unsafe { avx_vnni($($arg),*) },
                    // SAFETY: as above.
                    $crate::isa::Level::Avx512Vnni => return unsafe { avx512_vnni($($arg),*) },
                    _ => {}
                }
            }
            #[cfg(target_arch = "aarch64")]
            #[allow(unsafe_code, reason = "an Isa exists only on a processor that has its instructions")]
            {
                #[target_feature(enable = "neon,dotprod")]
                fn dotprod($($arg: $ty),*) $(-> $ret)? {
                    $body::<$crate::isa::NeonDotprod>($($arg),*)
                }
                #[target_feature(enable = "neon,dotprod,i8mm")]
                fn i8mm($($arg: $ty),*) $(-> $ret)? {
                    $body::<$crate::isa::NeonI8mm>($($arg),*)
                }
                match isa.level() {
                    // SAFETY: `isa` was made by finding these features on this processor.
                    $crate::isa::Level::NeonDotprod => return unsafe { dotprod($($arg),*) },
                    // SAFETY: as above.
                    $crate::isa::Level::NeonI8mm => return unsafe { i8mm($($arg),*) },
                    _ => {}
                }
            }
            let _ = isa;
            $body::<$crate::isa::Baseline>($($arg),*)
        }
    };
}
pub(crate) use per_isa;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_is_everywhere_and_detection_takes_the_first() {
        let names: Vec<_> = Isa::available().map(Isa::name).collect();
        assert_eq!(names.last(), Some(&"baseline"));
        assert_eq!(Isa::detect().name(), names[0]);
        assert_eq!(Isa::named("baseline"), Ok(Isa(Level::Baseline)));
        assert!(Isa::named("mmx").unwrap_err().contains("baseline"));
    }
}
